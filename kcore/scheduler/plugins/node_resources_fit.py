"""A node must have room for what a pod requests; which of those that have it are preferred, a strategy says.

LeastAllocated             the emptier the node would be, the better
MostAllocated              the fuller, the better
RequestedToCapacityRatio   a shape gives the score of each utilization
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

from kcore.api.core_v1 import Node, Pod
from kcore.api.object import Object
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.config.args import NodeResourcesFitArgs, ShapePoint
from kcore.scheduler.framework import MAX_NODE_SCORE, ClusterEvent, CycleState, Hint, Refusal, Status, unresolvable
from kcore.scheduler.framework import unschedulable as refused
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import Vector

__all__ = ["Insufficient", "NodeResourcesFit", "insufficient", "least_requested", "most_requested", "shape_table"]

TOO_MANY_PODS = "Too many pods"
MOST_UTILIZATION = 100
SHAPE_SCALE = 10
"""Scores of a shape run from 0 to 10."""
NATIVE = ("cpu", "memory", "ephemeral-storage", "pods")


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


def most_requested(requested: int, allocatable: int) -> int:
    """0 for an empty node to 100 for a full one, or one that would be overfull."""
    return min(requested, allocatable) * MAX_NODE_SCORE // allocatable if allocatable else 0


def shape_table(shape: Sequence[ShapePoint]) -> list[int]:
    """The score of each utilization from 0 to 100: straight lines between the points of a shape, level beyond them."""
    scaled = [ShapePoint(point.utilization, point.score * (MAX_NODE_SCORE // SHAPE_SCALE)) for point in shape]
    return [_on_shape(scaled, utilization) for utilization in range(MOST_UTILIZATION + 1)]


def _on_shape(shape: Sequence[ShapePoint], utilization: int) -> int:
    for before, point in zip((None, *shape), shape, strict=False):
        if utilization <= point.utilization:
            if before is None:
                return point.score
            rise, run = point.score - before.score, point.utilization - before.utilization
            return before.score + int(rise * (utilization - before.utilization) / run)
    return shape[-1].score


class NodeResourcesFit:
    name = "NodeResourcesFit"

    def __init__(self, args: NodeResourcesFitArgs | None = None, cache: SchedulerCache | None = None) -> None:
        args = args or NodeResourcesFitArgs()
        self._cache = cache
        strategy = args.scoring_strategy
        self._ignored = frozenset(args.ignored_resources)
        self._ignored_groups = frozenset(args.ignored_resource_groups)
        self._resources = {resource.name: resource.weight for resource in strategy.resources}
        self._strategy = strategy.type
        self._by_strategy = most_requested if strategy.type == "MostAllocated" else least_requested
        ratio = strategy.requested_to_capacity_ratio
        self._table = shape_table(ratio.shape) if ratio is not None else []

    def sign(self, pod: PodInfo) -> Hashable:
        return (tuple(sorted(pod.requests.items())), pod.nonzero_cpu, pod.nonzero_memory)

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        found = insufficient(self.demand(pod), node)
        if not found:
            return None
        reasons = tuple(one.reason for one in found)
        return unresolvable(*reasons) if any(one.never for one in found) else refused(*reasons)

    def filter_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Iterable[Refusal]:
        yield Refusal(columns.pods + 1 > columns.allocatable("pods"), TOO_MANY_PODS)
        for resource, wanted in self.demand(pod).items():
            if wanted <= 0:
                continue
            room, reason = columns.allocatable(resource), f"Insufficient {resource}"
            lacking = room - columns.requested(resource) < wanted
            never = room < wanted
            yield Refusal(lacking & ~never, reason)
            yield Refusal(lacking & never, reason, unresolvable=True)

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        total = weights = 0
        for resource, weight in self._scored(pod):
            room = node.allocatable.get(resource, 0)
            score = self._score(_taken(resource, node) + _more(resource, pod), room) if room else 0
            if room and (score or not self._table):
                total += score * weight
                weights += weight
        return self._average(total, weights)

    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector:
        backend = columns.backend
        total = weights = backend.ints(columns.size)
        for resource, weight in self._scored(pod):
            room = columns.allocatable(resource)
            known = room > 0
            scores = self._scores(_taken_rows(resource, columns) + _more(resource, pod), room, columns)
            counted = known & (scores > 0) if self._table else known
            total = backend.where(counted, total + scores * weight, total)
            weights = backend.where(counted, weights + weight, weights)
        divisor = backend.where(weights > 0, weights, 1)
        # Rounded half up with a shape, else rounded down.
        return (total * 2 + divisor) // (divisor * 2) if self._table else total // divisor

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {
            ClusterEvent.NODE_ADDED: self._has_room,
            ClusterEvent.NODE_ALLOCATABLE: self._has_room,
            ClusterEvent.POD_UPDATED | ClusterEvent.POD_DELETED: self._left_room,
        }

    def _scored(self, pod: PodInfo) -> Iterable[tuple[str, int]]:
        """The resources that count for a pod's score; extended ones only where it requests them."""
        for resource, weight in self._resources.items():
            if resource in NATIVE or pod.requests.get(resource):
                yield resource, weight

    def _score(self, requested: int, room: int) -> int:
        if self._table:
            return self._table[requested * MOST_UTILIZATION // room if requested <= room else MOST_UTILIZATION]
        return self._by_strategy(requested, room)

    def _scores(self, requested: Vector, room: Vector, columns: NodeColumns) -> Vector:
        """`_score` for all rows."""
        backend = columns.backend
        divisor = backend.where(room > 0, room, 1)
        fitting = backend.where(requested > room, room, requested)
        if self._table:
            return backend.where(room > 0, backend.take(self._table, fitting * MOST_UTILIZATION // divisor), 0)
        if self._strategy != "MostAllocated":
            fitting = room - fitting
        return fitting * MAX_NODE_SCORE // divisor

    def _average(self, total: int, weights: int) -> int:
        if not weights:
            return 0
        return (total * 2 + weights) // (weights * 2) if self._table else total // weights

    def demand(self, pod: PodInfo) -> Mapping[str, int]:
        """The requests that count: extended resources may be left to an extender."""
        requests = pod.requests
        if not self._ignored and not self._ignored_groups:
            return requests
        return {
            name: value
            for name, value in requests.items()
            if "/" not in name or not (name in self._ignored or name.partition("/")[0] in self._ignored_groups)
        }

    def _has_room(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        """Whether the node would do if it were empty."""
        if not isinstance(new, Node):
            return True
        empty = NodeInfo(new.metadata.name, -1)
        empty.set_node(new)
        return not insufficient(self.demand(pod), empty)

    def _left_room(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        """Whether there is room now on the node that another pod has left, or on which it has become smaller."""
        node = self._cache.get(old.spec.node_name) if self._cache is not None and isinstance(old, Pod) else None
        if node is None:
            return True
        if pod.uid in node.ghosts:  # the room is kept for this very pod
            node = node.copy()
            node.remove(pod.uid)
        return not insufficient(self.demand(pod), node)


def _more(resource: str, pod: PodInfo) -> int:
    """What a pod adds to a resource, as far as scores go: containers that say nothing count for a little."""
    match resource:
        case "cpu":
            return pod.nonzero_cpu
        case "memory":
            return pod.nonzero_memory
    return pod.requests.get(resource, 0)


def _taken(resource: str, node: NodeInfo) -> int:
    match resource:
        case "cpu":
            return node.nonzero_cpu
        case "memory":
            return node.nonzero_memory
    return node.requested.get(resource, 0)


def _taken_rows(resource: str, columns: NodeColumns) -> Vector:
    """`_taken` for all rows."""
    match resource:
        case "cpu":
            return columns.nonzero_cpu
        case "memory":
            return columns.nonzero_memory
    return columns.requested(resource)
