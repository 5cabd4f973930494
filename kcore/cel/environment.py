"""What expressions may name: variables, types and functions; and the way from text to program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from kcore.cel.cost import CALL_LIMIT
from kcore.cel.program import Program
from kcore.cel.types import Type

if TYPE_CHECKING:
    from kcore.cel.functions import FunctionTable, Overload
    from kcore.cel.syntax import Node

__all__ = ["Checked", "Environment"]


class Checked:
    """An expression whose types fit, not yet a program: what estimates look at."""

    __slots__ = ("node", "text", "uses")

    def __init__(self, text: str, node: Node, uses: Sequence[str]) -> None:
        self.text = text
        self.node = node
        self.uses = uses

    @property
    def type(self) -> Type:
        return self.node.type

    def program(self, limit: int = CALL_LIMIT) -> Program:
        from kcore.cel.checking import compile_program

        return compile_program(self.text, self.node, self.uses, limit)


class Environment:
    """The variables that expressions have, by name and type; `find_type` knows types beyond those of the libraries."""

    def __init__(
        self,
        variables: Mapping[str, Type],
        find_type: Callable[[str], Type | None] | None = None,
        functions: Sequence[Overload] = (),
    ) -> None:
        self._variables = variables
        self._find_more = find_type
        self._more = functions

    def compile(self, text: str, limit: int = CALL_LIMIT) -> Program:
        """Raises CompileError."""
        return self.check(text).program(limit)

    def check(self, text: str) -> Checked:
        """Raises CompileError."""
        from kcore.cel.checking import check

        node, uses = check(text, self._functions, self._variables, self._find_type)
        return Checked(text, node, uses)

    @cached_property
    def _functions(self) -> FunctionTable:
        from kcore.cel.checking import functions

        return functions(self._more)

    def _find_type(self, name: str) -> Type | None:
        from kcore.cel.checking import find_type

        found = find_type(name)
        if found is None and self._find_more is not None:
            return self._find_more(name)
        return found
