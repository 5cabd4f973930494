"""Columns of numbers: numpy where it is installed, and the same few operations in plain Python where it is not.

Code above this module writes `(used + wanted) <= room` once, for either. Plain vectors cost about a hundred times as
much per element, which a cluster of a few hundred nodes does not notice.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol, cast

__all__ = ["PLAIN", "Backend", "Vector", "backend_for", "numpy_backend"]

PLAIN_SIZE_MAX = 64
"""Up to here plain vectors are no slower, and numpy need not be loaded, which takes a tenth of a second."""

Number = int | float | bool


class Vector(Protocol):
    """A column of equal things: ints, floats or bools. Operators work element by element."""

    def __len__(self) -> int: ...
    def __getitem__(self, row: int) -> Any: ...
    def __setitem__(self, row: int, value: Number) -> None: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __add__(self, other: Vector | Number) -> Vector: ...
    def __sub__(self, other: Vector | Number) -> Vector: ...
    def __rsub__(self, other: Number) -> Vector: ...
    def __mul__(self, other: Vector | Number) -> Vector: ...
    def __floordiv__(self, other: Vector | Number) -> Vector: ...
    def __truediv__(self, other: Vector | Number) -> Vector: ...
    def __and__(self, other: Vector) -> Vector: ...
    def __or__(self, other: Vector) -> Vector: ...
    def __invert__(self) -> Vector: ...
    def __lt__(self, other: Vector | Number) -> Vector: ...
    def __le__(self, other: Vector | Number) -> Vector: ...
    def __gt__(self, other: Vector | Number) -> Vector: ...
    def __ge__(self, other: Vector | Number) -> Vector: ...
    def copy(self) -> Vector: ...


class Backend(Protocol):
    """How vectors are made, and what is done with them beyond operators."""

    def ints(self, size: int) -> Vector:
        """Zeros."""

    def bools(self, size: int, value: bool = False) -> Vector: ...

    def grow(self, vector: Vector, size: int) -> Vector:
        """The same, with zeros up to `size`."""

    def take(self, table: Sequence[Number] | Vector, codes: Vector) -> Vector:
        """For each code the table's entry."""

    def where(self, mask: Vector, yes: Vector | Number, no: Vector | Number) -> Vector: ...

    def at_most(self, vector: Vector, limit: float) -> Vector: ...

    def distance(self, a: Vector, b: Vector) -> Vector:
        """The absolute difference."""

    def root(self, vector: Vector) -> Vector:
        """The square root."""

    def truncate(self, vector: Vector) -> Vector:
        """Floats to ints, towards zero."""

    def sums(self, codes: Vector, amounts: Vector, size: int) -> Vector:
        """For each code below `size` the sum of the amounts that stand where the code does."""

    def span(self, vector: Vector, mask: Vector) -> tuple[int, int]:
        """The smallest and the largest element where the mask is true; zeros where it nowhere is."""

    def distinct(self, codes: Vector, mask: Vector) -> int:
        """How many different codes there are where the mask is true."""

    def count(self, mask: Vector) -> int: ...

    def any(self, mask: Vector) -> bool: ...

    def maximum(self, vector: Vector) -> int:
        """The largest element; 0 of nothing."""

    def rows(self, mask: Vector) -> list[int]:
        """Where the mask is true."""

    def first(self, mask: Vector) -> int:
        """The first row where the mask is true; -1 where it nowhere is."""

    def best(self, vector: Vector) -> list[int]:
        """Where the largest element stands; empty where that is below zero."""

    def one_of_best(self, vector: Vector, chance: Callable[[], float]) -> int:
        """One of `best`, by a number from 0 to 1; -1 where there is none. No chance is taken where there is one."""


class _Plain(list[Any]):
    """A vector in plain Python."""

    __slots__ = ()

    def _with(self, act: Callable[[Any, Any], Any], other: Any) -> _Plain:
        if isinstance(other, list):
            return _Plain(map(act, self, other))
        return _Plain([act(value, other) for value in self])

    def __add__(self, other: Any) -> _Plain:
        return self._with(operator.add, other)

    def __sub__(self, other: Any) -> _Plain:
        return self._with(operator.sub, other)

    def __rsub__(self, other: Any) -> _Plain:
        return _Plain([other - value for value in self])

    def __mul__(self, other: Any) -> _Plain:
        return self._with(operator.mul, other)

    def __floordiv__(self, other: Any) -> _Plain:
        return self._with(operator.floordiv, other)

    def __truediv__(self, other: Any) -> _Plain:
        return self._with(operator.truediv, other)

    def __and__(self, other: Any) -> _Plain:
        return self._with(operator.and_, other)

    def __or__(self, other: Any) -> _Plain:
        return self._with(operator.or_, other)

    def __invert__(self) -> _Plain:
        return _Plain([not value for value in self])

    def __lt__(self, other: Any) -> _Plain:  # type: ignore[override]
        return self._with(operator.lt, other)

    def __le__(self, other: Any) -> _Plain:  # type: ignore[override]
        return self._with(operator.le, other)

    def __gt__(self, other: Any) -> _Plain:  # type: ignore[override]
        return self._with(operator.gt, other)

    def __ge__(self, other: Any) -> _Plain:  # type: ignore[override]
        return self._with(operator.ge, other)

    def copy(self) -> _Plain:
        return _Plain(self)


def _spread(value: Any, size: int) -> Sequence[Any]:
    return value if isinstance(value, list) else [value] * size


class PlainBackend:
    """Vectors as lists."""

    def ints(self, size: int) -> Vector:
        return cast(Vector, _Plain([0] * size))

    def bools(self, size: int, value: bool = False) -> Vector:
        return cast(Vector, _Plain([value] * size))

    def grow(self, vector: Vector, size: int) -> Vector:
        plain = cast(_Plain, vector)
        zero = False if len(plain) and isinstance(plain[0], bool) else 0
        return cast(Vector, _Plain([*plain, *[zero] * (size - len(plain))]))

    def take(self, table: Sequence[Number] | Vector, codes: Vector) -> Vector:
        return cast(Vector, _Plain([table[code] for code in codes]))

    def where(self, mask: Vector, yes: Vector | Number, no: Vector | Number) -> Vector:
        size = len(mask)
        return cast(
            Vector, _Plain([y if m else n for m, y, n in zip(mask, _spread(yes, size), _spread(no, size), strict=True)])
        )

    def at_most(self, vector: Vector, limit: float) -> Vector:
        return cast(Vector, _Plain([min(value, limit) for value in vector]))

    def distance(self, a: Vector, b: Vector) -> Vector:
        return cast(Vector, _Plain([abs(x - y) for x, y in zip(a, b, strict=True)]))

    def root(self, vector: Vector) -> Vector:
        return cast(Vector, _Plain([math.sqrt(value) for value in vector]))

    def truncate(self, vector: Vector) -> Vector:
        return cast(Vector, _Plain([math.trunc(value) for value in vector]))

    def sums(self, codes: Vector, amounts: Vector, size: int) -> Vector:
        totals = _Plain([0] * size)
        for code, amount in zip(codes, amounts, strict=True):
            totals[code] += amount
        return cast(Vector, totals)

    def span(self, vector: Vector, mask: Vector) -> tuple[int, int]:
        values = [value for value, wanted in zip(vector, mask, strict=True) if wanted]
        return (min(values), max(values)) if values else (0, 0)

    def distinct(self, codes: Vector, mask: Vector) -> int:
        return len({code for code, wanted in zip(codes, mask, strict=True) if wanted})

    def count(self, mask: Vector) -> int:
        return sum(mask)

    def any(self, mask: Vector) -> bool:
        return any(mask)

    def maximum(self, vector: Vector) -> int:
        return max(vector, default=0)

    def rows(self, mask: Vector) -> list[int]:
        return [row for row, value in enumerate(mask) if value]

    def first(self, mask: Vector) -> int:
        return next((row for row, value in enumerate(mask) if value), -1)

    def best(self, vector: Vector) -> list[int]:
        top = max(vector, default=-1)
        return [row for row, value in enumerate(vector) if value == top] if top >= 0 else []

    def one_of_best(self, vector: Vector, chance: Callable[[], float]) -> int:
        rows = self.best(vector)
        return rows[0 if len(rows) == 1 else int(chance() * len(rows))] if rows else -1


class NumpyBackend:
    """Vectors as numpy arrays; the module is an extra, given to the constructor by `numpy_backend`."""

    def __init__(self, numpy: Any) -> None:
        self._numpy = numpy

    def ints(self, size: int) -> Vector:
        return cast(Vector, self._numpy.zeros(size, self._numpy.int64))

    def bools(self, size: int, value: bool = False) -> Vector:
        return cast(Vector, self._numpy.full(size, value, self._numpy.bool_))

    def grow(self, vector: Vector, size: int) -> Vector:
        array = self._numpy.asarray(vector)
        grown = self._numpy.zeros(size, array.dtype)
        grown[: len(array)] = array
        return cast(Vector, grown)

    def take(self, table: Sequence[Number] | Vector, codes: Vector) -> Vector:
        return cast(Vector, self._numpy.asarray(table)[cast(Any, codes)])

    def where(self, mask: Vector, yes: Vector | Number, no: Vector | Number) -> Vector:
        return cast(Vector, self._numpy.where(cast(Any, mask), cast(Any, yes), cast(Any, no)))

    def at_most(self, vector: Vector, limit: float) -> Vector:
        return cast(Vector, self._numpy.minimum(cast(Any, vector), limit))

    def distance(self, a: Vector, b: Vector) -> Vector:
        return cast(Vector, self._numpy.abs(cast(Any, a) - cast(Any, b)))

    def root(self, vector: Vector) -> Vector:
        return cast(Vector, self._numpy.sqrt(cast(Any, vector)))

    def truncate(self, vector: Vector) -> Vector:
        return cast(Vector, cast(Any, vector).astype(self._numpy.int64))

    def sums(self, codes: Vector, amounts: Vector, size: int) -> Vector:
        totals = self._numpy.bincount(cast(Any, codes), weights=cast(Any, amounts), minlength=size)
        return cast(Vector, totals.astype(self._numpy.int64))

    def span(self, vector: Vector, mask: Vector) -> tuple[int, int]:
        values = cast(Any, vector)[cast(Any, mask)]
        return (int(values.min()), int(values.max())) if len(values) else (0, 0)

    def distinct(self, codes: Vector, mask: Vector) -> int:
        return int(self._numpy.count_nonzero(self._numpy.bincount(cast(Any, codes)[cast(Any, mask)])))

    def count(self, mask: Vector) -> int:
        return int(self._numpy.count_nonzero(cast(Any, mask)))

    def any(self, mask: Vector) -> bool:
        return bool(cast(Any, mask).any())

    def maximum(self, vector: Vector) -> int:
        return int(cast(Any, vector).max()) if len(vector) else 0

    def rows(self, mask: Vector) -> list[int]:
        rows: list[int] = cast(Any, mask).nonzero()[0].tolist()
        return rows

    def first(self, mask: Vector) -> int:
        row = int(cast(Any, mask).argmax()) if len(mask) else -1
        return row if row >= 0 and mask[row] else -1

    def best(self, vector: Vector) -> list[int]:
        array = cast(Any, vector)
        if not len(array):
            return []
        top = array.max()
        return self.rows(array == top) if top >= 0 else []

    def one_of_best(self, vector: Vector, chance: Callable[[], float]) -> int:
        array = cast(Any, vector)
        top = array[array.argmax()] if len(array) else -1  # quicker than max()
        if top < 0:
            return -1
        rows = (array == top).nonzero()[0]
        return int(rows[0 if len(rows) == 1 else int(chance() * len(rows))])


PLAIN: Backend = PlainBackend()


@cache
def numpy_backend() -> Backend | None:
    """The fast one, where numpy is installed."""
    if find_spec("numpy") is None:
        return None
    import numpy

    return NumpyBackend(numpy)


def backend_for(size: int) -> Backend:
    """The better of the two for vectors of this length."""
    return PLAIN if size <= PLAIN_SIZE_MAX else numpy_backend() or PLAIN
