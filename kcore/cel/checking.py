"""From text to a checked tree: parser, type checker, and literals that could never work.

This is the part of CEL that takes a while to load; `Environment` does so when its first expression is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from kcore.cel.checker import Checker, settled
from kcore.cel.compiler import compile_program
from kcore.cel.errors import CelError, CompileError, Issue
from kcore.cel.functions import FunctionTable, Overload
from kcore.cel.libraries.catalog import LIBRARIES, LIBRARY_TYPES
from kcore.cel.parser import parse
from kcore.cel.standard import CONSTANTS, STANDARD
from kcore.cel.syntax import Call, Literal, Node, children
from kcore.cel.times import parse_duration, parse_timestamp
from kcore.cel.types import Type
from kcore.kit.regex import PatternError, compile_pattern

__all__ = ["check", "compile_program", "find_type", "functions"]

_FUNCTIONS = FunctionTable((STANDARD, *LIBRARIES))


def functions(more: Sequence[Overload]) -> FunctionTable:
    """All there are, and some more."""
    return FunctionTable((STANDARD, *LIBRARIES, more)) if more else _FUNCTIONS


def find_type(name: str) -> Type | None:
    return CONSTANTS.get(name) or LIBRARY_TYPES.get(name)


def check(
    text: str,
    known: FunctionTable,
    variables: Mapping[str, Type],
    find: Callable[[str], Type | None],
) -> tuple[Node, Sequence[str]]:
    """The tree, and the variables that it uses. Raises CompileError."""
    node = parse(text)
    checker = Checker(known, variables, find)
    try:
        node.type = settled(checker.check(node))
        issues = checker.issues or list(_literal_issues(node))
    except RecursionError:
        issues = [Issue(0, "expression recursion limit exceeded")]
    if issues:
        raise CompileError(text, issues)
    return node, sorted(checker.used)


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
