"""Calling functions, with and without knowing beforehand which overload it will be, and the shortcuts of some."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kcore.cel.cost import Price, tenth
from kcore.cel.errors import CelError, CostExceeded, EvaluationError, PlanError, no_such_overload
from kcore.cel.frames import END, LIMIT, SPENT, Code, Frame, Run
from kcore.cel.functions import Overload, accepts
from kcore.cel.standard import matches
from kcore.cel.syntax import Call, ListLiteral, Literal, Node
from kcore.cel.values import UInt, type_of
from kcore.kit.regex import PatternError, compile_pattern

__all__ = [
    "constant_members",
    "dispatch",
    "folded",
    "is_quick",
    "membership",
    "plain_call",
    "priced_call",
    "quick_equality",
    "short_circuit",
    "with_bound_pattern",
]


def plain_call(function: Callable[..., Any], codes: Sequence[Code]) -> Run:
    """A call whose cost is known."""
    runs = [code.run for code in codes]
    if len(runs) == 1:
        first = runs[0]

        def unary(f: Frame) -> Any:
            try:
                return function(first(f))
            except (TypeError, AttributeError):
                raise no_such_overload() from None

        return unary
    if len(runs) == 2:
        first, second = runs
        if codes[1].literal:
            return _with_literal(function, first, second([]))

        def binary(f: Frame) -> Any:
            try:
                return function(first(f), second(f))
            except (TypeError, AttributeError):
                raise no_such_overload() from None

        return binary

    def run(f: Frame) -> Any:
        try:
            return function(*[each(f) for each in runs])
        except (TypeError, AttributeError):
            raise no_such_overload() from None

    return run


def _with_literal(function: Callable[..., Any], first: Run, value: Any) -> Run:
    def run(f: Frame) -> Any:
        try:
            return function(first(f), value)
        except (TypeError, AttributeError):
            raise no_such_overload() from None

    return run


def priced_call(function: Callable[..., Any], runs: Sequence[Run], price: Price) -> Run:
    def run(f: Frame) -> Any:
        arguments = [each(f) for each in runs]
        try:
            result = function(*arguments)
            f[SPENT] += price(arguments, result)
        except (TypeError, AttributeError):
            raise no_such_overload() from None
        if f[SPENT] > f[LIMIT]:
            raise CostExceeded
        return result

    return run


def dispatch(choices: Sequence[tuple[Overload, Price | None]], runs: Sequence[Run]) -> Run:
    def run(f: Frame) -> Any:
        arguments = [each(f) for each in runs]
        for overload, price in choices:
            if all(map(accepts, overload.arguments, arguments)):
                try:
                    result = overload.run(*arguments)
                except (TypeError, AttributeError):
                    raise no_such_overload() from None
                f[SPENT] += 1 if price is None else price(arguments, result)
                if f[SPENT] > f[LIMIT]:
                    raise CostExceeded
                return result
        raise _mismatch(choices[0][0].name, arguments)

    return run


# Which types of a first operand an operator works with at all.
_NUMBERS = frozenset(("int", "uint", "double"))
_COMPARED = _NUMBERS | {"bool", "bytes", "string", "duration", "timestamp"}
_OPERATORS: Mapping[str, frozenset[str]] = {
    "_+_": _NUMBERS | {"bytes", "string", "duration", "timestamp", "list"},
    "_-_": _NUMBERS | {"duration", "timestamp"},
    "_*_": _NUMBERS,
    "_/_": _NUMBERS,
    "_%_": frozenset(("int", "uint")),
    "-_": frozenset(("int", "double", "duration", "bool")),
    **dict.fromkeys(("_<_", "_<=_", "_>_", "_>=_"), _COMPARED),
    "size": frozenset(("bytes", "string", "list", "map")),
    "matches": frozenset(("string",)),
}
# These answer for themselves whatever they are asked.
_RECEIVERS = frozenset(("string", "duration", "timestamp"))
_SILENT = frozenset(("@in", "!_", "_==_", "_!=_", "_[_]", "_[?_]", "or", "orValue"))


def _mismatch(function: str, arguments: Sequence[Any]) -> EvaluationError:
    """Operators tell their name where the first operand is nothing for them; functions all they were given."""
    if function in _SILENT:
        return no_such_overload()
    types = [type_of(each) for each in arguments]
    works = _OPERATORS.get(function)
    if works is None:
        return EvaluationError(f"no such overload: {function}({', '.join(each.runtime_name for each in types)})")
    if types[0].kind in works or types[0].kind in _RECEIVERS:
        return no_such_overload()
    return EvaluationError(f"no such overload: {function}")


_FOLDED = frozenset(("int", "uint", "double", "bool", "string", "bytes", "timestamp", "duration"))


def folded(node: Call, overload: Overload) -> Any:
    """The value of a conversion of a literal, worked out once; END where it is none. Raises PlanError."""
    argument = node.arguments[0] if node.arguments else None
    if node.function not in _FOLDED or node.target is not None or not isinstance(argument, Literal):
        return END
    try:
        return overload.run(argument.value)
    except CelError as e:
        raise PlanError(str(e)) from None


_SCALARS = frozenset(("bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint"))


def is_quick(node: Call) -> bool:
    """Whether Python's own equality says the same."""
    left, right = (each.type.kind for each in node.operands)
    return left == right and left in _SCALARS


def quick_equality(id_: str, left: Run, right: Run, cost: int, *, measured: bool) -> Code:
    wanted = id_ == "equals"
    if not measured:
        if wanted:
            return Code(lambda f: left(f) == right(f), cost + 1)
        return Code(lambda f: left(f) != right(f), cost + 1)

    def run(f: Frame) -> bool:
        try:
            a, b = left(f), right(f)
        except EvaluationError:
            f[SPENT] += 1
            raise
        try:
            f[SPENT] += tenth(min(len(a), len(b)))
        except TypeError:
            f[SPENT] += 1
        return (a == b) is wanted

    return Code(run, cost)


def constant_members(node: Node) -> frozenset[Any] | None:
    """The elements of a list of literals of one type, which is asked as a set."""
    if not isinstance(node, ListLiteral) or not node.elements or node.optional:
        return None
    values = [each.value if isinstance(each, Literal) else None for each in node.elements]
    kinds = {type(value) for value in values}
    return frozenset(values) if len(kinds) == 1 and kinds <= {bool, int, UInt, float, str} else None


def membership(item: Run, members: frozenset[Any]) -> Run:
    numeric = not isinstance(next(iter(members)), bool | str)

    def run(f: Frame) -> bool:
        value = item(f)
        try:
            return value in members and not (numeric and isinstance(value, bool))
        except TypeError:
            return False

    return run


def with_bound_pattern(node: Call, overload: Overload) -> Callable[..., Any]:
    """`matches` of a literal pattern has it compiled beforehand."""
    if overload.run is not matches or not isinstance(node.operands[1], Literal):
        return overload.run
    try:
        search = compile_pattern(node.operands[1].value).search
    except PatternError:
        return overload.run

    def run(text: str, pattern: str) -> bool:
        try:
            return search(text)
        except PatternError as e:
            raise EvaluationError(str(e)) from None

    return run


def _is(run: Run, f: Frame, wanted: bool) -> bool:
    try:
        return run(f) is wanted
    except CostExceeded:
        raise
    except EvaluationError:
        return False


def short_circuit(left: Run, right: Run, right_cost: int, decisive: bool) -> Run:
    """`||` where `decisive` is True, `&&` where it is False: that value on one side absorbs errors on the other."""

    def run(f: Frame) -> Any:
        error: EvaluationError | None = None
        try:
            found = left(f)
        except CostExceeded:
            raise
        except EvaluationError as e:
            error = e
        else:
            if found is decisive:
                return decisive
            if found is (not decisive):
                f[SPENT] += right_cost
                other = right(f)
                if type(other) is bool:
                    return other
                raise no_such_overload()
            error = no_such_overload()
        f[SPENT] += right_cost
        if _is(right, f, decisive):
            return decisive
        raise error

    return run
