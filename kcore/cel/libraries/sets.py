"""Lists taken as sets."""

from __future__ import annotations

from typing import Any

from kcore.cel.functions import Overload, function
from kcore.cel.standard import contains
from kcore.cel.types import BOOL, list_of, parameter

__all__ = ["SETS"]

_LISTS = (list_of(parameter("T")), list_of(parameter("T")))


def _contains(items: list[Any], wanted: list[Any]) -> bool:
    return all(contains(each, items) for each in wanted)


def _intersects(items: list[Any], others: list[Any]) -> bool:
    return any(contains(each, others) for each in items)


def _equivalent(items: list[Any], others: list[Any]) -> bool:
    return _contains(items, others) and _contains(others, items)


SETS: tuple[Overload, ...] = (
    function("sets.contains", "list_sets_contains_list", _LISTS, BOOL, _contains),
    function("sets.intersects", "list_sets_intersects_list", _LISTS, BOOL, _intersects),
    function("sets.equivalent", "list_sets_equivalent_list", _LISTS, BOOL, _equivalent),
)
