"""What expressions may name: variables, types and functions; and the way from text to program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

from kcore.cel.checker import Checker, settled
from kcore.cel.compiler import compile_program
from kcore.cel.cost import CALL_LIMIT
from kcore.cel.errors import CelError, CompileError, Issue
from kcore.cel.functions import FunctionTable, Overload
from kcore.cel.libraries import LIBRARIES, LIBRARY_TYPES
from kcore.cel.parser import parse
from kcore.cel.program import Program
from kcore.cel.standard import CONSTANTS, STANDARD
from kcore.cel.syntax import Call, Literal, Node, children
from kcore.cel.times import parse_duration, parse_timestamp
from kcore.cel.types import Type
from kcore.kit.regex import PatternError, compile_pattern

__all__ = ["Checked", "Environment"]


@lru_cache(maxsize=1)
def _functions() -> FunctionTable:
    return FunctionTable((STANDARD, *LIBRARIES))


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
        self._functions = FunctionTable((STANDARD, *LIBRARIES, functions)) if functions else _functions()

    def compile(self, text: str, limit: int = CALL_LIMIT) -> Program:
        """Raises CompileError."""
        return self.check(text).program(limit)

    def check(self, text: str) -> Checked:
        """Raises CompileError."""
        node = parse(text)
        checker = Checker(self._functions, self._variables, self._find_type)
        try:
            node.type = settled(checker.check(node))
            issues = checker.issues or list(_literal_issues(node))
        except RecursionError:
            issues = [Issue(0, "expression recursion limit exceeded")]
        if issues:
            raise CompileError(text, issues)
        return Checked(text, node, sorted(checker.used))

    def _find_type(self, name: str) -> Type | None:
        found = CONSTANTS.get(name) or LIBRARY_TYPES.get(name)
        if found is None and self._find_more is not None:
            return self._find_more(name)
        return found


def _literal_issues(node: Node) -> Iterator[Issue]:
    """Literals that could never work: patterns, durations and timestamps that are none."""
    if isinstance(node, Call) and node.arguments and isinstance(node.arguments[-1], Literal):
        last = node.arguments[-1]
        check = _LITERALS.get(node.function)
        if check is not None and isinstance(last.value, str):
            try:
                check(last.value)
            except (CelError, PatternError):
                yield Issue(last.offset, f"invalid {node.function} argument")
    for child in children(node):
        yield from _literal_issues(child)


_LITERALS: Mapping[str, Callable[[str], object]] = {
    "matches": compile_pattern,
    "duration": parse_duration,
    "timestamp": parse_timestamp,
}
