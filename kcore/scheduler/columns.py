"""The nodes of the cluster as columns: one row a node, one vector a property.

A row keeps its place for the life of its node. `changes` lists the rows that changed, in order, so that a result
worked out at one length of it is mended by looking again at the rows that came after.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

from kcore.api.core_v1 import Taint
from kcore.scheduler.affinity_term import AffinityTerm
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import Kin
from kcore.scheduler.tally import Tally
from kcore.scheduler.vector import Backend, Vector, backend_for

__all__ = ["Categories", "NodeColumns"]

C = TypeVar("C", bound=Hashable)

FIRST_SIZE = 64
MOST_CHANGES = 200_000


class Categories(Generic[C]):
    """A column of values of which there are few: each row holds the number of its value."""

    def __init__(self, backend: Backend, size: int, empty: C) -> None:
        self._backend = backend
        self.values: list[C] = [empty]
        self._numbers: dict[C, int] = {empty: 0}
        self.codes = backend.ints(size)

    def grow(self, backend: Backend, size: int) -> None:
        self._backend = backend
        self.codes = backend.grow(self.codes, size)

    def set(self, row: int, value: C) -> None:
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.values)
            self.values.append(value)
        self.codes[row] = number

    def match(self, predicate: Callable[[C], bool]) -> Vector:
        """The rows for whose value the predicate holds; it is asked once for each value."""
        return self._backend.take([predicate(value) for value in self.values], self.codes)

    def count(self, function: Callable[[C], int]) -> Vector:
        """A number for each row by its value."""
        return self._backend.take([function(value) for value in self.values], self.codes)

    def any_of(self, wanted: Iterable[C]) -> Vector:
        """The rows that hold one of the wanted values."""
        table = [False] * len(self.values)
        for value in wanted:
            number = self._numbers.get(value)
            if number is not None:
                table[number] = True
        return self._backend.take(table, self.codes)


class NodeColumns:
    """All nodes. Only the cache writes; plugins read. `choose` gives the backend for a number of rows."""

    def __init__(self, choose: Callable[[int], Backend] = backend_for) -> None:
        self._choose = choose
        self.backend = backend = choose(FIRST_SIZE)
        self.size = FIRST_SIZE
        self.alive = backend.bools(FIRST_SIZE)
        self.unschedulable = backend.bools(FIRST_SIZE)
        self.pods = backend.ints(FIRST_SIZE)
        self.nonzero_cpu = backend.ints(FIRST_SIZE)
        self.nonzero_memory = backend.ints(FIRST_SIZE)
        self.taints: Categories[tuple[Taint, ...]] = Categories(backend, FIRST_SIZE, ())
        self.nodes: list[NodeInfo | None] = [None] * FIRST_SIZE
        self.rows: dict[str, int] = {}
        """The row of each living node by its name."""
        self.kins: Tally[Kin] = Tally()
        self.terms: Tally[AffinityTerm] = Tally()
        self.claims: Tally[str] = Tally()
        self.images: dict[str, int] = {}
        """How many nodes have an image, by each of its names."""
        self.images_version = 0
        self.changes: list[int] = []
        self.epoch = 0
        """Counts how often `changes` began anew."""
        self.count = 0
        self._allocatable: dict[str, Vector] = {}
        self._requested: dict[str, Vector] = {}
        self._labels: dict[str, Categories[str | None]] = {}
        self._free = list(range(FIRST_SIZE - 1, -1, -1))

    def allocatable(self, resource: str) -> Vector:
        """How much of a resource each node has."""
        vector = self._allocatable.get(resource)
        if vector is None:
            vector = self._allocatable[resource] = self.backend.ints(self.size)
            for node in self._living():
                vector[node.row] = node.allocatable.get(resource, 0)
        return vector

    def requested(self, resource: str) -> Vector:
        """How much of a resource the pods of each node have requested."""
        vector = self._requested.get(resource)
        if vector is None:
            vector = self._requested[resource] = self.backend.ints(self.size)
            for node in self._living():
                vector[node.row] = node.requested.get(resource, 0)
        return vector

    def label(self, key: str) -> Categories[str | None]:
        """The values of a label; None where a node has none."""
        column = self._labels.get(key)
        if column is None:
            column = self._labels[key] = Categories(self.backend, self.size, None)
            for node in self._living():
                assert node.node is not None
                column.set(node.row, node.node.metadata.labels.get(key))
        return column

    def node(self, row: int) -> NodeInfo:
        """The node of a living row."""
        node = self.nodes[row]
        assert node is not None
        return node

    def claim(self) -> int:
        """A row for a new node."""
        if not self._free:
            self._grow()
        return self._free.pop()

    def free(self, row: int) -> None:
        """The row's node is gone."""
        if self.alive[row]:
            self.count -= 1
        self.alive[row] = False
        node = self.nodes[row]
        if node is not None:
            self.rows.pop(node.name, None)
        self.nodes[row] = None
        self._free.append(row)
        self._changed(row)

    def describe(self, info: NodeInfo) -> None:
        """Write what a node is: its object has changed."""
        node, row = info.node, info.row
        assert node is not None
        if not self.alive[row]:
            self.count += 1
        self.nodes[row] = info
        self.rows[info.name] = row
        self.alive[row] = True
        self.unschedulable[row] = node.spec.unschedulable
        self.taints.set(row, node.spec.taints)
        for resource, vector in self._allocatable.items():
            vector[row] = info.allocatable.get(resource, 0)
        for key, column in self._labels.items():
            column.set(row, node.metadata.labels.get(key))
        self.recount(info)

    def recount(self, info: NodeInfo) -> None:
        """Write what the pods of a node have taken."""
        row, requested = info.row, info.requested
        self.pods[row] = len(info.pods)
        self.nonzero_cpu[row] = info.nonzero_cpu
        self.nonzero_memory[row] = info.nonzero_memory
        for resource, vector in self._requested.items():
            vector[row] = requested.get(resource, 0)
        self._changed(row)

    def _living(self) -> Iterable[NodeInfo]:
        return [node for row, node in enumerate(self.nodes) if node is not None and self.alive[row]]

    def count_images(self, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """The images of a node are others than before."""
        if before == after:
            return
        self.images_version += 1
        for image in before.keys() - after.keys():
            self.images[image] -= 1
            if not self.images[image]:
                del self.images[image]
        for image in after.keys() - before.keys():
            self.images[image] = self.images.get(image, 0) + 1

    def invalidate(self) -> None:
        """Something has changed that concerns all rows."""
        self.changes.clear()
        self.epoch += 1

    def _changed(self, row: int) -> None:
        if len(self.changes) >= MOST_CHANGES:
            self.invalidate()
        self.changes.append(row)

    def _grow(self) -> None:
        old, size = self.size, self.size * 2
        self.backend = backend = self._choose(size)
        grow = backend.grow
        self.alive, self.unschedulable = grow(self.alive, size), grow(self.unschedulable, size)
        self.pods = grow(self.pods, size)
        self.nonzero_cpu, self.nonzero_memory = grow(self.nonzero_cpu, size), grow(self.nonzero_memory, size)
        for vectors in (self._allocatable, self._requested):
            for resource, vector in vectors.items():
                vectors[resource] = grow(vector, size)
        self.taints.grow(backend, size)
        for column in self._labels.values():
            column.grow(backend, size)
        self.nodes.extend([None] * (size - old))
        self._free = list(range(size - 1, old - 1, -1))
        self.size = size
        self.invalidate()
