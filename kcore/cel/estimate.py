"""What an expression may cost at worst, told from its text and from how large its inputs may be.

The numbers, and the order in which sizes are looked up, are cel-go's and apiserver's, quirks included: a definition is
accepted or refused by them, so they must come out the same. Ranges saturate at 2^64 - 1, which stands for "unbounded".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from kcore.cel.cost import AUTHORIZATION_CHECK, FORMAT_PATTERN_MAX, LIST_COST, MAP_COST, STRUCT_COST
from kcore.cel.syntax import (
    Bind,
    Call,
    Comprehension,
    Identifier,
    ListLiteral,
    Literal,
    MapLiteral,
    Node,
    OptionalMap,
    Select,
    StructLiteral,
)
from kcore.cel.types import SCALARS, Type

__all__ = ["UNBOUNDED", "Range", "estimate"]

UNBOUNDED = 2**64 - 1

Path: TypeAlias = tuple[str, ...]
SizeOf: TypeAlias = Callable[[Path], int | None]
"""The largest size of what stands at a path from a variable: field names, `@items`, `@keys`, `@values`."""


class Range(NamedTuple):
    """Of costs, or of sizes."""

    least: int
    most: int

    def __add__(self, other: Range) -> Range:  # type: ignore[override]  # no concatenation
        return Range(_capped(self.least + other.least), _capped(self.most + other.most))

    def __mul__(self, other: Range) -> Range:  # type: ignore[override]  # no repetition
        return Range(_capped(self.least * other.least), _capped(self.most * other.most))

    def times(self, factor: float) -> Range:
        return Range(_scaled(self.least, factor), _scaled(self.most, factor))

    def union(self, other: Range) -> Range:
        return Range(min(self.least, other.least), max(self.most, other.most))


def _capped(number: int) -> int:
    return min(number, UNBOUNDED)


def _scaled(number: int, factor: float) -> int:
    product = number * factor
    return UNBOUNDED if product >= float(UNBOUNDED) else math.ceil(product)


def fixed(number: int) -> Range:
    return Range(number, number)


_ZERO, _ONE, _UNKNOWN = fixed(0), fixed(1), Range(0, UNBOUNDED)
_TEXT, _PATTERN = 0.1, 0.25


def estimate(node: Node, size_of: SizeOf) -> Range:
    """`node` has been checked."""
    return _Estimator(size_of).cost(node)


class _Local(NamedTuple):
    """What is known of a variable of the expression's own; `items` are the sizes of what it holds."""

    path: Path
    size: Range | None = None
    items: Range | None = None


class _Estimator:
    def __init__(self, size_of: SizeOf) -> None:
        self._size_of = size_of
        self._locals: list[tuple[str, _Local]] = []
        self._sizes: dict[int, Range] = {}
        self._item_sizes: dict[int, Range] = {}
        self._paths: dict[int, Path] = {}

    # --- sizes ---

    def _local(self, name: str) -> _Local | None:
        return next((local for known, local in reversed(self._locals) if known == name), None)

    def _path(self, node: Node) -> Path:
        if isinstance(node, Identifier):
            local = self._local(node.name)
            return local.path if local is not None else (node.name,)
        return self._paths.get(id(node), ())

    def size(self, node: Node) -> Range | None:
        known = self._sizes.get(id(node)) or _literal_size(node)
        if known is not None:
            return known
        path = self._path(node)
        most = self._size_of(path) if path else None
        if most is not None:
            return Range(0, most)
        if _is_scalar(node.type):
            return _ONE
        local = self._local(node.name) if isinstance(node, Identifier) else None
        return local.size if local is not None else None

    def size_or_unknown(self, node: Node) -> Range:
        return self.size(node) or _UNKNOWN

    def _items(self, node: Node) -> Range | None:
        """The sizes of the elements or values of what a node makes, where that is known."""
        local = self._local(node.name) if isinstance(node, Identifier) else None
        return self._item_sizes.get(id(node)) or (local.items if local is not None else None)

    def _keep(self, node: Node, size: Range | None, items: Range | None) -> None:
        if size is not None:
            self._sizes[id(node)] = size
        if items is not None:
            self._item_sizes[id(node)] = items

    # --- costs ---

    def cost(self, node: Node) -> Range:
        match node:
            case Literal():
                return _ZERO
            case Identifier():
                return _ONE
            case Select():
                return self._select(node)
            case Call():
                return self._call(node)
            case ListLiteral():
                return self._list(node)
            case MapLiteral():
                return self._map(node)
            case StructLiteral():
                return sum((self.cost(value) for _, value, _, _ in node.entries), fixed(STRUCT_COST))
            case Comprehension():
                return self._comprehension(node)
            case Bind():
                return self._bind(node)
            case OptionalMap():
                return self._optional_map(node)

    def _select(self, node: Select) -> Range:
        if node.constant is not None or node.variable:
            return _ONE
        total = self.cost(node.operand)
        if node.test:
            return total
        if node.operand.type.kind in ("map", "object", "param") or node.optional:
            total += _ONE
        self._paths[id(node)] = (*self._path(node.operand), node.field)
        return total

    def _list(self, node: ListLiteral) -> Range:
        total, items = fixed(LIST_COST), Range(UNBOUNDED, 0) if node.elements else _ZERO
        for element in node.elements:
            total += self.cost(element)
            items = items.union(self.size_or_unknown(element))
        self._keep(node, None, items)
        return total

    def _map(self, node: MapLiteral) -> Range:
        total, items = fixed(MAP_COST), Range(UNBOUNDED, 0) if node.entries else _ZERO
        for key, value, _ in node.entries:
            total += self.cost(key) + self.cost(value)
            items = items.union(self.size_or_unknown(value))
        self._keep(node, None, items)
        return total

    # --- macros ---

    def _ranged(self, node: Comprehension) -> list[tuple[str, _Local]]:
        path, items = self._path(node.range), self._items(node.range)
        listed = node.range.type.kind == "list"
        if len(node.variables) == 1:
            only = _Local((*path, "@items" if listed else "@keys"), items if listed else None)
            return [(node.variables[0], only)]
        first = _Local((*path, "@indices" if listed else "@keys"))
        second = _Local((*path, "@items" if listed else "@values"), items)
        return [(node.variables[0], first), (node.variables[1], second)]

    def _comprehension(self, node: Comprehension) -> Range:
        total = self.cost(node.range)
        variables = self._ranged(node)
        self._locals += variables
        test = self.cost(node.predicate) if node.predicate is not None else _ZERO
        made = self.cost(node.transform) if node.transform is not None else _ONE
        items = self.size_or_unknown(node.transform) if node.transform is not None else None
        del self._locals[-len(variables) :]
        start, turn, end = _spelled_out(node, test, made)
        count = self.size_or_unknown(node.range)
        if node.macro not in ("all", "exists", "exists_one"):
            self._keep(node, count, items)
        else:
            self._keep(node, _ONE, None)
        return total + start + count * turn + end

    def _bind(self, node: Bind) -> Range:
        total = fixed(LIST_COST) + self.cost(node.value)
        local = _Local(self._path(node.value), self.size(node.value), self._items(node.value))
        self._locals.append((node.name, local))
        total += self.cost(node.body)
        self._locals.pop()
        self._keep(node, self.size(node.body), self._items(node.body))
        return total

    def _optional_map(self, node: OptionalMap) -> Range:
        target = self.cost(node.target)
        self._locals.append((node.name, _Local(())))
        body = self.cost(node.body)
        self._locals.pop()
        present = fixed(LIST_COST + (1 if node.flat else 2)) + target + body
        return target + _ONE + present.union(_ONE)

    # --- calls ---

    def _call(self, node: Call) -> Range:
        costs = [self.cost(each) for each in node.arguments]
        arguments = sum(costs, _ZERO)
        total = self.cost(node.target) if node.target is not None else _ZERO
        if node.function == "dyn":
            self._keep(node, self.size(node.arguments[0]), self._items(node.arguments[0]))
            return _ONE + arguments
        if node.function in ("_&&_", "_||_"):
            return Range(costs[0].least, (costs[0] + costs[1]).most)
        if node.function == "_?_:_":
            return self._conditional(node, costs)
        if not node.overloads:
            return _ZERO
        priced = [self._priced(node, overload.id) for overload in node.overloads]
        spread = priced[0]
        for each in priced[1:]:
            spread = spread.union(each)
        if node.function == "_[_]":
            self._index(node)
        return total + spread + arguments

    def _conditional(self, node: Call, costs: Sequence[Range]) -> Range:
        _, yes, no = node.arguments
        items, others = self._items(yes), self._items(no)
        self._keep(
            node,
            self.size_or_unknown(yes).union(self.size_or_unknown(no)),
            items.union(others) if items and others else None,
        )
        return costs[0] + costs[1].union(costs[2])

    def _index(self, node: Call) -> None:
        holder = node.arguments[0]
        step = "@items" if node.overloads[-1].id == "index_list" else "@values"
        path = self._path(holder)
        self._paths[id(node)] = (*path, step)
        items = self._items(holder)
        if items is not None:
            self._sizes[id(node)] = items

    def _priced(self, node: Call, overload: str) -> Range:
        """The cost of the call itself, its arguments left aside; notes the size of the result."""
        price = _OF_FUNCTION.get(node.function) or _OF_OVERLOAD.get(overload)
        return price(self, node) if price is not None else _ONE

    def first(self, node: Call) -> Range:
        """The size of what a function is about: the target, or the first argument."""
        return self.size_or_unknown(node.operands[0])

    def second(self, node: Call) -> Range:
        return self.size_or_unknown(node.operands[1]) if len(node.operands) > 1 else _UNKNOWN

    def sized(self, node: Call, size: Range, cost: Range) -> Range:
        self._sizes[id(node)] = size
        return cost

    def elements(self, node: Call) -> Range:
        """The size of one element of the list that a method is called on."""
        holder = node.operands[0]
        path = self._path(holder)
        most = self._size_of((*path, "@items")) if path else None
        return Range(0, most) if most is not None else _UNKNOWN

    def joined_items(self, node: Call) -> None:
        left, right = (self._items(each) for each in node.arguments)
        if left is not None and right is not None:
            self._item_sizes[id(node)] = left.union(right)


def _literal_size(node: Node) -> Range | None:
    if isinstance(node, ListLiteral):
        return fixed(len(node.elements))
    if isinstance(node, MapLiteral):
        return fixed(len(node.entries))
    if isinstance(node, Literal):
        return fixed(len(node.value) if isinstance(node.value, str | bytes) else 1)
    return None


def _is_scalar(of: Type) -> bool:
    if of.name == "optional_type":
        return _is_scalar(of.parameters[0])
    return of.kind in SCALARS


def _spelled_out(node: Comprehension, test: Range, made: Range) -> tuple[Range, Range, Range]:
    """What a macro costs as the loop that cel-go makes of it: to begin, at each turn, to end."""
    if node.macro in ("all", "exists"):
        condition = 2 if node.macro == "all" else 3
        return _ZERO, Range(1, _capped(1 + test.most)) + fixed(condition), _ONE
    if node.macro == "exists_one":
        return _ZERO, test + Range(1, 2), fixed(2)
    if node.macro.startswith("transformMap"):
        start, kept = fixed(MAP_COST), made + fixed(3 if node.macro == "transformMap" else 2)
    else:
        start, kept = fixed(LIST_COST), made + fixed(LIST_COST + 2)
    return start, test + kept.union(_ONE) if node.predicate is not None else kept, _ONE


# --- the prices of calls ---

_Price: TypeAlias = Callable[[_Estimator, Call], Range]


def _traversal(e: _Estimator, node: Call) -> Range:
    return e.first(node).times(_TEXT)


def _traversal_kept(e: _Estimator, node: Call) -> Range:
    return e.sized(node, e.first(node), e.first(node).times(_TEXT))


def _over_elements(e: _Estimator, node: Call) -> Range:
    of = node.operands[0].type
    if not of.parameters:
        return _traversal(e, node)
    element = of.parameters[0].kind
    each = _ONE + e.elements(node).times(_TEXT) if element in ("string", "bytes") else _ONE
    return e.first(node) * each


def _replaced(e: _Estimator, node: Call) -> Range:
    text, old, new = (e.size_or_unknown(each) for each in node.operands[:3])
    least_count, least_kept, most_count, most_kept = 0, 0, 0, 0
    if old.least == 0:
        most_count, most_kept = _capped(text.most + 1), text.most
    elif new.most <= old.least:
        most_kept = text.most
    else:
        most_count = math.ceil(text.most / old.least)
    if old.most == 0:
        least_count, least_kept = text.least + 1, text.least
    elif old.most <= new.least:
        least_kept = text.least
    else:
        least_count = math.ceil(text.least / old.most)
    size = Range(least_count, most_count) * new + Range(least_kept, most_kept)
    return e.sized(node, size, text.times(2 * _TEXT))


def _split(e: _Estimator, node: Call) -> Range:
    text = e.first(node)
    limit = node.arguments[1] if len(node.arguments) > 1 else None
    most = text.most
    if isinstance(limit, Literal) and isinstance(limit.value, int):
        most = limit.value % 2**64
    return e.sized(node, Range(0, most), text.times(2 * _TEXT))


def _joined(e: _Estimator, node: Call) -> Range:
    count = e.first(node)
    size = count * e.elements(node)
    if node.arguments:
        gaps = Range(max(count.least - 1, 0), max(count.most - 1, 0))
        size += e.size_or_unknown(node.arguments[0]) * gaps
    return e.sized(node, size, size.times(_TEXT))


def _matched(e: _Estimator, node: Call) -> Range:
    return (e.first(node) + _ONE).times(_TEXT) * e.second(node).times(_PATTERN)


def _found(e: _Estimator, node: Call) -> Range:
    return e.sized(node, Range(0, e.first(node).most), _matched(e, node))


_ADDRESS = Range(4, 16)


def _within(e: _Estimator, node: Call) -> Range:
    cost = (_ADDRESS + _ADDRESS).times(_TEXT)
    if node.overloads[-1].id.endswith("_string"):
        cost += e.second(node).times(_TEXT)
    return cost


def _range_within(e: _Estimator, node: Call) -> Range:
    return _within(e, node) + _ADDRESS.times(_TEXT) + _ONE


def _validated(e: _Estimator, node: Call) -> Range:
    return e.second(node).times(_TEXT).times(FORMAT_PATTERN_MAX * _PATTERN)


def _selector(e: _Estimator, node: Call) -> Range:
    length = e.second(node)
    return fixed(LIST_COST) + length.times(_TEXT) + length.times(0.5).times(LIST_COST + STRUCT_COST)


def _sets(factor: int) -> _Price:
    return lambda e, node: (e.first(node) * e.second(node)).times(factor) + _ONE


def _compared(e: _Estimator, node: Call) -> Range:
    left, right = (each.type for each in node.arguments)
    if node.function == "_==_" and left.kind == "opaque" and left == right and left.name != "optional_type":
        return _ONE
    most = min(e.first(node).most, e.second(node).most)
    return Range(1 if most > 0 else 0, most).times(_TEXT)


def _concatenated(e: _Estimator, node: Call) -> Range:
    size = e.first(node) + e.second(node)
    return e.sized(node, size, size.times(_TEXT))


def _listed(e: _Estimator, node: Call) -> Range:
    size = e.first(node) + e.second(node)
    e.joined_items(node)
    return e.sized(node, size, _ONE)


def _contained(e: _Estimator, node: Call) -> Range:
    return e.first(node).times(_TEXT) * e.second(node).times(_TEXT)


def _self_compared(e: _Estimator, node: Call) -> Range:
    size = e.first(node)
    return e.sized(node, size, size * size + fixed(LIST_COST))


def _copied(e: _Estimator, node: Call) -> Range:
    size = e.first(node)
    return e.sized(node, size, size + fixed(LIST_COST))


_OF_FUNCTION: Mapping[str, _Price] = {
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _over_elements),
    **dict.fromkeys(("url", "jsonpatch.escapeKey", "lowerAscii", "upperAscii", "substring", "trim"), _traversal_kept),
    "replace": _replaced,
    "split": _split,
    "join": _joined,
    "find": _found,
    "findAll": _found,
    "containsIP": _within,
    "containsCIDR": _range_within,
    "validate": _validated,
    "fieldSelector": _selector,
    "labelSelector": _selector,
    "check": lambda e, node: fixed(AUTHORIZATION_CHECK),
    **dict.fromkeys(("sort", "distinct"), _self_compared),
    **dict.fromkeys(("slice", "flatten", "reverse"), _copied),
    "sets.contains": _sets(1),
    "sets.intersects": _sets(1),
    "sets.equivalent": _sets(2),
}

_COMPARED = [
    f"{verb}_{of}" for verb in ("less", "less_equals", "greater", "greater_equals") for of in ("string", "bytes")
]

_OF_OVERLOAD: Mapping[str, _Price] = {
    "string_to_bytes": lambda e, node: e.sized(
        node, Range(e.first(node).least, _capped(4 * e.first(node).most)), _traversal(e, node)
    ),
    "bytes_to_string": lambda e, node: e.sized(
        node, Range(e.first(node).least // 4, e.first(node).most), _traversal(e, node)
    ),
    "strings_quote": lambda e, node: e.sized(
        node, Range(e.first(node).least + 2, _capped(2 * e.first(node).most + 2)), _traversal(e, node)
    ),
    "string_format": _traversal,
    **dict.fromkeys(("starts_with_string", "ends_with_string"), lambda e, node: e.second(node).times(_TEXT)),
    "in_list": lambda e, node: e.second(node),
    "matches_string": _matched,
    "contains_string": _contained,
    **dict.fromkeys(("add_string", "add_bytes"), _concatenated),
    "add_list": _listed,
    **dict.fromkeys(("equals", "not_equals", *_COMPARED), _compared),
}
