"""Nodes are preferred whose CPU and memory would fill up evenly, measured by what the pod changes about that."""

from __future__ import annotations

from collections.abc import Hashable

from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import MAX_NODE_SCORE, SKIP, CycleState, Status
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import Vector

__all__ = ["NodeResourcesBalancedAllocation", "balance"]

HALF = MAX_NODE_SCORE // 2


def balance(cpu: int, cpu_room: int, memory: int, memory_room: int) -> int:
    """100 where the same share of both is taken, down to 50 where all of one and none of the other is."""
    if not cpu_room or not memory_room:
        return MAX_NODE_SCORE
    deviation = abs(min(cpu / cpu_room, 1.0) - min(memory / memory_room, 1.0)) / 2
    return int((1 - deviation) * MAX_NODE_SCORE)


class NodeResourcesBalancedAllocation:
    name = "NodeResourcesBalancedAllocation"

    def sign(self, pod: PodInfo) -> Hashable:
        return (pod.requests.get("cpu", 0), pod.requests.get("memory", 0))

    def pre_score(self, state: CycleState, pod: PodInfo, columns: NodeColumns, feasible: Vector) -> Status | None:
        """A pod that requests neither changes no balance."""
        return None if pod.requests.get("cpu") or pod.requests.get("memory") else SKIP

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        cpu, memory = node.requested.get("cpu", 0), node.requested.get("memory", 0)
        cpu_room, memory_room = node.allocatable.get("cpu", 0), node.allocatable.get("memory", 0)
        before = balance(cpu, cpu_room, memory, memory_room)
        more_cpu, more_memory = pod.requests.get("cpu", 0), pod.requests.get("memory", 0)
        after = balance(cpu + more_cpu, cpu_room, memory + more_memory, memory_room)
        return HALF + (HALF + after - before) // 2

    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector:
        cpu, memory = columns.requested("cpu"), columns.requested("memory")
        before = _balance(columns, cpu, memory)
        after = _balance(columns, cpu + pod.requests.get("cpu", 0), memory + pod.requests.get("memory", 0))
        return (after - before + HALF) // 2 + HALF


def _balance(columns: NodeColumns, cpu: Vector, memory: Vector) -> Vector:
    """`balance` for all rows."""
    backend = columns.backend
    cpu_room, memory_room = columns.allocatable("cpu"), columns.allocatable("memory")
    known = (cpu_room > 0) & (memory_room > 0)
    cpu_share = backend.at_most(cpu / backend.where(known, cpu_room, 1), 1.0)
    memory_share = backend.at_most(memory / backend.where(known, memory_room, 1), 1.0)
    score = backend.truncate((1 - backend.distance(cpu_share, memory_share) / 2) * MAX_NODE_SCORE)
    return backend.where(known, score, MAX_NODE_SCORE)
