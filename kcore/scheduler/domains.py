"""How many pods there are in each domain of a topology: the nodes with the same value of one label.

Sums by domain are kept with what each row has contributed, so that a row that changes is put right in constant time.
`levels` counts how many domains have how many pods; the emptiest domain is found among them, of which there are few,
and not among the domains, of which there are as many as nodes where each node is one.
"""

from __future__ import annotations

from collections import Counter

from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.vector import Vector

__all__ = ["Domains"]


class Domains:
    """Sums of one quantity. Only `counted` rows that have the label contribute."""

    def __init__(self, columns: NodeColumns, topology_key: str, counted: Vector, amounts: Vector) -> None:
        self.column = columns.label(topology_key)
        self._backend = backend = columns.backend
        self._codes = self.column.codes.copy()
        self._counted = counted & (self._codes > 0)
        self._amounts = backend.where(self._counted, amounts, 0)
        size = len(self.column.values)
        self._sums = backend.sums(self._codes, self._amounts, size)
        self._nodes = backend.sums(self._codes, backend.where(self._counted, 1, 0), size)
        occupied = backend.rows(self._nodes > 0)
        self._levels = Counter(int(self._sums[code]) for code in occupied)
        self.count = len(occupied)
        """How many domains there are."""
        self.total = sum(int(self._sums[code]) for code in occupied)
        """The sum of all."""

    def put(self, row: int, counted: bool, amount: int) -> None:
        """A row contributes otherwise than before."""
        if self._counted[row]:
            self._add(int(self._codes[row]), -1, -int(self._amounts[row]))
        code = int(self.column.codes[row])
        counted = counted and code > 0
        self._codes[row], self._counted[row] = code, counted
        self._amounts[row] = amount if counted else 0
        if counted:
            self._add(code, 1, amount)

    def amount(self, row: int) -> int:
        """What a row contributes."""
        return int(self._amounts[row])

    @property
    def amounts(self) -> Vector:
        """What each row contributes."""
        return self._amounts

    def is_counted(self, row: int) -> bool:
        return bool(self._counted[row])

    def has_label(self, row: int) -> bool:
        return bool(self.column.codes[row])

    def sum(self, row: int) -> int:
        """The sum of a row's domain."""
        code = int(self.column.codes[row])
        return int(self._sums[code]) if 0 < code < len(self._sums) else 0

    def sums(self) -> Vector:
        """For each row the sum of its domain; 0 for those in none."""
        self._reach(len(self.column.values) - 1)
        return self._backend.take(self._sums, self.column.codes)

    def least(self, row: int = -1, change: int = 0) -> int:
        """The sum of the emptiest domain, perhaps as it would be if the row contributed so much more."""
        if not change:
            return min(self._levels, default=0)
        code = int(self._codes[row])
        self._add(code, 0, change)
        least = min(self._levels, default=0)
        self._add(code, 0, -change)
        return least

    def _add(self, code: int, nodes: int, amount: int) -> None:
        self._reach(code)
        if self._nodes[code]:
            self._move(int(self._sums[code]), -1)
        self._nodes[code] = int(self._nodes[code]) + nodes
        self._sums[code] = int(self._sums[code]) + amount
        self.total += amount
        if self._nodes[code]:
            self._move(int(self._sums[code]), 1)

    def _move(self, level: int, change: int) -> None:
        self.count += change
        left = self._levels[level] + change
        if left:
            self._levels[level] = left
        else:
            del self._levels[level]

    def _reach(self, code: int) -> None:
        """Have room for a value that was not known before."""
        if code >= len(self._sums):
            size = max(code + 1, 2 * len(self._sums))
            self._sums, self._nodes = self._backend.grow(self._sums, size), self._backend.grow(self._nodes, size)
