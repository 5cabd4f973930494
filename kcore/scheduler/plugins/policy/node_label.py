"""CheckNodeLabelPresence and CalculateNodeLabelPriority: nodes that have a label, whatever its value, or lack it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Literal

from kcore.api.core_v1 import Node
from kcore.api.object import Object
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import MAX_NODE_SCORE, ClusterEvent, CycleState, Hint, Refusal, Status, unresolvable
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import Vector

__all__ = ["NodeLabelPreference", "NodeLabelPresence"]

REASON = "node(s) didn't have the requested labels"


def has_all(labels: Mapping[str, str], wanted: Iterable[str], presence: bool) -> bool:
    """Whether all labels are there; with `presence` false, whether none is."""
    return all((label in labels) is presence for label in wanted)


class NodeLabelPresence:
    """Only nodes that have all of some labels, or none of them."""

    looks_at_pods: Literal[False] = False

    def __init__(self, name: str, labels: Sequence[str], presence: bool) -> None:
        self.name = name
        self._labels = tuple(labels)
        self._presence = presence

    def sign(self, pod: PodInfo) -> Hashable:
        return None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        assert node.node is not None
        return None if has_all(node.node.metadata.labels, self._labels, self._presence) else unresolvable(REASON)

    def filter_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Iterable[Refusal]:
        for label in self._labels:
            there = columns.label(label).codes > 0
            yield Refusal(~there if self._presence else there, REASON, unresolvable=True)

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {ClusterEvent.NODE_ADDED | ClusterEvent.NODE_LABEL: self._fits}

    def _fits(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        return isinstance(new, Node) and has_all(new.metadata.labels, self._labels, self._presence)


class NodeLabelPreference:
    """All or nothing for nodes that have a label, or lack it."""

    def __init__(self, name: str, label: str, presence: bool) -> None:
        self.name = name
        self._label = label
        self._presence = presence

    def sign(self, pod: PodInfo) -> Hashable:
        return None

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        assert node.node is not None
        return MAX_NODE_SCORE if (self._label in node.node.metadata.labels) is self._presence else 0

    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector:
        there = columns.label(self._label).codes > 0
        return columns.backend.where(there if self._presence else ~there, MAX_NODE_SCORE, 0)
