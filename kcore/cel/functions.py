"""How functions are declared: by overloads, each with the types it takes and the Python function that does it.

A library is a list of overloads; `FunctionTable` keeps them by name. Operators are functions too (`_+_`, `_[_]`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kcore.cel.types import Type
from kcore.cel.values import type_of

__all__ = ["FunctionTable", "Overload", "accepts", "function", "method"]


@dataclass(frozen=True, slots=True, eq=False)
class Overload:
    """`arguments` include the target of a method. What `run` is given is of these types, once it is called."""

    name: str
    id: str
    arguments: tuple[Type, ...]
    result: Type
    run: Callable[..., Any]
    member: bool = False


def function(name: str, id_: str, arguments: Sequence[Type], result: Type, run: Callable[..., Any]) -> Overload:
    """`name(arguments)`."""
    return Overload(name, id_, tuple(arguments), result, run)


def method(name: str, id_: str, arguments: Sequence[Type], result: Type, run: Callable[..., Any]) -> Overload:
    """`target.name(arguments)`; the first of `arguments` is the target's type."""
    return Overload(name, id_, tuple(arguments), result, run, member=True)


class FunctionTable:
    """All overloads that an environment knows, by name."""

    def __init__(self, libraries: Iterable[Iterable[Overload]]) -> None:
        found: dict[str, list[Overload]] = {}
        for library in libraries:
            for overload in library:
                found.setdefault(overload.name, []).append(overload)
        self._overloads: Mapping[str, Sequence[Overload]] = found

    def named(self, name: str) -> Sequence[Overload]:
        return self._overloads.get(name, ())

    def __contains__(self, name: object) -> bool:
        return name in self._overloads


def accepts(wanted: Type, value: Any) -> bool:
    """Whether a value is of the type, as far as a value shows: what a list holds does not count."""
    if wanted.kind in ("dyn", "param", "error"):
        return True
    found = type_of(value)
    if wanted.kind == "opaque":
        return found.name == wanted.name
    return found.kind == wanted.kind or (wanted.kind == "object" and found.kind == "map")
