"""What a call costs, in upstream's units: one is about the price of adding two numbers there.

The numbers are those of cel-go and of apiserver's library; a rule that was affordable on a real server must be here.
Strings count a tenth of a unit a letter, patterns a quarter; what is not listed costs one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from itertools import chain
from typing import Any, TypeAlias

from kcore.cel.errors import CostExceeded
from kcore.kit.offload import TooMuch, is_awaited

__all__ = [
    "AUTHORIZATION_CHECK",
    "CALL_LIMIT",
    "LIST_COST",
    "MAP_COST",
    "PROMPT_LIMIT",
    "RUNTIME_LIMIT",
    "STRUCT_COST",
    "Budget",
    "Price",
    "pattern_cost",
    "price_of",
    "size_of",
    "tenth",
]

CALL_LIMIT = 1_000_000
"""What one evaluation may cost."""
RUNTIME_LIMIT = 10_000_000
"""What all evaluations may cost together: of the rules of one object, or of one policy."""

PROMPT_LIMIT = 50_000
"""What a series of evaluations may cost while others wait for it: some milliseconds."""
UNLIMITED = 1 << 62

LIST_COST, MAP_COST, STRUCT_COST = 10, 30, 40
AUTHORIZATION_CHECK = 350_000
FORMAT_PATTERN_MAX = 128

Price: TypeAlias = Callable[[Sequence[Any], Any], int]
"""From arguments and result to what the call cost."""


class Budget:
    """What a series of evaluations may cost; below zero it is used up.

    On a loop, others wait: there it may cost `PROMPT_LIMIT` only, and raises TooMuch beyond that.
    """

    __slots__ = ("patience", "remaining")

    def __init__(self, remaining: int) -> None:
        self.remaining = remaining
        self.patience = PROMPT_LIMIT if is_awaited() else UNLIMITED

    def spend(self, cost: int, waiting: int) -> None:
        """Raises TooMuch. `waiting`: what of the cost others have to wait for."""
        self.remaining -= cost
        self.patience -= waiting
        if self.patience < 0:
            raise TooMuch


def size_of(value: Any) -> int:
    return len(value) if isinstance(value, Sized) else 1


def tenth(size: int) -> int:
    """The cost of going through a text, rounded up."""
    return (size + 9) // 10


def pattern_cost(text: int, pattern: int) -> int:
    return tenth(text + 1) * ((pattern + 3) // 4)


def _first(args: Sequence[Any], result: Any) -> int:
    return tenth(size_of(args[0]))


def _twice_first(args: Sequence[Any], result: Any) -> int:
    return tenth(2 * size_of(args[0]))


def _smaller(args: Sequence[Any], result: Any) -> int:
    return tenth(min(size_of(args[0]), size_of(args[1])))


def _both(args: Sequence[Any], result: Any) -> int:
    return tenth(size_of(args[0]) + size_of(args[1]))


def _matched(args: Sequence[Any], result: Any) -> int:
    return pattern_cost(size_of(args[0]), size_of(args[1]))


def _traversal(value: Any, spent: int = 0) -> int:
    """What going through a value costs, added to what was spent; more than anything may cost ends it."""
    if isinstance(value, str):
        return spent + len(value.encode("utf-8", "surrogatepass")) // 10
    if isinstance(value, bytes):
        return spent + len(value) // 10
    if not isinstance(value, list | Mapping):
        return spent + 1
    for each in value if isinstance(value, list) else chain.from_iterable(value.items()):
        spent = _traversal(each, spent)
        if spent > CALL_LIMIT:
            raise CostExceeded
    return spent


def _selector(args: Sequence[Any], result: Any) -> int:
    length = size_of(args[1])
    return LIST_COST + tenth(length) + (length + 1) // 2 * (LIST_COST + STRUCT_COST)


def _within(args: Sequence[Any], result: Any) -> int:
    """An address in a range: the range's bytes twice, and the other's text where it is one."""
    parsed = tenth(len(args[1])) if isinstance(args[1], str) else 0
    return tenth(2 * size_of(args[0])) + parsed


def _range_within(args: Sequence[Any], result: Any) -> int:
    return _within(args, result) + tenth(size_of(args[0])) + 1


def _sets(factor: int) -> Price:
    return lambda args, result: factor * size_of(args[0]) * size_of(args[1]) + 1


_OF_FUNCTION: dict[str, Price] = {
    **dict.fromkeys(
        ("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), lambda args, result: _traversal(args[0])
    ),
    **dict.fromkeys(("url", "lowerAscii", "upperAscii", "substring", "trim", "jsonpatch.escapeKey"), _first),
    **dict.fromkeys(("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"), _first),
    **dict.fromkeys(("replace", "split", "ip.isCanonical"), _twice_first),
    "join": lambda args, result: tenth(2 * size_of(result)),
    "find": _matched,
    "findAll": _matched,
    "containsIP": _within,
    "containsCIDR": _range_within,
    "fieldSelector": _selector,
    "labelSelector": _selector,
    "check": lambda args, result: AUTHORIZATION_CHECK,
    "validate": lambda args, result: pattern_cost(size_of(args[1]), args[0].pattern_size),
    **dict.fromkeys(("sort", "distinct", "@sortByAssociatedKeys"), lambda args, result: len(args[0]) ** 2 + LIST_COST),
    **dict.fromkeys(("slice", "flatten", "reverse", "lists.range"), lambda args, result: len(result) + LIST_COST),
    "sets.contains": _sets(1),
    "sets.intersects": _sets(1),
    "sets.equivalent": _sets(2),
}

_OF_OVERLOAD: dict[str, Price] = {
    **dict.fromkeys(("starts_with_string", "ends_with_string", "strings_quote", "string_format"), _first),
    **dict.fromkeys(("string_to_bytes", "bytes_to_string", "string_to_ip"), _first),
    "in_list": lambda args, result: size_of(args[1]),
    **dict.fromkeys(("equals", "not_equals"), _smaller),
    **dict.fromkeys((f"{verb}_{of}" for verb in ("less", "less_equals", "greater", "greater_equals")
                     for of in ("string", "bytes")), _smaller),
    "matches_string": _matched,
    "add_string": _both,
    "add_bytes": _both,
    "contains_string": lambda args, result: tenth(len(args[0])) * tenth(len(args[1])),
}  # fmt: skip


def price_of(name: str, overload: str) -> Price | None:
    """How to tell what a call costs; None where that is always one."""
    return _OF_FUNCTION.get(name) or _OF_OVERLOAD.get(overload)
