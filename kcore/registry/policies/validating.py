"""A ValidatingAdmissionPolicy, compiled, and what it says of one request (KEP-3488)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kcore.api.admissionregistration_v1 import ValidatingAdmissionPolicy, Validation
from kcore.cel import Program
from kcore.registry.policies.conditions import compile_conditions, hold
from kcore.registry.policies.evaluation import Evaluation, Failed, Inputs, OutOfBudget
from kcore.registry.policies.expressions import (
    CONDITION,
    MESSAGE,
    VALUE,
    Names,
    compile_one,
    compile_variables,
)

__all__ = ["CompiledValidation", "Denial", "Verdict"]

_MESSAGE_MAX = 5 * 1024


class Denial(NamedTuple):
    """A validation that did not hold; `reason` is empty where the policy itself failed."""

    message: str
    reason: str = ""
    position: int = 0


class Verdict(NamedTuple):
    denials: Sequence[Denial] = ()
    annotations: Mapping[str, str] = {}  # read only


class _Rule(NamedTuple):
    program: Program
    message: Program | None
    validation: Validation


class CompiledValidation:
    """Evaluated for each of its bindings' params."""

    def __init__(self, policy: ValidatingAdmissionPolicy) -> None:
        """Raises BadExpression."""
        spec = policy.spec
        params = spec.param_kind is not None
        self._ignores_failures = spec.failure_policy == "Ignore"
        self._conditions = compile_conditions(spec.match_conditions, params=params)
        variables = [(variable.name, variable.expression) for variable in spec.variables]
        self._variables, names = compile_variables(variables, Names.of(params=params))
        said = names._replace(authorizer=False)
        self._rules = tuple(
            _Rule(compile_one(v.expression, names, CONDITION), _message(v.message_expression, said), v)
            for v in spec.validations
        )
        self._annotations = tuple(
            (a.key, compile_one(a.value_expression, names, VALUE)) for a in spec.audit_annotations
        )

    def judge(self, inputs: Inputs) -> Verdict:
        try:
            if self._conditions and not hold(self._conditions, inputs):
                return Verdict()
            denials = list(self._denials(inputs))
        except Failed as failure:
            return Verdict(self._failed(failure))
        annotations: dict[str, str] = {}
        evaluation = Evaluation(inputs, self._variables)
        for key, program in self._annotations:
            try:
                value = (evaluation.value(program) or "").strip()
            except Failed as failure:
                denials += self._failed(failure)
                continue
            if value:
                annotations[key] = value
        return Verdict(denials, annotations)

    def _failed(self, failure: Failed, position: int = 0) -> Sequence[Denial]:
        return () if self._ignores_failures else (Denial(str(failure), position=position),)

    def _denials(self, inputs: Inputs) -> Iterator[Denial]:
        """Raises OutOfBudget."""
        evaluation = Evaluation(inputs, self._variables)
        outcomes = [_outcome(evaluation, rule) for rule in self._rules]
        for i, (rule, outcome) in enumerate(zip(self._rules, outcomes, strict=True)):
            if isinstance(outcome, Failed):
                yield from self._failed(outcome, i)
            elif outcome is not True:
                yield Denial(_words(rule, evaluation), rule.validation.reason or "Invalid", i)


def _outcome(evaluation: Evaluation, rule: _Rule) -> Any:
    """What a rule comes to, or how it failed. Raises OutOfBudget."""
    try:
        return evaluation.value(rule.program)
    except OutOfBudget:
        raise
    except Failed as failure:
        return failure


def _message(text: str, names: Names) -> Program | None:
    return compile_one(text, names, MESSAGE) if text else None


def _words(rule: _Rule, evaluation: Evaluation) -> str:
    """The message that the rule makes, or has; or the rule itself."""
    validation = rule.validation
    if rule.message is not None:
        try:
            made = str(evaluation.value(rule.message)).strip()
        except OutOfBudget:
            raise
        except Failed:
            made = ""
        if made and len(made.encode()) <= _MESSAGE_MAX and "\n" not in made:
            return made
    return validation.message.strip() or f"failed expression: {validation.expression.strip()}"
