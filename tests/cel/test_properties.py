"""CEL with expressions and values that nobody thought of."""

from __future__ import annotations

import operator
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.cel import CALL_LIMIT, RUNTIME_LIMIT, Budget, CompileError, Environment, EvaluationError
from kcore.cel.conversions import double_text, to_double
from kcore.cel.estimate import UNBOUNDED, estimate
from kcore.cel.times import format_duration, format_timestamp, parse_duration, parse_timestamp
from kcore.cel.types import DYN, INT, STRING, list_of, map_of
from kcore.cel.values import INT_MAX, INT_MIN, Duration, Timestamp, equal

ENVIRONMENT = Environment(
    {"x": DYN, "y": DYN, "n": INT, "s": STRING, "l": list_of(INT), "t": list_of(STRING), "m": map_of(STRING, INT)}
)

# --- texts that may be expressions ---

PIECES = st.sampled_from(
    [
        "x", "y", "n", "s", "l", "t", "m", "1", "-", "2u", "1.5", "'a'", "b'a'", "true", "null", "(", ")", "[", "]",
        "{", "}", ",", ":", "?", ".", "+", "*", "/", "%", "==", "<", "in", "&&", "||", "!", "has", "size", ".all(",
        ".map(i,", "i", ".?", "[?", "optional.of(", ".orValue(", "cel.bind(", "matches", ".matches('", "\\", "`",
        "duration('1h')", "timestamp(0)", "int(", "string(", ".split(", ".format([", "type(", "dyn(", "\n", " ", "é",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(INT_MIN, INT_MAX) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abi", max_size=2), inner, max_size=4),
    max_leaves=12,
)
VARIABLES = st.fixed_dictionaries(
    {
        "x": JSON,
        "y": JSON,
        "n": st.integers(INT_MIN, INT_MAX),
        "s": st.text(max_size=8),
        "l": st.lists(st.integers(-3, 3), max_size=5),
        "t": st.lists(st.text("ab", max_size=3), max_size=5),
        "m": st.dictionaries(st.text("ab", max_size=2), st.integers(-3, 3), max_size=3),
    }
)


@given(TEXTS, VARIABLES)
def test_any_text_is_a_value_or_a_complaint(text: str, variables: dict[str, Any]) -> None:
    with suppress(CompileError, EvaluationError):  # and nothing else
        ENVIRONMENT.compile(text).evaluate(variables)


# --- expressions that are well formed ---

NUMBERS = st.recursive(
    st.integers(0, 3).map(str) | st.sampled_from(["n", "size(s)", "size(l)", "m['a']", "l[0]"]),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/%"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
    max_leaves=5,
)
BOOLS = st.recursive(
    st.sampled_from(["true", "false", "has(m.a)", "'a' in m", "s.contains('a')", "s.matches('^a*$')", "s == t[0]"])
    | st.tuples(NUMBERS, st.sampled_from(["==", "!=", "<", "<="]), NUMBERS).map(lambda p: f"{p[0]} {p[1]} {p[2]}"),
    lambda inner: st.one_of(
        inner.map(lambda b: f"!({b})"),
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} ? {p[1]} : {p[2]})"),
        st.tuples(st.sampled_from(["all", "exists", "exists_one"]), inner).map(
            lambda p: f"l.{p[0]}(i, i > 0 || ({p[1]}))"
        ),
        inner.map(lambda b: f"t.filter(i, i != s && ({b})).map(i, i + s).exists(i, i.size() > 2)"),
    ),
    max_leaves=8,
)


@given(BOOLS, VARIABLES)
def test_a_condition_is_true_or_false_or_fails_and_its_opposite_likewise(text: str, variables: dict[str, Any]) -> None:
    outcomes: list[object] = []
    for expression in (text, f"!({text})"):
        try:
            outcomes.append(ENVIRONMENT.compile(expression).evaluate(variables))
        except EvaluationError as e:
            outcomes.append(str(e))
    plain, opposite = outcomes
    assert opposite == (not plain if isinstance(plain, bool) else plain)


SIZES = {"s": 8, "l": 5, "t": 5, "m": 3, "n": 0}


def size_of(path: tuple[str, ...]) -> int | None:
    if len(path) == 1:
        return SIZES.get(path[0])
    elements: dict[tuple[str, ...], int] = {("t", "@items"): 3, ("l", "@items"): 0, ("m", "@keys"): 2}
    return elements.get(path, 0)


@given(BOOLS, VARIABLES)
def test_nothing_costs_more_than_was_estimated(text: str, variables: dict[str, Any]) -> None:
    checked = ENVIRONMENT.check(text)
    most = estimate(checked.node, size_of).most
    budget = Budget(RUNTIME_LIMIT)
    try:
        checked.program().evaluate(variables, budget)
    except EvaluationError:
        return  # what fails early is charged for what it did not do
    spent = RUNTIME_LIMIT - budget.remaining
    # Sizes of numbers are estimated as none, as upstream does: a comparison of two may cost one more than was told.
    assert spent <= most + text.count("=") * 40 or most == UNBOUNDED
    assert spent <= CALL_LIMIT


# --- arithmetic ---

INTEGERS = st.integers(INT_MIN, INT_MAX) | st.integers(-10, 10)
EXACT: dict[str, Callable[[int, int], int]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


@given(INTEGERS, st.sampled_from(sorted(EXACT)), INTEGERS)
def test_integers_are_exact_or_overflow(a: int, sign: str, b: int) -> None:
    program = Environment({"a": INT, "b": INT}).compile(f"a {sign} b")
    wanted = EXACT[sign](a, b)
    if INT_MIN <= wanted <= INT_MAX:
        assert program.evaluate({"a": a, "b": b}) == wanted
    else:
        with pytest.raises(EvaluationError, match="integer overflow"):
            program.evaluate({"a": a, "b": b})


@given(INTEGERS, INTEGERS.filter(bool))
def test_quotient_and_remainder_belong_together(a: int, b: int) -> None:
    variables = {"a": a, "b": b}
    environment = Environment({"a": INT, "b": INT})
    if (a, b) == (INT_MIN, -1):
        return  # overflows
    quotient = environment.compile("a / b").evaluate(variables)
    remainder = environment.compile("a % b").evaluate(variables)
    assert quotient * b + remainder == a
    assert abs(remainder) < abs(b)
    assert remainder == 0 or (remainder < 0) == (a < 0)


@given(JSON, JSON)
def test_equality_goes_both_ways(a: Any, b: Any) -> None:
    assert equal(a, b) is equal(b, a)


# --- texts of values ---


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_come_back_from_their_text(number: float) -> None:
    assert to_double(double_text(number)) == number


@given(st.integers(INT_MIN, INT_MAX))
def test_durations_come_back_from_their_text(nanos: int) -> None:
    assert parse_duration(format_duration(Duration(nanos))) == Duration(nanos)


@given(st.integers(-62135596800 * 10**9, 253402300800 * 10**9 - 1))
def test_timestamps_come_back_from_their_text(nanos: int) -> None:
    assert parse_timestamp(format_timestamp(Timestamp(nanos))) == Timestamp(nanos)
