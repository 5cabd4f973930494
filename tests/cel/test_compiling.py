"""What is said of expressions that are none."""

from __future__ import annotations

import pytest

from kcore.cel import CompileError, Environment
from kcore.cel.types import DYN
from tests.cel.evaluating import ENVIRONMENT, complaint, evaluate

OPERAND = (
    "expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', "
    "NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
)

NO_RANGE = "cannot be range of a comprehension (must be list, map, or dynamic)"


@pytest.mark.parametrize(
    ("expression", "column", "message"),
    [
        ("self.count >", 13, f"Syntax error: mismatched input '<EOF>' {OPERAND}"),
        ("1 + * 2", 5, f"Syntax error: extraneous input '*' {OPERAND}"),
        ("n n", 3, "Syntax error: extraneous input 'n' expecting <EOF>"),
        ("(n", 3, "Syntax error: missing ')' at '<EOF>'"),
        ("n @", 3, "Syntax error: token recognition error at: '@'"),
        ("for", 1, "reserved identifier: for"),
        ("9223372036854775808", 1, "invalid int literal"),
        ("18446744073709551616u", 1, "invalid uint literal"),
        ("has(n)", 5, "invalid argument to has() macro"),
        ("l.all(1, true)", 7, "argument must be a simple name"),
        ("foo.bar", 1, "undeclared reference to 'foo' (in container '')"),
        ("s.foo()", 6, "undeclared reference to 'foo' (in container '')"),
        ("self.zzz > 1", 5, "undefined field 'zzz'"),
        ("s.length", 2, "type 'string' does not support field selection"),
        ("n == 'x'", 3, "found no matching overload for '_==_' applied to '(int, string)'"),
        ("s.contains(1)", 11, "found no matching overload for 'contains' applied to 'string.(int)'"),
        ("n == 1.0", 3, "found no matching overload for '_==_' applied to '(int, double)'"),
        ("n.all(y, true)", 1, f"expression of type 'int' {NO_RANGE}"),
        ("l.all(y, y)", 6, "found no matching overload for '_&&_' applied to '(bool, int)'"),
        ("[1, 'a']", 5, "expected type 'int' but found 'string'"),
        ("n > 0 ? 1 : 'a'", 7, "found no matching overload for '_?_:_' applied to '(bool, int, string)'"),
        ("s.matches('(')", 11, "invalid matches argument"),
        ("duration('1x')", 10, "invalid duration argument"),
        ("timestamp('today')", 11, "invalid timestamp argument"),
    ],
)  # fmt: skip
def test_a_wrong_expression_is_told_what_and_where(expression: str, column: int, message: str) -> None:
    told = complaint(expression)
    assert told == f"ERROR: <input>:1:{column}: {message}\n | {expression}\n | {'.' * (column - 1)}^"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (
            "n = 1",
            [
                "1:3: Syntax error: token recognition error at: '= '",
                "1:5: Syntax error: extraneous input '1' expecting <EOF>",
            ],
        ),
        (
            "'abc",
            [
                "1:1: Syntax error: token recognition error at: ''abc'",
                f"1:5: Syntax error: mismatched input '<EOF>' {OPERAND}",
            ],
        ),
        ("n & 1 | #", ["1:3: Syntax error: token recognition error at: '& '",
                       "1:5: Syntax error: extraneous input '1' expecting <EOF>",
                       "1:7: Syntax error: token recognition error at: '| '",
                       "1:9: Syntax error: token recognition error at: '#'"]),
    ],
)  # fmt: skip
def test_what_is_no_token_is_told_and_left_out(expression: str, said: list[str]) -> None:
    lines = [line for line in complaint(expression).splitlines() if line.startswith("ERROR")]
    assert lines == [f"ERROR: <input>:{line}" for line in said]


def test_all_wrong_names_are_told_in_the_order_of_the_text() -> None:
    lines = complaint("a +\n  b").splitlines()
    assert lines[0] == "ERROR: <input>:1:1: undeclared reference to 'a' (in container '')"
    assert lines[3] == "ERROR: <input>:2:3: undeclared reference to 'b' (in container '')"
    assert lines[4:] == [" |   b", " | ..^"]


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 1000 + "1" + ")" * 1000,
        "[" * 5000,
        "-" + "!" * 100_000 + "true",
        "x" + ".a" * 5000,
        "+".join(["1"] * 5000),
        "x" * 100_001,
        "true ? " * 400 + "1" + " : 1" * 400,
        "{" * 3000,
    ],
    ids=["parentheses", "brackets", "negations", "selections", "sum", "length", "conditions", "braces"],
)
def test_no_expression_is_too_deep_or_long_to_be_refused(expression: str) -> None:
    with pytest.raises(CompileError):
        ENVIRONMENT.compile(expression)


def test_a_long_chain_of_conditions_stays_shallow() -> None:
    assert evaluate(" || ".join(["n == 1"] * 2000) + " || n == 2", n=2)


def test_a_program_tells_its_type_and_what_it_uses() -> None:
    program = Environment({"object": DYN, "oldObject": DYN}).compile("object.a + 1 > 2")
    assert str(program.result) == "bool"
    assert program.uses == {"object"}
