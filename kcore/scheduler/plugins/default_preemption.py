"""Makes room for a pod that fits nowhere by evicting pods of lower priority, as few and as unimportant as will do.

For each node that more room could help, victims are looked for (`scheduler.victims`). Of all such nodes that one is
chosen which, in this order,

    violates the fewest disruption budgets; whose most important victim is the least important; whose victims'
    priorities add up to the least; has the fewest victims; whose most important victims have run the shortest.

The pod is nominated to the node and scheduled when the victims have gone, there or wherever it fits by then.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from itertools import islice

from kcore.api.core_v1 import Pod
from kcore.api.errors import ApiError, Conflict, NotFound
from kcore.api.meta_v1 import DeleteOptions, Preconditions
from kcore.api.policy_v1 import PodDisruptionBudget
from kcore.api.timestamp import format_seconds
from kcore.client.client import Client, PatchType
from kcore.client.events import EventRecorder
from kcore.kit.clock import Clock
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.diagnosis import Diagnosis, fit_error
from kcore.scheduler.extender import Extender, ExtenderError, MetaVictims
from kcore.scheduler.framework import Ask, CycleState, PostFilterResult, Status
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.victims import NO_VICTIMS, Candidate, budget_violations, candidate, choose, find_victims

__all__ = ["DefaultPreemption"]

NOT_HELPFUL = "Preemption is not helpful for scheduling"
MESSAGE = "preempting to accommodate a higher priority pod"
MOST_MEMOS = 64
JUDGED_AT_ONCE = 256
"""On so many nodes victims are looked for before others have their turn."""
UNFINISHED = PostFilterResult(unfinished=True)


Judge = Callable[[NodeInfo], Candidate | Status]


class _Memo:
    """What was found for pods of one shape, node by node; only what has changed since is looked at again.

    The candidates stand in a heap by their cost. One that is no longer what was found for its node is passed over.
    """

    def __init__(self) -> None:
        self._found: dict[int, Candidate | Status] = {}
        self._heap: list[tuple[tuple[int, int, int, int, float], int, int, Candidate]] = []
        self._ticket = 0
        self._epoch = -1
        self._seen = 0
        self._budgets: object = None
        self.is_finished = False

    def mend(self, columns: NodeColumns, budgets: object, rows: Sequence[int], judge: Judge) -> None:
        """Have the rows judged that nothing is known of, as many as may be at a time, and forget what has changed."""
        fresh: Collection[int] = ()
        if (self._epoch, self._budgets) != (columns.epoch, budgets):
            self._found, self._heap, self._ticket = {}, [], 0
            self.is_finished = False
        else:
            changed = set(columns.changes[self._seen :])
            for row in changed:
                self._found.pop(row, None)
            fresh = changed.intersection(rows) if changed else ()
        if not self.is_finished:
            fresh = [row for row in rows if row not in self._found]
        self.is_finished = len(fresh) <= JUDGED_AT_ONCE
        self._epoch, self._seen, self._budgets = columns.epoch, len(columns.changes), budgets
        for row in islice(fresh, JUDGED_AT_ONCE):
            node = columns.nodes[row]
            if node is None:
                continue  # it has gone since the diagnosis was made
            found = self._found[row] = judge(node)
            if isinstance(found, Candidate):
                self._ticket += 1
                heappush(self._heap, (found.cost, row, self._ticket, found))

    def best(self) -> Candidate | None:
        """The candidate whose victims cost the least."""
        while self._heap:
            _, row, _, found = self._heap[0]
            if self._found.get(row) is found:
                return found
            heappop(self._heap)
        return None

    def candidates(self) -> list[Candidate]:
        return [found for found in self._found.values() if isinstance(found, Candidate)]

    def objections(self) -> Counter[str]:
        """On how many nodes nobody's leaving helps, by the reason."""
        found = [one for one in self._found.values() if not isinstance(one, Candidate)]
        return Counter(reason for one in found for reason in one.reasons)


class DefaultPreemption:
    name = "DefaultPreemption"

    def __init__(
        self,
        cache: SchedulerCache,
        budgets: Callable[[], Iterable[PodDisruptionBudget]],
        recorder: EventRecorder,
        clock: Clock,
    ) -> None:
        self._cache = cache
        self._budgets = budgets
        self._recorder = recorder
        self._clock = clock
        self._memos: dict[Hashable, _Memo] = {}

    def post_filter(self, state: CycleState, pod: PodInfo, diagnosis: Diagnosis, ask: Ask) -> PostFilterResult | None:
        memo = self._look(pod, diagnosis, ask)
        if isinstance(memo, PostFilterResult):
            return memo
        best = memo.best()
        assert best is not None, "there was a candidate a moment ago"
        return self.settle(pod, best)

    async def extended(
        self, pod: PodInfo, diagnosis: Diagnosis, ask: Ask, extenders: Sequence[Extender]
    ) -> PostFilterResult:
        """The same where extenders may spare nodes or victims. Raises ExtenderError."""
        while (found := self.look(pod, diagnosis, ask)) is UNFINISHED:  # noqa: ASYNC110  # a turn for others
            await asyncio.sleep(0)
        if isinstance(found, PostFilterResult):
            return found
        candidates = {one.node_name: one for one in found}
        for extender in extenders:
            if candidates:
                candidates = await self._asked(extender, pod, candidates)
        return self.settle(pod, choose(candidates.values())) if candidates else PostFilterResult()

    async def _asked(
        self, extender: Extender, pod: PodInfo, candidates: Mapping[str, Candidate]
    ) -> dict[str, Candidate]:
        """What an extender leaves of the candidates."""
        victims = {
            name: MetaVictims([victim.uid for victim in one.victims], one.violations)
            for name, one in candidates.items()
        }
        try:
            answer = await extender.preempt(pod.pod, victims)
        except ExtenderError:
            if not extender.config.ignorable:
                raise
            return dict(candidates)
        left = {}
        for name, chosen in answer.items():
            node = self._cache.get(name)
            if node is not None:
                pods = [node.pods[uid] for uid in chosen.uids if uid in node.pods]
                left[name] = candidate(name, pods, chosen.violations)
        return left

    def look(self, pod: PodInfo, diagnosis: Diagnosis, ask: Ask) -> Sequence[Candidate] | PostFilterResult:
        """All nodes on which room can be made, or why there is none, or that this is not known yet."""
        memo = self._look(pod, diagnosis, ask)
        return memo if isinstance(memo, PostFilterResult) else memo.candidates()

    def _look(self, pod: PodInfo, diagnosis: Diagnosis, ask: Ask) -> _Memo | PostFilterResult:
        if pod.pod.spec.preemption_policy == "Never":
            return PostFilterResult("preemption: not eligible due to preemptionPolicy=Never.")
        if self._is_waiting(pod, diagnosis):
            message = "preemption: not eligible due to a terminating pod on the nominated node."
            return PostFilterResult(message, pod.nominated)
        columns, rows = self._cache.columns, diagnosis.helpable()
        reasons: Counter[str] = Counter()
        if self._cache.lowest_priority() >= pod.priority:
            reasons[NO_VICTIMS.reasons[0]] = len(rows)
        else:
            memo = self._memo(pod, ask, rows)
            if not memo.is_finished:
                return UNFINISHED
            if memo.best() is not None:
                return memo
            reasons += memo.objections()
        reasons[NOT_HELPFUL] = columns.count - len(rows)
        return PostFilterResult(f"preemption: {fit_error(columns.count, +reasons)}")

    def settle(self, pod: PodInfo, chosen: Candidate) -> PostFilterResult:
        """Have the victims leave a node, and give up the room that is kept there for less important pods."""
        node = self._cache[chosen.node_name]
        outranked = [node.pods[uid] for uid in node.ghosts if node.pods[uid].priority < pod.priority]
        for ghost in outranked:
            ghost.nominated = ""
            self._cache.withdraw(ghost.uid)

        async def carry_out(client: Client) -> None:
            for ghost in outranked:
                await _clear_nomination(client, ghost)
            for victim in chosen.victims:
                await self._evict(client, victim, pod)

        return PostFilterResult("", chosen.node_name, len(chosen.victims), carry_out)

    def _is_waiting(self, pod: PodInfo, diagnosis: Diagnosis) -> bool:
        """Whether the victims of an earlier attempt are still on their way out, and their going may help."""
        nominated = self._cache.get(pod.nominated)
        if nominated is None or diagnosis.is_hopeless(nominated.row):
            return False
        return any(
            other.priority < pod.priority and other.pod.metadata.deletion_timestamp is not None
            for other in nominated.pods.values()
        )

    def _memo(self, pod: PodInfo, ask: Ask, rows: Sequence[int]) -> _Memo:
        """What is found on these rows."""
        key: Hashable = (ask.shared_as, pod.priority) if ask.shared_as is not None else pod.uid
        memo = self._memos.pop(key, None) or _Memo()
        budgets = tuple(self._budgets())
        versions = tuple([(budget.metadata.uid, budget.metadata.resource_version) for budget in budgets])

        def judge(node: NodeInfo) -> Candidate | Status:
            return find_victims(pod, node, ask, lambda lower: budget_violations(lower, budgets))

        memo.mend(self._cache.columns, versions, rows, judge)
        if ask.shared_as is not None or not memo.is_finished:
            if len(self._memos) >= MOST_MEMOS:
                del self._memos[next(iter(self._memos))]
            self._memos[key] = memo
        return memo

    async def _evict(self, client: Client, victim: PodInfo, preemptor: PodInfo) -> None:
        """Mark a victim as disrupted, and delete it."""
        metadata = victim.pod.metadata
        if metadata.deletion_timestamp is not None:
            return
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": f"{preemptor.pod.spec.scheduler_name}: {MESSAGE}",
            "observedGeneration": metadata.generation,
            "lastTransitionTime": format_seconds(self._clock.now()),
        }
        patch = {"metadata": {"uid": metadata.uid}, "status": {"conditions": [condition]}}
        strategic = PatchType.STRATEGIC
        try:
            await client.patch(
                Pod, metadata.name, patch, metadata.namespace, patch_type=strategic, subresource="status"
            )
        except NotFound:
            return
        except ApiError:
            pass  # the mark is a courtesy; the eviction is what counts
        options = DeleteOptions(preconditions=Preconditions(uid=metadata.uid))
        try:
            await client.delete(Pod, metadata.name, metadata.namespace, options)
        except (NotFound, Conflict):  # gone, or another pod of the name
            return
        message = f"Preempted by pod {preemptor.uid} on node {victim.pod.spec.node_name}"
        self._recorder.event(victim.pod, "Normal", "Preempted", message)


async def _clear_nomination(client: Client, pod: PodInfo) -> None:
    metadata = pod.pod.metadata
    patch = {"metadata": {"uid": metadata.uid}, "status": {"nominatedNodeName": None}}
    try:
        await client.patch(Pod, metadata.name, patch, metadata.namespace, subresource="status")
    except ApiError:
        return
