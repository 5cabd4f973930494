"""What does a validation rule cost, next to the same condition written in Python?

A small rule over two fields, one over a list of 200, one that matches a pattern; and compiling the small one.
(goal: 2 us for the small rule, 25 us over 200 items on a quiet machine)
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from bench.serving import report
from kcore.cel import Environment
from kcore.cel.types import INT, STRING, Field, ObjectType, list_of

ROUNDS = 60
SELF = ObjectType.named(
    "self",
    {"min": Field(INT), "max": Field(INT), "name": Field(STRING), "ports": Field(list_of(INT))},
)
OBJECT = {"min": 1, "max": 2, "name": "web-1", "ports": list(range(1, 201))}
NAME = re.compile("^[a-z0-9-]+$")

SMALL = "!has(self.min) || !has(self.max) || self.min <= self.max"
RULES: Mapping[str, tuple[str, Callable[[Any], bool], int]] = {
    "small": (
        SMALL,
        lambda o: "min" not in o or "max" not in o or o["min"] <= o["max"],
        500,
    ),
    "items_200": ("self.ports.all(p, p > 0)", lambda o: all(p > 0 for p in o["ports"]), 20),
    "pattern": ("self.name.matches('^[a-z0-9-]+$')", lambda o: NAME.search(o["name"]) is not None, 500),
}


def microseconds(work: Callable[[Any], Any], given: Any, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        work(given)
    return (time.perf_counter() - start) / times * 1e6


def side_by_side(
    one: Callable[[Any], Any], one_given: Any, other: Callable[[Any], Any], other_given: Any, times: int
) -> tuple[float, float]:
    """The best rounds of two things that take turns, so that a busy machine slows both down."""
    rounds = [(microseconds(one, one_given, times), microseconds(other, other_given, times)) for _ in range(ROUNDS)]
    return min(a for a, _ in rounds), min(b for _, b in rounds)


def main() -> None:
    environment = Environment({"self": SELF, "oldSelf": SELF})
    figures: dict[str, float] = {}
    for name, (rule, reference, times) in RULES.items():
        program = environment.compile(rule)
        taken, python = side_by_side(program.evaluate, {"self": OBJECT}, reference, OBJECT, times)
        figures[f"{name}_us"] = round(taken, 2)
        figures[f"{name}_ratio"] = round(taken / python, 1)
    compiling = [microseconds(environment.compile, SMALL, 20) for _ in range(ROUNDS)]
    figures["compile_us"] = round(min(compiling), 1)
    report("cel", **figures)


if __name__ == "__main__":
    main()
