"""A compiled expression, ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.cel.cost import AUTHORIZATION_CHECK, CALL_LIMIT, Budget
from kcore.cel.errors import CostExceeded, EvaluationError
from kcore.cel.frames import SPENT, Code, Frame
from kcore.cel.types import Type

__all__ = ["Program"]

_QUESTIONS = CALL_LIMIT // AUTHORIZATION_CHECK * AUTHORIZATION_CHECK
_TOO_DEEP = "evaluation recursion limit exceeded"


class Program:
    """A compiled expression. `result` is its type; `uses` the declared variables that it names."""

    __slots__ = ("_base", "_names", "_quick", "_run", "_slots", "limit", "result", "text", "uses")

    def __init__(self, text: str, result: Type, code: Code, names: Sequence[str], slots: int, limit: int) -> None:
        self.text = text
        self.result = result
        self.uses = frozenset(names)
        self.limit = limit
        self._run, self._base = code.run, code.cost
        self._names = tuple(names)
        self._slots = [None] * slots
        # Questions to the authorizer are dear upstream, and answered in no time here: as many as fit hold nobody up.
        self._quick = _QUESTIONS if any(name.partition(".")[0] == "authorizer" for name in names) else 0

    def evaluate(self, variables: Mapping[str, Any], budget: Budget | None = None) -> Any:
        """Raises EvaluationError. What it cost is taken off the budget, also where it fails: see there for TooMuch."""
        try:
            values = [variables[name] for name in self._names]
        except KeyError as e:
            raise EvaluationError(f"no such attribute(s): {e.args[0]}") from None
        limit = self.limit if budget is None else min(self.limit, budget.patience + self._quick)
        frame: Frame = [self._base, limit, *values, *self._slots]
        try:
            value = self._run(frame)
        except RecursionError:
            raise EvaluationError(_TOO_DEEP) from None
        finally:
            if budget is not None:
                budget.spend(frame[SPENT], max(0, frame[SPENT] - self._quick))
        if frame[SPENT] > self.limit:
            raise CostExceeded
        return value
