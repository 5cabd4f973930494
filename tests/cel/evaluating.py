"""Expressions over a few variables, for tests."""

from __future__ import annotations

from typing import Any

from kcore.cel import RUNTIME_LIMIT, Budget, CompileError, Environment, EvaluationError
from kcore.cel.types import DYN, INT, STRING, Field, ObjectType, list_of, map_of

OBJECT = ObjectType.named(
    "Thing",
    {
        "name": Field(STRING),
        "count": Field(INT),
        "ports": Field(list_of(INT)),
        "labels": Field(map_of(STRING, STRING)),
        "any": Field(DYN),
        "a__dash__b": Field(STRING, "a-b"),
    },
)
ENVIRONMENT = Environment(
    {"self": OBJECT, "x": DYN, "n": INT, "s": STRING, "l": list_of(INT), "m": map_of(STRING, INT)}
)


def evaluate(expression: str, **variables: Any) -> Any:
    return ENVIRONMENT.compile(expression).evaluate(variables)


def cost(expression: str, **variables: Any) -> int:
    budget = Budget(RUNTIME_LIMIT)
    ENVIRONMENT.compile(expression).evaluate(variables, budget)
    return RUNTIME_LIMIT - budget.remaining


def failure(expression: str, **variables: Any) -> str:
    """Why it has no value."""
    program = ENVIRONMENT.compile(expression)
    try:
        value = program.evaluate(variables)
    except EvaluationError as e:
        return str(e)
    raise AssertionError(f"{expression} is {value!r}")


def complaint(expression: str) -> str:
    """What its compiler says."""
    try:
        ENVIRONMENT.compile(expression)
    except CompileError as e:
        return str(e)
    raise AssertionError(f"{expression} compiles")
