"""Two pods of one node cannot have the same host port."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

from kcore.api.core_v1 import Pod
from kcore.api.object import Object
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import (
    SKIP,
    ClusterEvent,
    CycleState,
    Hint,
    PreFilterResult,
    Refusal,
    Status,
    unschedulable,
)
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo

__all__ = ["NodePorts"]

REASON = "node(s) didn't have free ports for the requested pod ports"


class NodePorts:
    name = "NodePorts"

    def sign(self, pod: PodInfo) -> Hashable:
        return pod.host_ports

    def pre_filter(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> PreFilterResult | None:
        return None if pod.host_ports else PreFilterResult(SKIP)

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        return unschedulable(REASON) if node.conflicts(pod.host_ports) else None

    def filter_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Iterable[Refusal]:
        taken = columns.backend.bools(columns.size)
        for row, node in enumerate(columns.nodes):
            if node is not None and node.conflicts(pod.host_ports):
                taken[row] = True
        yield Refusal(taken, REASON)

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {ClusterEvent.NODE_ADDED: None, ClusterEvent.POD_DELETED: self._frees}

    def _frees(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        if not isinstance(old, Pod):
            return True
        wanted = {(port.protocol, port.port) for port in pod.host_ports}
        return any((port.protocol, port.port) in wanted for port in PodInfo(old).host_ports)
