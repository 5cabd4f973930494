"""One scheduling cycle: from a pod to the node it should go to, or to the reason why there is none.

The cycle never awaits. It ends with the pod assumed on its node, so that the next cycle counts it; binding follows
at leisure, many at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

from kcore.kit.clock import Chance
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.diagnosis import NO_NODES, fit_error
from kcore.scheduler.evaluation import Evaluation, Evaluator
from kcore.scheduler.framework import Code, CycleState, Diagnosis, PostFilterResult, Status
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.profile import Profile

__all__ = ["Placed", "Refused", "SchedulingCycle"]


NOTHING_DONE = PostFilterResult()


@dataclass(frozen=True, slots=True)
class Placed:
    """The pod is assumed on `node_name`. `permit` is WAIT where it must not be bound before it is allowed, for at
    most `permit_seconds`."""

    node_name: str
    state: CycleState
    permit: Status | None = None
    permit_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """No node would do, or a plugin objected to the one chosen."""

    message: str
    plugins: frozenset[str]
    post_filter: PostFilterResult = NOTHING_DONE
    is_error: bool = False


class SchedulingCycle:
    """Decides over one cache, for any profile."""

    def __init__(self, cache: SchedulerCache, chance: Chance) -> None:
        self._cache = cache
        self._chance = chance
        self._evaluator = Evaluator(cache.columns)

    def schedule(self, profile: Profile, pod: PodInfo) -> Placed | Refused:
        """Find a node, and assume the pod there."""
        columns = self._cache.columns
        if not columns.count:
            return Refused(NO_NODES, frozenset())
        self._cache.withdraw(pod.uid)
        outcome = self._decide(profile, pod)
        if isinstance(outcome, Refused):
            pod.nominated = outcome.post_filter.nominated_node
            if pod.nominated:
                self._cache.nominate(pod, pod.nominated)
        return outcome

    def _decide(self, profile: Profile, pod: PodInfo) -> Placed | Refused:
        columns = self._cache.columns
        evaluation = self._evaluator.evaluate(profile, pod)
        rows = evaluation.best_rows()
        if not rows:
            return self._refuse(profile, pod, evaluation)
        row = rows[0] if len(rows) == 1 else rows[int(self._chance.random.random() * len(rows))]
        return self._place(profile, pod, columns.node(row).name, evaluation.state)

    def _place(self, profile: Profile, pod: PodInfo, node_name: str, found: CycleState) -> Placed | Refused:
        state = dict(found)  # what plugins keep from here on is the pod's own
        self._cache.assume(pod, node_name)
        objection = profile.run_reserve(state, pod, node_name)
        if objection is None:
            objection, seconds = profile.run_permit(state, pod, node_name)
            if objection is None or objection.code is Code.WAIT:
                return Placed(node_name, state, objection, seconds)
            profile.run_unreserve(state, pod, node_name)
        self._cache.forget(pod.uid)
        diagnosis = Diagnosis({node_name: objection}, frozenset((objection.plugin,)))
        message = fit_error(self._cache.columns.count, diagnosis)
        return Refused(message, diagnosis.plugins, is_error=objection.code is Code.ERROR)

    def _refuse(self, profile: Profile, pod: PodInfo, evaluation: Evaluation) -> Refused:
        diagnosis = evaluation.diagnose()
        result = NOTHING_DONE
        for plugin in profile.post_filter:
            answer = plugin.post_filter(evaluation.state, pod, diagnosis, evaluation.ask)
            if answer is not None:
                result = answer
                break
        message = fit_error(self._cache.columns.count, diagnosis, result.message)
        return Refused(message, diagnosis.plugins, result)
