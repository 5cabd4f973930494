"""A pod that names its node fits no other."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Literal

from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import ClusterEvent, CycleState, Hint, Refusal, Status, unresolvable
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo

__all__ = ["NodeName"]

REASON = "node(s) didn't match the requested node name"


class NodeName:
    name = "NodeName"
    looks_at_pods: Literal[False] = False

    def sign(self, pod: PodInfo) -> Hashable:
        return pod.pod.spec.node_name

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        wanted = pod.pod.spec.node_name
        return unresolvable(REASON) if wanted and wanted != node.name else None

    def filter_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Iterable[Refusal]:
        wanted = pod.pod.spec.node_name
        if wanted:
            others = columns.backend.bools(columns.size, True)
            if wanted in columns.rows:
                others[columns.rows[wanted]] = False
            yield Refusal(others, REASON, unresolvable=True)

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {ClusterEvent.NODE_ADDED: None}
