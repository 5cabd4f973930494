"""The tree of a parsed expression. Every node knows its place in the text; the checker notes its type and overloads.

Macros are nodes of their own (`Comprehension`, `Bind`, `OptionalMap`), not loops spelled out: so the compiler can make
a plain Python loop of each, and the estimator knows what it looks at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from kcore.cel.types import DYN, Type

if TYPE_CHECKING:
    from kcore.cel.functions import Overload

__all__ = [
    "Bind",
    "Call",
    "Comprehension",
    "Identifier",
    "ListLiteral",
    "Literal",
    "MapLiteral",
    "Node",
    "OptionalMap",
    "Select",
    "StructLiteral",
    "children",
    "qualified_name",
]


@dataclass(slots=True, eq=False, kw_only=True)
class _Place:
    offset: int
    type: Type = DYN


@dataclass(slots=True, eq=False)
class Literal(_Place):
    value: Any


@dataclass(slots=True, eq=False)
class Identifier(_Place):
    name: str
    constant: Any = None
    """What the checker found the name to be, where it is no variable: a type."""


@dataclass(slots=True, eq=False)
class Select(_Place):
    """`operand.field`; `test` where it is the argument of `has`, `optional` where it is written `.?`."""

    operand: Node
    field: str
    test: bool = False
    optional: bool = False
    key: str = ""
    """The key of the field in values, where the checker knows it."""
    constant: Any = None
    variable: str = ""
    """The variable that this is, where one is declared by a name with dots in it."""


@dataclass(slots=True, eq=False)
class Call(_Place):
    """A function, operators included (`_+_`), applied to arguments; `target` is the value before the dot."""

    function: str
    arguments: Sequence[Node]
    target: Node | None = None
    overloads: Sequence[Overload] = field(default_factory=list)

    @property
    def operands(self) -> Sequence[Node]:
        return self.arguments if self.target is None else [self.target, *self.arguments]


@dataclass(slots=True, eq=False)
class ListLiteral(_Place):
    """`optional` holds the indices of elements written with `?`."""

    elements: Sequence[Node]
    optional: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class MapLiteral(_Place):
    """Entries are key, value and whether they are optional."""

    entries: Sequence[tuple[Node, Node, bool]]


@dataclass(slots=True, eq=False)
class StructLiteral(_Place):
    """`Name{field: value}`; entries are name, value, whether optional, and the place of the name."""

    name: str
    entries: Sequence[tuple[str, Node, bool, int]]


@dataclass(slots=True, eq=False)
class Comprehension(_Place):
    """A macro over a range: `predicate` decides, `transform` (of map, transformList, ...) makes what is collected.

    With one variable it is the element of a list or the key of a map; with two they are index or key, and value.
    """

    macro: str
    range: Node
    variables: Sequence[str]
    predicate: Node | None
    transform: Node | None


@dataclass(slots=True, eq=False)
class Bind(_Place):
    """`cel.bind(name, value, body)`: the value is worked out at its first use."""

    name: str
    value: Node
    body: Node


@dataclass(slots=True, eq=False)
class OptionalMap(_Place):
    """`optional.optMap(name, body)`, or optFlatMap where `flat`."""

    target: Node
    name: str
    body: Node
    flat: bool


Node: TypeAlias = (
    Literal | Identifier | Select | Call | ListLiteral | MapLiteral | StructLiteral | Comprehension | Bind | OptionalMap
)


def qualified_name(node: Node) -> str:
    """`a.b.c` where a node is a chain of plain names; "" where it is not."""
    names: list[str] = []
    while isinstance(node, Select) and not node.test and not node.optional:
        names.append(node.field)
        node = node.operand
    if not isinstance(node, Identifier):
        return ""
    return ".".join([node.name, *reversed(names)])


def children(node: Node) -> Iterator[Node]:
    """The nodes right below one."""
    match node:
        case Select():
            yield node.operand
        case Call():
            yield from node.operands
        case ListLiteral():
            yield from node.elements
        case MapLiteral():
            for key, value, _ in node.entries:
                yield from (key, value)
        case StructLiteral():
            yield from (value for _, value, _, _ in node.entries)
        case Comprehension():
            yield from (each for each in (node.range, node.predicate, node.transform) if each is not None)
        case Bind():
            yield from (node.value, node.body)
        case OptionalMap():
            yield from (node.target, node.body)
