"""Makes room for a pod that fits nowhere by evicting pods of lower priority, as few and as unimportant as will do.

For each node that more room could help, all pods of lower priority are taken off in thought. If the pod would fit
then, they are put back one by one, the most important first, as long as it still fits; those that cannot stay are
the victims. Of all such nodes that one is chosen which, in this order,

    violates the fewest disruption budgets; whose most important victim is the least important; whose victims'
    priorities add up to the least; has the fewest victims; whose most important victims have run the shortest.

The pod is nominated to the node and scheduled when the victims have gone, there or wherever it fits by then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from kcore.api.core_v1 import Pod
from kcore.api.errors import ApiError, Conflict, NotFound
from kcore.api.meta_v1 import DeleteOptions, Preconditions
from kcore.api.policy_v1 import PodDisruptionBudget
from kcore.api.selectors import selector_from_struct
from kcore.api.timestamp import format_seconds
from kcore.client.client import Client, PatchType
from kcore.client.events import EventRecorder
from kcore.kit.clock import Clock
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.diagnosis import Diagnosis, fit_error
from kcore.scheduler.extender import Extender, ExtenderError, MetaVictims
from kcore.scheduler.framework import Ask, CycleState, PostFilterResult, Status, unschedulable
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.plugins.node_resources_fit import TOO_MANY_PODS
from kcore.scheduler.pod_info import PodInfo

__all__ = ["Candidate", "DefaultPreemption", "candidate", "choose", "find_victims"]

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = unschedulable("No preemption victims found for incoming pod")
MESSAGE = "preempting to accommodate a higher priority pod"
LEAST_START = 0.0
MOST_MEMOS = 64


class Candidate(NamedTuple):
    """A node, and who would have to go, the most important first. Smaller `cost` is better."""

    node_name: str
    victims: tuple[PodInfo, ...]
    violations: int
    cost: tuple[int, int, int, int, float]


def candidate(node_name: str, victims: Iterable[PodInfo], violations: int) -> Candidate:
    ordered = tuple(sorted(victims, key=_importance))
    return Candidate(node_name, ordered, violations, _cost(ordered, violations))


def find_victims(
    pod: PodInfo, node: NodeInfo, ask: Ask, violates: Callable[[Sequence[PodInfo]], set[str]]
) -> Candidate | Status:
    """Who would have to leave a node for the pod to fit, or why nobody's leaving helps."""
    lower = [other for other in node.pods.values() if other.priority < pod.priority]
    if not lower:
        return NO_VICTIMS
    demand = ask.demand
    trial: _Trial = _Trial(node, ask) if demand is None else _RoomTrial(node, demand)
    for other in lower:
        trial.remove(other)
    objection = trial.objection()
    if objection is not None:
        return objection
    lower = [other for other in lower if other.uid not in node.ghosts]
    lower.sort(key=_importance)
    violating = violates(lower)
    victims: list[PodInfo] = []
    # Pods whose eviction would break a budget are the first to be spared.
    for other in sorted(lower, key=lambda one: one.uid not in violating) if violating else lower:
        trial.add(other)
        if trial.objection() is not None:
            trial.remove(other)
            victims.append(other)
    return candidate(node.name, victims, sum(victim.uid in violating for victim in victims))


class _Trial:
    """A node on which pods are taken off and put back in thought."""

    def __init__(self, node: NodeInfo, ask: Ask) -> None:
        self._node = node.copy()
        self._ask = ask

    def remove(self, pod: PodInfo) -> None:
        self._node.remove(pod.uid)

    def add(self, pod: PodInfo) -> None:
        self._node.add(pod)

    def objection(self) -> Status | None:
        return self._ask(self._node)


class _RoomTrial(_Trial):
    """The same where nothing counts but room: sums instead of a copy."""

    def __init__(self, node: NodeInfo, demand: Mapping[str, int]) -> None:
        self._demand = demand
        requested, allocatable = node.requested, node.allocatable
        self._left = {name: allocatable.get(name, 0) - requested.get(name, 0) for name in demand}
        self._places = allocatable.get("pods", 0) - len(node.pods)

    def remove(self, pod: PodInfo) -> None:
        self._change(pod, 1)

    def add(self, pod: PodInfo) -> None:
        self._change(pod, -1)

    def objection(self) -> Status | None:
        reasons = [] if self._places > 0 else [TOO_MANY_PODS]
        for name, wanted in self._demand.items():
            if wanted > 0 and wanted > self._left[name]:
                reasons.append(f"Insufficient {name}")
        return unschedulable(*reasons) if reasons else None

    def _change(self, pod: PodInfo, sign: int) -> None:
        left, requests = self._left, pod.requests
        for name in left:
            left[name] += sign * requests.get(name, 0)
        self._places += sign


def choose(candidates: Iterable[Candidate]) -> Candidate:
    """The node whose victims cost the least."""
    return min(candidates, key=lambda one: one.cost)


def _cost(victims: Sequence[PodInfo], violations: int) -> tuple[int, int, int, int, float]:
    highest = victims[0].priority if victims else -(2**31)
    # Shifted so that many unimportant victims weigh more than few, whatever the sign of their priorities.
    total = sum(victim.priority + 2**31 for victim in victims)
    earliest = min((victim.started for victim in victims if victim.priority == highest), default=LEAST_START)
    return violations, highest, total, len(victims), -earliest


def _importance(pod: PodInfo) -> tuple[int, float]:
    """Higher priority first, then who has run longer."""
    return -pod.priority, pod.started


def budget_violations(pods: Sequence[PodInfo], budgets: Iterable[PodDisruptionBudget]) -> set[str]:
    """The uids of those pods whose eviction, in this order, goes beyond what a budget allows."""
    left = [
        (budget, selector_from_struct(budget.spec.selector), [budget.status.disruptions_allowed]) for budget in budgets
    ]
    violating = set()
    for info in pods:
        metadata = info.pod.metadata
        for budget, selector, allowed in left:
            if budget.metadata.namespace != metadata.namespace or not metadata.labels or selector.empty:
                continue
            if metadata.name in budget.status.disrupted_pods or not selector.matches(metadata.labels):
                continue
            allowed[0] -= 1
            if allowed[0] < 0:
                violating.add(info.uid)
    return violating


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

    def mend(self, columns: NodeColumns, budgets: object, rows: Sequence[int], judge: Judge) -> None:
        """Have every one of the rows judged that nothing is known of, and forget all others."""
        if (self._epoch, self._budgets) != (columns.epoch, budgets):
            self._found, self._heap, self._ticket = {}, [], 0
            fresh: Iterable[int] = rows
        else:
            changed = set(columns.changes[self._seen :])
            for row in changed:
                self._found.pop(row, None)
            fresh = changed.intersection(rows) if changed else ()
        self._epoch, self._seen, self._budgets = columns.epoch, len(columns.changes), budgets
        for row in fresh:
            found = self._found[row] = judge(columns.node(row))
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
        found = self.look(pod, diagnosis, ask)
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
        """All nodes on which room can be made, or why there is none."""
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
        memo = _Memo()
        if ask.shared_as is not None:
            key = (ask.shared_as, pod.priority)
            memo = self._memos.pop(key, memo)
            if len(self._memos) >= MOST_MEMOS:
                del self._memos[next(iter(self._memos))]
            self._memos[key] = memo
        budgets = tuple(self._budgets())
        versions = tuple([(budget.metadata.uid, budget.metadata.resource_version) for budget in budgets])

        def judge(node: NodeInfo) -> Candidate | Status:
            return find_victims(pod, node, ask, lambda lower: budget_violations(lower, budgets))

        memo.mend(self._cache.columns, versions, rows, judge)
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
