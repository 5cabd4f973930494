"""Calls that are none: `has(a.b)`, `list.all(x, ...)`, `cel.bind(x, ..., ...)`. The parser asks here for each call."""

from __future__ import annotations

from collections.abc import Sequence

from kcore.cel.errors import Issue
from kcore.cel.syntax import Bind, Call, Comprehension, Identifier, ListLiteral, Node, OptionalMap, Select

__all__ = ["expand_macro"]

# Macros of a range: how many variables and expressions they may have.
_ONE_VARIABLE = {"all": (1,), "exists": (1,), "exists_one": (1,), "existsOne": (1,), "map": (1, 2), "filter": (1,)}
_TWO_VARIABLES = {
    "all": (1,),
    "exists": (1,),
    "exists_one": (1,),
    "existsOne": (1,),
    "transformList": (1, 2),
    "transformMap": (1, 2),
    "transformMapEntry": (1, 2),
}
_SORTED, _SORT = "@__sortBy_input__", "@sortByAssociatedKeys"
_TRANSFORMS = frozenset(("map", "transformList", "transformMap", "transformMapEntry"))


def expand_macro(name: str, target: Node | None, arguments: Sequence[Node], offset: int) -> Node | Issue | None:
    """The node that a macro call stands for, what is wrong with it, or None where it is none."""
    if target is None:
        return _has(arguments, offset) if name == "has" and len(arguments) == 1 else None
    if name == "bind" and len(arguments) == 3 and isinstance(target, Identifier) and target.name == "cel":
        return _bind(arguments, offset)
    if name in ("optMap", "optFlatMap") and len(arguments) == 2:
        variable = arguments[0]
        if not isinstance(variable, Identifier):
            return Issue(variable.offset, f"{name}() variable name must be a simple identifier")
        return OptionalMap(target, variable.name, arguments[1], name == "optFlatMap", offset=offset)
    if name == "sortBy" and len(arguments) == 2:
        return _sort_by(target, arguments, offset)
    for count, macros in ((1, _ONE_VARIABLE), (2, _TWO_VARIABLES)):
        if len(arguments) - count in macros.get(name, ()):
            return _comprehension(name, target, arguments, count, offset)
    return None


def _has(arguments: Sequence[Node], offset: int) -> Node | Issue:
    field = arguments[0]
    if isinstance(field, Select) and not field.test:
        return Select(field.operand, field.field, test=True, optional=field.optional, offset=offset)
    return Issue(field.offset, "invalid argument to has() macro")


def _bind(arguments: Sequence[Node], offset: int) -> Node | Issue:
    variable, value, body = arguments
    if not isinstance(variable, Identifier):
        return Issue(variable.offset, "cel.bind() variable names must be simple identifiers")
    return Bind(variable.name, value, body, offset=offset)


def _sort_by(target: Node, arguments: Sequence[Node], offset: int) -> Node | Issue | None:
    """`list.sortBy(x, key)`: the list is sorted by the keys of its elements, which are made first."""
    if not isinstance(target, ListLiteral | Select | Identifier | Comprehension | Call):
        what = "a list, identifier, comprehension, call or select expression"
        return Issue(target.offset, f"sortBy can only be applied to {what}")
    keys = _comprehension("map", Identifier(_SORTED, offset=offset), arguments, 1, offset)
    if keys is None or isinstance(keys, Issue):
        return keys
    body = Call(_SORT, [keys], target=Identifier(_SORTED, offset=offset), offset=offset)
    return Bind(_SORTED, target, body, offset=offset)


def _comprehension(name: str, target: Node, arguments: Sequence[Node], count: int, offset: int) -> Node | Issue | None:
    names: list[str] = []
    for variable in arguments[:count]:
        if not isinstance(variable, Identifier):
            # With one expression too many for one variable it may be meant for two, and the other way round.
            return Issue(variable.offset, "argument must be a simple name")
        if variable.name in names:
            return Issue(variable.offset, f"duplicate variable name: {variable.name}")
        names.append(variable.name)
    below = arguments[count:]
    transforms = name in _TRANSFORMS
    return Comprehension(
        "exists_one" if name == "existsOne" else name,
        target,
        names,
        below[0] if not transforms or len(below) == 2 else None,
        below[-1] if transforms else None,
        offset=offset,
    )
