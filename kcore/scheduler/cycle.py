"""One scheduling cycle: from a pod to the node it should go to, or to the reason why there is none.

The cycle never awaits, unless extenders take part; what is too much for one turn of the loop is asked for again. It
ends with the pod assumed on its node, so that the next cycle counts it; binding follows at leisure, many at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kcore.api.core_v1 import Node
from kcore.kit.clock import Chance
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.diagnosis import NO_NODES, Diagnosis, fit_error
from kcore.scheduler.evaluation import Evaluation
from kcore.scheduler.evaluator import Evaluator
from kcore.scheduler.extender import HIGHEST_SCORE, Extender, ExtenderError, ExtensiblePreemption
from kcore.scheduler.framework import MAX_NODE_SCORE, Code, CycleState, PostFilterResult, Status
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.profile import Profile

__all__ = ["Placed", "Refused", "SchedulingCycle"]


NOTHING_DONE = PostFilterResult()
ENOUGH_NODES = 100
"""However small a percentage of nodes is enough to choose from, it is of no fewer than so many."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The pod is assumed on `node_name`. `permit` is WAIT where it must not be bound before it is allowed, for at
    most `permit_seconds`."""

    node_name: str
    state: CycleState
    permit: Status | None = None
    permit_seconds: float = 0.0
    is_measured: bool = False
    """Whether the plugins of this cycle were measured, so that those of binding are to be, too."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No node would do, or a plugin objected to the one chosen."""

    message: str
    plugins: frozenset[str]
    post_filter: PostFilterResult = NOTHING_DONE
    is_error: bool = False


class SchedulingCycle:
    """Decides over one cache, for any profile."""

    def __init__(self, cache: SchedulerCache, chance: Chance, now: Callable[[], float] = lambda: 0.0) -> None:
        """`now` tells the time that the extension points take."""
        self._now = now
        self._cache = cache
        self._chance = chance
        self._evaluator = Evaluator(cache.columns, now)
        self._next_row = 0

    @property
    def looked_at(self) -> int:
        """How many rows have been judged so far, all in all."""
        return self._evaluator.looked_at

    def schedule(self, profile: Profile, pod: PodInfo) -> Placed | Refused | None:
        """Find a node, and assume the pod there. None: it is not decided yet; ask again after others had their turn."""
        if not self._cache.columns.count:
            return Refused(NO_NODES, frozenset())
        expected = self._cache.withdraw(pod.uid)
        profile.times.begin()
        try:
            outcome = self._decide(profile, pod)
        finally:
            profile.times.end()
        if isinstance(outcome, Refused) and outcome.post_filter.unfinished:
            if expected:
                self._cache.nominate(pod, expected)
            return None
        return self._nominated(pod, outcome)

    async def schedule_with(self, profile: Profile, pod: PodInfo, extenders: Sequence[Extender]) -> Placed | Refused:
        """The same where extenders have a say. While they think the cluster may change; what they chose is looked at
        again before the pod is assumed there."""
        if not self._cache.columns.count:
            return Refused(NO_NODES, frozenset())
        self._cache.withdraw(pod.uid)
        try:
            outcome = await self._decide_with(profile, pod, extenders)
        except ExtenderError as error:
            outcome = Refused(str(error), frozenset(), is_error=True)
        return self._nominated(pod, outcome)

    def _nominated(self, pod: PodInfo, outcome: Placed | Refused) -> Placed | Refused:
        """Keep room for a pod for whom victims leave."""
        if isinstance(outcome, Refused):
            pod.nominated = outcome.post_filter.nominated_node
            if pod.nominated:
                self._cache.nominate(pod, pod.nominated)
        return outcome

    def _decide(self, profile: Profile, pod: PodInfo) -> Placed | Refused:
        evaluation = self._evaluator.evaluate(profile, pod)
        for point, seconds in evaluation.spent.items():
            profile.observe(point, "Success", profile.scheduler_name, seconds)
        row = self._choose(profile, pod, evaluation)
        if row >= 0:
            return self._place(profile, pod, self._cache.columns.node(row).name, evaluation.state)
        diagnosis, began = evaluation.diagnose(), self._now()
        for plugin in profile.post_filter:
            asked = plugin.post_filter
            result = profile.times.of("PostFilter", plugin, asked, evaluation.state, pod, diagnosis, evaluation)
            if result is not None:
                if result.unfinished:
                    return Refused("", frozenset(), result)
                status = "Success" if result.nominated_node else "Unschedulable"
                profile.observe("PostFilter", status, profile.scheduler_name, self._now() - began)
                return self._refuse(diagnosis, result)
        return self._refuse(diagnosis)

    def _choose(self, profile: Profile, pod: PodInfo, evaluation: Evaluation) -> int:
        """The row of the node for which victims have left, else of the best one; -1: the pod fits none."""
        nominated = self._cache.columns.rows.get(pod.nominated, -1) if pod.nominated else -1
        if nominated >= 0 and evaluation.totals[nominated] >= 0:
            return nominated
        if not profile.percentage:
            return evaluation.best_row(self._chance.random.random)
        rows = self._best_of_some(profile, evaluation)
        return rows[int(self._chance.random.random() * len(rows))] if rows else -1

    def _any_of(self, rows: Sequence[int]) -> str:
        """One of equally good nodes, by chance."""
        row = rows[0] if len(rows) == 1 else rows[int(self._chance.random.random() * len(rows))]
        return self._cache.columns.node(row).name

    def _best_of_some(self, profile: Profile, evaluation: Evaluation) -> list[int]:
        """The best of as many nodes that fit as are enough, each time beginning where the last time ended."""
        columns = self._cache.columns
        enough = max(ENOUGH_NODES, columns.count * profile.percentage // 100)
        rows = columns.backend.rows(evaluation.totals >= 0)
        if len(rows) > enough:
            start = next((i for i, row in enumerate(rows) if row >= self._next_row), 0)
            rows = [*rows[start:], *rows[:start]][:enough]
            self._next_row = rows[-1] + 1
        best = max((int(evaluation.totals[row]) for row in rows), default=0)
        return [row for row in rows if evaluation.totals[row] == best]

    async def _decide_with(self, profile: Profile, pod: PodInfo, extenders: Sequence[Extender]) -> Placed | Refused:
        evaluation = self._evaluator.evaluate(profile, pod)
        columns = self._cache.columns
        names: Sequence[str] = [columns.node(row).name for row in columns.backend.rows(evaluation.totals >= 0)]
        diagnosis = None if names else evaluation.diagnose()
        refused: dict[str, Status] = {}
        for extender in extenders:
            if extender.filters and names:
                names, said = await extender.filter(pod.pod, self._nodes(names))
                refused.update(said)
        scores = await self._extended_scores(pod, extenders, names) if len(names) > 1 else {}
        evaluation.refresh()
        fitting = [name for name in names if name in columns.rows and evaluation.totals[columns.rows[name]] >= 0]
        if fitting:
            totals = {name: int(evaluation.totals[columns.rows[name]]) + scores.get(name, 0) for name in fitting}
            best = max(totals.values())
            rows = [columns.rows[name] for name in fitting if totals[name] == best]
            return self._place(profile, pod, self._any_of(rows), evaluation.state)
        return await self._refuse_with(profile, evaluation, (diagnosis or evaluation.diagnose(), refused), extenders)

    async def _extended_scores(
        self, pod: PodInfo, extenders: Sequence[Extender], names: Sequence[str]
    ) -> Mapping[str, int]:
        """What extenders add to the scores, on the same scale."""
        scores: Counter[str] = Counter()
        for extender in extenders:
            if extender.scores:
                for name, score in (await extender.prioritize(pod.pod, self._nodes(names))).items():
                    scores[name] += score * (MAX_NODE_SCORE // HIGHEST_SCORE)
        return scores

    async def _refuse_with(
        self,
        profile: Profile,
        evaluation: Evaluation,
        found: tuple[Diagnosis, Mapping[str, Status]],
        extenders: Sequence[Extender],
    ) -> Refused:
        diagnosis = found[0].with_others(found[1])
        preempting = [extender for extender in extenders if extender.preempts]
        for plugin in profile.post_filter:
            if preempting and isinstance(plugin, ExtensiblePreemption):
                done = await plugin.extended(evaluation.pod, diagnosis, evaluation, preempting)
                return self._refuse(diagnosis, done)
            result = plugin.post_filter(evaluation.state, evaluation.pod, diagnosis, evaluation)
            if result is not None:
                return self._refuse(diagnosis, result)
        return self._refuse(diagnosis)

    def _nodes(self, names: Sequence[str]) -> dict[str, Node]:
        known = [self._cache.get(name) for name in names]
        return {info.name: info.node for info in known if info is not None and info.node is not None}

    def _place(self, profile: Profile, pod: PodInfo, node_name: str, found: CycleState) -> Placed | Refused:
        state = dict(found)  # what plugins keep from here on is the pod's own
        self._cache.assume(pod, node_name)
        objection = profile.run_reserve(state, pod, node_name)
        if objection is None:
            objection, seconds = profile.run_permit(state, pod, node_name)
            if objection is None or objection.code is Code.WAIT:
                return Placed(node_name, state, objection, seconds, profile.times.measures)
            profile.run_unreserve(state, pod, node_name)
        self._cache.forget(pod.uid)
        plugins = frozenset((objection.plugin,))
        message = fit_error(self._cache.columns.count, Counter(objection.reasons))
        return Refused(message, plugins, is_error=objection.code is Code.ERROR)

    def _refuse(self, diagnosis: Diagnosis, result: PostFilterResult = NOTHING_DONE) -> Refused:
        count = self._cache.columns.count
        message = fit_error(count, diagnosis.reasons(), diagnosis.pre_filter, result.message)
        return Refused(message, diagnosis.plugins, result)
