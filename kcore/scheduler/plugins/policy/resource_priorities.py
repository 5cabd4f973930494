"""LeastRequestedPriority and BalancedResourceAllocation as they were defined at first: whole points from 0 to 10."""

from __future__ import annotations

from collections.abc import Hashable

from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import CycleState
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import Vector

__all__ = ["BalancedResources", "LeastRequested", "balanced_points", "unused_points"]

POINTS = 10
SCALE = 10
"""What a point is on the scale of today's scores."""


def unused_points(requested: int, capacity: int) -> int:
    """10 * (capacity - requested) / capacity."""
    return (capacity - requested) * POINTS // capacity if capacity > 0 and requested <= capacity else 0


def balanced_points(cpu: int, cpu_room: int, memory: int, memory_room: int) -> int:
    """10 - |share of CPU - share of memory| * 10; nothing where either would be full."""
    cpu_share = cpu / cpu_room if cpu_room else 1.0
    memory_share = memory / memory_room if memory_room else 1.0
    if cpu_share >= 1 or memory_share >= 1:
        return 0
    return int(POINTS - abs(cpu_share - memory_share) * POINTS)


class _Resources:
    """What both look at."""

    name: str

    def __init__(self, name: str) -> None:
        self.name = name

    def sign(self, pod: PodInfo) -> Hashable:
        return pod.nonzero_cpu, pod.nonzero_memory


class LeastRequested(_Resources):
    """The emptier a node would be, the better."""

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        cpu = unused_points(node.nonzero_cpu + pod.nonzero_cpu, node.allocatable.get("cpu", 0))
        memory = unused_points(node.nonzero_memory + pod.nonzero_memory, node.allocatable.get("memory", 0))
        return (cpu + memory) // 2 * SCALE

    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector:
        backend, total = columns.backend, columns.backend.ints(columns.size)
        for resource, taken, more in _taken(columns, pod):
            room = columns.allocatable(resource)
            fits = (room > 0) & (taken + more <= room)
            points = (room - taken - more) * POINTS // backend.where(room > 0, room, 1)
            total = total + backend.where(fits, points, 0)
        return total // 2 * SCALE


class BalancedResources(_Resources):
    """The more alike the shares of CPU and memory that would be taken, the better."""

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        cpu, memory = node.nonzero_cpu + pod.nonzero_cpu, node.nonzero_memory + pod.nonzero_memory
        room = node.allocatable
        return balanced_points(cpu, room.get("cpu", 0), memory, room.get("memory", 0)) * SCALE

    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector:
        backend, shares = columns.backend, []
        for resource, taken, more in _taken(columns, pod):
            room = columns.allocatable(resource)
            shares.append(backend.where(room > 0, (taken + more) / backend.where(room > 0, room, 1), 1.0))
        free = (shares[0] < 1) & (shares[1] < 1)
        points = backend.truncate(POINTS - backend.distance(shares[0], shares[1]) * POINTS)
        return backend.where(free, points * SCALE, 0)


def _taken(columns: NodeColumns, pod: PodInfo) -> tuple[tuple[str, Vector, int], ...]:
    """For each resource what is taken of it, and what the pod adds."""
    return (
        ("cpu", columns.nonzero_cpu, pod.nonzero_cpu),
        ("memory", columns.nonzero_memory, pod.nonzero_memory),
    )
