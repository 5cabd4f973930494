"""What a running program works on: a frame, which is a list.

At its head stands what was spent and what may be spent, then the variables. Every node of an expression is a function
of the frame (`Run`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

__all__ = ["END", "LIMIT", "PENDING", "SPENT", "VARIABLES", "Code", "Frame", "Run", "constant"]

Frame: TypeAlias = list[Any]
Run: TypeAlias = Callable[[Frame], Any]

SPENT: Final = 0
LIMIT: Final = 1
VARIABLES: Final = 2

PENDING: Final = object()
"""In the slot of a bound variable that nobody has asked for yet."""
END: Final = object()


class Code(NamedTuple):
    """What runs, and what it costs whenever it does, beside what it charges itself."""

    run: Run
    cost: int
    literal: bool = False


def constant(value: Any) -> Code:
    return Code(lambda f: value, 0, literal=True)
