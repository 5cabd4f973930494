"""Sets of job indexes in writing: `1,3-5,7`."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["IndexesError", "count_indexes", "overlap"]

_INDEX_LENGTH_MAX = 19
_is_integer = re.compile(r"[+-]?[0-9]+").fullmatch


class IndexesError(ValueError):
    """Text that is no set of indexes of the job; the message is upstream's."""


def count_indexes(text: str, completions: int) -> int:
    """How many indexes there are. They must be in order, apart, and below `completions`."""
    total = 0
    last: int | None = None
    for first, end in _intervals(text, completions):
        if last is not None and last >= first:
            raise IndexesError(f"non-increasing order, previous: {last}, current: {first}")
        total += end - first + 1
        last = end
    return total


def overlap(a: str, b: str, completions: int) -> int | None:
    """The first index that both sets have."""
    try:
        ours, theirs = list(_intervals(a, completions)), list(_intervals(b, completions))
    except IndexesError:
        return None
    shared = [max(x, u) for x, y in ours for u, v in theirs if x <= v and u <= y]
    return min(shared, default=None)


def _intervals(text: str, completions: int) -> Iterator[tuple[int, int]]:
    if not text:
        return
    for part in text.split(","):
        limits = part.split("-")
        if len(limits) > 2:
            rule = "an index interval can have at most two parts separated by '-'"
            raise IndexesError(f'the fragment "{part}" violates the requirement that {rule}')
        first = _index(limits[0])
        if first >= completions:
            raise IndexesError(f'too large index: "{limits[0]}"')
        end = first
        if len(limits) == 2:
            end = _index(limits[1])
            if end >= completions:
                raise IndexesError(f'too large index: "{limits[1]}"')
            if first >= end:
                raise IndexesError(f"non-increasing order, previous: {first}, current: {end}")
        yield first, end


def _index(text: str) -> int:
    if not _is_integer(text) or len(text) > _INDEX_LENGTH_MAX:
        raise IndexesError(f'cannot convert string to integer for index: "{text}"')
    return int(text)
