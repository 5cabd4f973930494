"""Evaluating the expressions of one policy for one request: variables when they are asked for, and one budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kcore.cel import Budget, EvaluationError, Program
from kcore.cel.cost import RUNTIME_LIMIT

__all__ = ["CONDITIONS_LIMIT", "Evaluation", "Failed", "Inputs", "OutOfBudget"]

CONDITIONS_LIMIT = RUNTIME_LIMIT // 4
"""What all match conditions of one webhook or policy may cost together."""

_TOO_DEAR = "validation failed due to running out of cost budget, no further validation rules will be run"


class Failed(Exception):
    """An expression has no value; the message is upstream's."""


class OutOfBudget(Failed):
    """No more can be evaluated."""

    def __init__(self) -> None:
        super().__init__(_TOO_DEAR)


class Inputs(dict[str, Any]):
    """The variables of one request by name; what is expensive to make is made when it is named first."""

    def __init__(self, makers: Mapping[str, Callable[[], Any]], shared: Inputs | None = None) -> None:
        super().__init__()
        self._makers = makers
        self._shared = shared

    def __missing__(self, name: str) -> Any:
        make = self._makers.get(name)
        if make is not None:
            value = self[name] = make()
            return value
        if self._shared is None:
            raise KeyError(name)
        return self._shared[name]

    def with_params(self, params: Any) -> Inputs:
        """The same for other params; what was made already is not made again."""
        return Inputs({"params": lambda: params}, self)


class _Variables(Mapping[str, Any]):
    """What `variables` is: a field is evaluated when an expression asks for it, once."""

    def __init__(self, programs: Mapping[str, Program], inputs: Inputs) -> None:
        self._programs = programs
        self._inputs = inputs
        self._known: dict[str, Any] = {}
        self.cost = 0

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = self._evaluate(name)
        found = self._known[name]
        if isinstance(found, EvaluationError):
            raise found
        return found

    def _evaluate(self, name: str) -> Any:
        budget = Budget(0)
        try:
            return self._programs[name].evaluate(self._inputs, budget)
        except EvaluationError as e:
            return EvaluationError(f'composited variable "{name}" fails to evaluate: {e}')
        finally:
            self.cost -= budget.remaining

    def __iter__(self) -> Iterator[str]:
        return iter(self._programs)

    def __len__(self) -> int:
        return len(self._programs)


class Evaluation:
    """A series of expressions over the same inputs."""

    def __init__(self, inputs: Inputs, variables: Mapping[str, Program], limit: int = RUNTIME_LIMIT) -> None:
        self._variables = _Variables(variables, inputs)
        inputs["variables"] = self._variables
        self._inputs = inputs
        self._budget = Budget(limit)

    def value(self, program: Program) -> Any:
        """Raises Failed, OutOfBudget."""
        try:
            value = program.evaluate(self._inputs, self._budget)
        except EvaluationError as e:
            self._spend()
            raise Failed(f"expression '{program.text}' resulted in error: {e}") from None
        self._spend()
        return value

    def _spend(self) -> None:
        cost, self._variables.cost = self._variables.cost, 0
        self._budget.spend(cost, cost)
        if self._budget.remaining < 0:
            raise OutOfBudget
