"""Lists: Kubernetes' own functions (sum, min, isSorted, ...) and cel-go's extensions, version 3 (sort, flatten)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from itertools import pairwise
from typing import Any

from kcore.cel.arithmetic import OPERATIONS
from kcore.cel.errors import EvaluationError, no_such_overload
from kcore.cel.functions import Overload, function, method
from kcore.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    Type,
    list_of,
    optional_of,
    parameter,
)
from kcore.cel.values import NONE, Duration, Optional, UInt, equal

__all__ = ["LISTS"]

_A = parameter("A")
_RANGE_MAX = 100_000


def _is_sorted(items: list[Any]) -> bool:
    return all(not b < a for a, b in pairwise(items))


def _extreme(name: str, pick: Any) -> Any:
    def run(items: list[Any]) -> Any:
        if not items:
            raise EvaluationError(f"{name} called on empty list")
        return pick(items)

    return run


def _sum_of(zero: Any, operation: str) -> Any:
    add = OPERATIONS[operation]
    return lambda items: reduce(add, items, zero)


def _index_of(items: list[Any], wanted: Any) -> int:
    return next((i for i, item in enumerate(items) if equal(item, wanted)), -1)


def _last_index_of(items: list[Any], wanted: Any) -> int:
    return next((i for i in range(len(items) - 1, -1, -1) if equal(items[i], wanted)), -1)


def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise EvaluationError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise EvaluationError(f"cannot slice({start}, {end}), start index must be less than or equal to end index")
    if end > len(items):
        raise EvaluationError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return items[start:end]


def _flatten(items: list[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    while depth > 0 and any(isinstance(item, list) for item in items):
        items = [each for item in items for each in (item if isinstance(item, list) else (item,))]
        depth -= 1
    return items


def _sort(items: list[Any]) -> list[Any]:
    kinds = {type(item) for item in items}
    if len(kinds) > 1:
        raise EvaluationError("list elements must have the same type")
    if kinds & {list, dict, type(None)}:
        raise EvaluationError("list elements must be comparable")
    return sorted(items)


def _sort_by(items: list[Any], keys: list[Any]) -> list[Any]:
    if len(items) != len(keys):
        raise EvaluationError("@sortByAssociatedKeys() expected a list of the same size as the keys")
    _sort(keys)
    return [item for _, item in sorted(zip(keys, items, strict=True), key=lambda pair: pair[0])]


def _distinct(items: list[Any]) -> list[Any]:
    """The first of each; what Python can hash is found quickly, the rest is compared."""
    found: list[Any] = []
    seen: set[Any] = set()
    for item in items:
        if isinstance(item, list | Mapping | Optional):
            if any(equal(item, each) for each in found):
                continue
        else:
            key = (isinstance(item, bool), item)
            if key in seen:
                continue
            seen.add(key)
        found.append(item)
    return found


def _range(count: int) -> list[int]:
    """Bounded: a number costs nothing to write, and this would make a list of it."""
    if count > _RANGE_MAX:
        raise EvaluationError(f"lists.range: {count} is more than {_RANGE_MAX}")
    return list(range(count))


def _first(items: list[Any]) -> Optional:
    return Optional(True, items[0]) if items else NONE


def _last(items: list[Any]) -> Optional:
    return Optional(True, items[-1]) if items else NONE


def _reverse(items: list[Any]) -> list[Any]:
    if not isinstance(items, list):
        raise no_such_overload()
    return items[::-1]


_COMPARABLE: Mapping[str, Type] = {
    "int": INT, "uint": UINT, "double": DOUBLE, "bool": BOOL, "duration": DURATION, "timestamp": TIMESTAMP,
    "string": STRING, "bytes": BYTES,
}  # fmt: skip
_SUMMABLE: Mapping[str, tuple[Any, str]] = {
    "int": (0, "add_int64"),
    "uint": (UInt(0), "add_uint64"),
    "double": (0.0, "add_double"),
    "duration": (Duration(0), "add_duration_duration"),
}


def _lists() -> Iterator[Overload]:
    for name, of in _COMPARABLE.items():
        items = list_of(of)
        yield method("isSorted", f"list_{name}_is_sorted_bool", (items,), BOOL, _is_sorted)
        yield method("min", f"list_{name}_min_{name}", (items,), of, _extreme("min", min))
        yield method("max", f"list_{name}_max_{name}", (items,), of, _extreme("max", max))
        yield method("sort", f"list_{name}_sort", (items,), items, _sort)
        by = (list_of(_A), items)
        yield method("@sortByAssociatedKeys", f"list_{name}_sortByAssociatedKeys", by, list_of(_A), _sort_by)
        if name in _SUMMABLE:
            yield method("sum", f"list_{name}_sum_{name}", (items,), of, _sum_of(*_SUMMABLE[name]))
    items = list_of(_A)
    yield method("indexOf", "list_a_index_of_int", (items, _A), INT, _index_of)
    yield method("lastIndexOf", "list_a_last_index_of_int", (items, _A), INT, _last_index_of)
    yield method("slice", "list_slice", (items, INT, INT), items, _slice)
    yield method("flatten", "list_flatten", (list_of(items),), items, _flatten)
    yield method("flatten", "list_flatten_int", (list_of(DYN), INT), list_of(DYN), _flatten)
    yield method("distinct", "list_distinct", (items,), items, _distinct)
    yield method("reverse", "list_reverse", (items,), items, _reverse)
    yield method("first", "list_first", (items,), optional_of(_A), _first)
    yield method("last", "list_last", (items,), optional_of(_A), _last)
    yield function("lists.range", "lists_range", (INT,), list_of(INT), _range)


LISTS: tuple[Overload, ...] = tuple(_lists())
