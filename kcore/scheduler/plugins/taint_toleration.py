"""Tainted nodes take only pods that tolerate their taints, and prefer none where the taint says so."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Literal

from kcore.api.core_v1 import Node, Taint, Toleration
from kcore.api.object import Object
from kcore.api.tolerations import tolerated, untolerated
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import (
    ClusterEvent,
    CycleState,
    Hint,
    Refusal,
    Status,
    normalize,
    unresolvable,
)
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import Vector

__all__ = ["TaintToleration", "intolerable", "tolerated", "untolerated"]

REASON = "node(s) had untolerated taint(s)"


def intolerable(taints: Iterable[Taint], tolerations: Sequence[Toleration]) -> int:
    """How many taints would rather have a pod elsewhere. Only tolerations for that effect, or for all, count."""
    soft = [t for t in tolerations if t.effect in ("", "PreferNoSchedule")]
    return sum(taint.effect == "PreferNoSchedule" and not tolerated(taint, soft) for taint in taints)


class TaintToleration:
    name = "TaintToleration"
    looks_at_pods: Literal[False] = False

    def sign(self, pod: PodInfo) -> Hashable:
        return tuple([(t.key, t.operator, t.value, t.effect) for t in pod.pod.spec.tolerations])

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        assert node.node is not None
        taints = node.node.spec.taints
        return unresolvable(REASON) if taints and untolerated(taints, pod.pod.spec.tolerations) else None

    def filter_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Iterable[Refusal]:
        if len(columns.taints.values) > 1:
            tolerations = pod.pod.spec.tolerations
            mask = columns.taints.match(lambda taints: untolerated(taints, tolerations))
            yield Refusal(mask, REASON, unresolvable=True)

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        assert node.node is not None
        taints = node.node.spec.taints
        return intolerable(taints, pod.pod.spec.tolerations) if taints else 0

    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector:
        tolerations = pod.pod.spec.tolerations
        return columns.taints.count(lambda taints: intolerable(taints, tolerations))

    def normalize(self, scores: Vector, feasible: Vector, columns: NodeColumns) -> Vector:
        return normalize(scores, feasible, columns, reverse=True)

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {ClusterEvent.NODE_ADDED: self._open, ClusterEvent.NODE_TAINT: self._open}

    def _open(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        return isinstance(new, Node) and not untolerated(new.spec.taints, pod.pod.spec.tolerations)
