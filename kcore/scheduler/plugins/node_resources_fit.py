"""A node must have room for what a pod requests, and is preferred the emptier it would be (LeastAllocated)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

from kcore.api.core_v1 import Node, Pod
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import MAX_NODE_SCORE, ClusterEvent, CycleState, Hint, Refusal, Status, unresolvable
from kcore.scheduler.framework import unschedulable as refused
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo, requests_of
from kcore.scheduler.vector import Vector

__all__ = ["Insufficient", "NodeResourcesFit", "insufficient", "least_requested"]

TOO_MANY_PODS = "Too many pods"


class Insufficient(NamedTuple):
    """A resource of which a node has too little; `never`: even if it were empty."""

    reason: str
    never: bool


def insufficient(requests: Mapping[str, int], node: NodeInfo) -> list[Insufficient]:
    """All that keeps a pod with these requests off a node."""
    found = []
    if len(node.pods) + 1 > node.allocatable.get("pods", 0):
        found.append(Insufficient(TOO_MANY_PODS, False))
    for resource, wanted in requests.items():
        room = node.allocatable.get(resource, 0)
        if wanted > 0 and wanted > room - node.requested.get(resource, 0):
            found.append(Insufficient(f"Insufficient {resource}", wanted > room))
    return found


def least_requested(requested: int, allocatable: int) -> int:
    """0 for a full node to 100 for an empty one."""
    if allocatable == 0 or requested > allocatable:
        return 0
    return (allocatable - requested) * MAX_NODE_SCORE // allocatable


class NodeResourcesFit:
    name = "NodeResourcesFit"

    def sign(self, pod: PodInfo) -> Hashable:
        return (tuple(sorted(pod.requests.items())), pod.nonzero_cpu, pod.nonzero_memory)

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        found = insufficient(pod.requests, node)
        if not found:
            return None
        reasons = tuple(one.reason for one in found)
        return unresolvable(*reasons) if any(one.never for one in found) else refused(*reasons)

    def filter_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Iterable[Refusal]:
        yield Refusal(columns.pods + 1 > columns.allocatable("pods"), TOO_MANY_PODS)
        for resource, wanted in pod.requests.items():
            if wanted <= 0:
                continue
            room, reason = columns.allocatable(resource), f"Insufficient {resource}"
            lacking = room - columns.requested(resource) < wanted
            never = room < wanted
            yield Refusal(lacking & ~never, reason)
            yield Refusal(lacking & never, reason, unresolvable=True)

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        cpu, memory = node.allocatable.get("cpu", 0), node.allocatable.get("memory", 0)
        weight = (cpu != 0) + (memory != 0)
        if not weight:
            return 0
        return (
            least_requested(node.nonzero_cpu + pod.nonzero_cpu, cpu)
            + least_requested(node.nonzero_memory + pod.nonzero_memory, memory)
        ) // weight

    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector:
        cpu, cpu_known = _least_requested(columns, columns.nonzero_cpu + pod.nonzero_cpu, "cpu")
        memory, memory_known = _least_requested(columns, columns.nonzero_memory + pod.nonzero_memory, "memory")
        return columns.backend.where(cpu_known & memory_known, (cpu + memory) // 2, cpu + memory)

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {
            ClusterEvent.NODE_ADDED: self._has_room,
            ClusterEvent.NODE_ALLOCATABLE: self._has_room,
            ClusterEvent.POD_UPDATED: None,
            ClusterEvent.POD_DELETED: None,
        }

    def _has_room(self, pod: Pod, old: Node | Pod | None, new: Node | Pod | None) -> bool:
        """Whether the node would do if it were empty."""
        if not isinstance(new, Node):
            return True
        empty = NodeInfo(new.metadata.name, -1)
        empty.set_node(new)
        return not insufficient(requests_of(pod.spec), empty)


def _least_requested(columns: NodeColumns, requested: Vector, resource: str) -> tuple[Vector, Vector]:
    """`least_requested` for all rows, and where the resource is known at all."""
    room = columns.allocatable(resource)
    known = room > 0
    divisor = columns.backend.where(known, room, 1)
    free = columns.backend.where(requested > room, 0, room - requested)
    return columns.backend.where(known, free * MAX_NODE_SCORE // divisor, 0), known
