"""Evaluations by signature: pods that are alike share one, and its next question mends only what has changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.evaluation import Evaluation, no_time
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.profile import Profile

__all__ = ["Evaluator"]

MOST_EVALUATIONS = 256


class Evaluator:
    """Evaluations by signature; those used last are kept."""

    def __init__(self, columns: NodeColumns, now: Callable[[], float] = no_time) -> None:
        self._columns = columns
        self._now = now
        self._kept: dict[tuple[str, Hashable], Evaluation] = {}
        self.looked_at = 0
        """How many rows have been judged so far, all in all."""

    def evaluate(self, profile: Profile, pod: PodInfo) -> Evaluation:
        """The verdict on a pod as of now."""
        signature = profile.signature(pod)
        if signature is None:
            self.looked_at += self._columns.count
            return Evaluation(profile, pod, self._columns, None, self._now)
        key = (profile.scheduler_name, signature)
        evaluation = self._kept.pop(key, None)
        if evaluation is None:
            evaluation = Evaluation(profile, pod, self._columns, key, self._now)
            if evaluation.is_quick:
                return evaluation
            self.looked_at += self._columns.count
            if len(self._kept) >= MOST_EVALUATIONS:
                del self._kept[next(iter(self._kept))]
        else:
            evaluation.share(pod)
        self._kept[key] = evaluation
        return evaluation
