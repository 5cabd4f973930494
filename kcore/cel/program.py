"""A compiled expression, ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.cel.cost import Budget
from kcore.cel.errors import CostExceeded, EvaluationError
from kcore.cel.frames import SPENT, Code, Frame
from kcore.cel.types import Type

__all__ = ["Program"]

_TOO_DEEP = "evaluation recursion limit exceeded"


class Program:
    """A compiled expression. `result` is its type; `uses` the declared variables that it names."""

    __slots__ = ("_base", "_names", "_run", "_slots", "limit", "result", "text", "uses")

    def __init__(self, text: str, result: Type, code: Code, names: Sequence[str], slots: int, limit: int) -> None:
        self.text = text
        self.result = result
        self.uses = frozenset(names)
        self.limit = limit
        self._run, self._base = code.run, code.cost
        self._names = tuple(names)
        self._slots = [None] * slots

    def evaluate(self, variables: Mapping[str, Any], budget: Budget | None = None) -> Any:
        """Raises EvaluationError. What it cost is taken off the budget, also where it fails."""
        try:
            values = [variables[name] for name in self._names]
        except KeyError as e:
            raise EvaluationError(f"no such attribute(s): {e.args[0]}") from None
        frame: Frame = [self._base, self.limit, *values, *self._slots]
        try:
            value = self._run(frame)
        except RecursionError:
            raise EvaluationError(_TOO_DEEP) from None
        finally:
            if budget is not None:
                budget.remaining -= frame[SPENT]
        if frame[SPENT] > self.limit:
            raise CostExceeded
        return value
