"""A histogram as plain numbers: an observation costs a bisection; a scrape makes a Prometheus family of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

__all__ = ["Histogram", "exponential"]


def exponential(first: float, factor: float, count: int) -> tuple[float, ...]:
    """Upper bounds that grow by a factor."""
    return tuple(first * factor**i for i in range(count))


class Histogram:
    """Counts of values up to each of `bounds` (ascending), and beyond them."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        return sum(self._counts)

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bounds as text, with how many values lie at or below: what `HistogramMetricFamily` takes."""
        names = (*(str(float(bound)) for bound in self._bounds), "+Inf")
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))
