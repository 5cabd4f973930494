"""Cordoned nodes take no pods but those that tolerate the taint of being cordoned."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Literal

from kcore.api.core_v1 import Node, Taint
from kcore.api.object import Object
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import ClusterEvent, CycleState, Hint, Refusal, Status, unresolvable
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.plugins.taint_toleration import tolerated
from kcore.scheduler.pod_info import PodInfo

__all__ = ["NodeUnschedulable"]

REASON = "node(s) were unschedulable"
CORDONED = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")


class NodeUnschedulable:
    name = "NodeUnschedulable"
    looks_at_pods: Literal[False] = False

    def sign(self, pod: PodInfo) -> Hashable:
        return tolerated(CORDONED, pod.pod.spec.tolerations)

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        assert node.node is not None
        if node.node.spec.unschedulable and not tolerated(CORDONED, pod.pod.spec.tolerations):
            return unresolvable(REASON)
        return None

    def filter_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Iterable[Refusal]:
        if not tolerated(CORDONED, pod.pod.spec.tolerations):
            yield Refusal(columns.unschedulable, REASON, unresolvable=True)

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {ClusterEvent.NODE_ADDED: self._open, ClusterEvent.NODE_UNSCHEDULABLE: self._open}

    def _open(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        return isinstance(new, Node) and not new.spec.unschedulable
