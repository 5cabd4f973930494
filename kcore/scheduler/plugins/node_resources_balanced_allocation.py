"""Nodes are preferred whose resources would fill up evenly, measured by what the pod changes about that."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence

from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.config.args import NodeResourcesBalancedAllocationArgs
from kcore.scheduler.framework import MAX_NODE_SCORE, SKIP, CycleState, Status
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import Vector

__all__ = ["NodeResourcesBalancedAllocation", "balance"]

HALF = MAX_NODE_SCORE // 2
NATIVE = ("cpu", "memory", "ephemeral-storage")


def balance(taken: Iterable[tuple[int, int]]) -> int:
    """100 where the same share of all resources is taken; less by the standard deviation of the shares.

    Each resource comes as (requested, allocatable); those of which there is nothing do not count.
    """
    shares = [min(requested / room, 1.0) for requested, room in taken if room]
    return int((1 - _deviation(shares)) * MAX_NODE_SCORE)


def _deviation(shares: Sequence[float]) -> float:
    if len(shares) < 2:
        return 0.0
    if len(shares) == 2:
        return abs(shares[0] - shares[1]) / 2
    mean = sum(shares) / len(shares)
    return math.sqrt(sum((share - mean) * (share - mean) for share in shares) / len(shares))


class NodeResourcesBalancedAllocation:
    name = "NodeResourcesBalancedAllocation"

    def __init__(self, args: NodeResourcesBalancedAllocationArgs | None = None) -> None:
        args = args or NodeResourcesBalancedAllocationArgs()
        self._resources = tuple([resource.name for resource in args.resources])

    def sign(self, pod: PodInfo) -> Hashable:
        return tuple([pod.requests.get(resource, 0) for resource in self._resources])

    def pre_score(self, state: CycleState, pod: PodInfo, columns: NodeColumns, feasible: Vector) -> Status | None:
        """A pod that requests none of the resources changes no balance."""
        return None if any(pod.requests.get(resource) for resource in self._resources) else SKIP

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        taken = [
            (node.requested.get(resource, 0), pod.requests.get(resource, 0), node.allocatable.get(resource, 0))
            for resource in self._counted(pod)
        ]
        before = balance((requested, room) for requested, _, room in taken)
        after = balance((requested + more, room) for requested, more, room in taken)
        return HALF + (HALF + after - before) // 2

    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector:
        resources = list(self._counted(pod))
        before = _balance(columns, resources, [0] * len(resources))
        after = _balance(columns, resources, [pod.requests.get(resource, 0) for resource in resources])
        return (after - before + HALF) // 2 + HALF

    def _counted(self, pod: PodInfo) -> Iterable[str]:
        """Extended resources count only for pods that request them."""
        return [resource for resource in self._resources if resource in NATIVE or pod.requests.get(resource)]


def _balance(columns: NodeColumns, resources: Sequence[str], more: Sequence[int]) -> Vector:
    """`balance` for all rows."""
    backend = columns.backend
    rooms = [columns.allocatable(resource) for resource in resources]
    shares = []
    for resource, extra, room in zip(resources, more, rooms, strict=True):
        share = backend.at_most((columns.requested(resource) + extra) / backend.where(room > 0, room, 1), 1.0)
        shares.append(backend.where(room > 0, share, 0.0))
    if len(shares) == 2:
        both = (rooms[0] > 0) & (rooms[1] > 0)
        deviation = backend.where(both, backend.distance(shares[0], shares[1]) / 2, 0.0)
    else:
        deviation = _deviations(columns, rooms, shares)
    return backend.truncate((1 - deviation) * MAX_NODE_SCORE)


def _deviations(columns: NodeColumns, rooms: Sequence[Vector], shares: Sequence[Vector]) -> Vector:
    """The standard deviation of the shares of those resources that a node has."""
    backend = columns.backend
    counts = backend.ints(columns.size)
    total = counts * 0.0
    for room, share in zip(rooms, shares, strict=True):
        counts, total = backend.where(room > 0, counts + 1, counts), total + share
    divisor = backend.where(counts > 0, counts, 1)
    mean, squares = total / divisor, counts * 0.0
    for room, share in zip(rooms, shares, strict=True):
        away = share - mean
        squares = backend.where(room > 0, squares + away * away, squares)
    return backend.where(counts > 1, backend.root(squares / divisor), 0.0)
