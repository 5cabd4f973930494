"""Match conditions: all must hold for a webhook to be called, or a policy to apply (KEP-3716)."""

from __future__ import annotations

from collections.abc import Sequence

from kcore.api.admissionregistration_v1 import MatchCondition
from kcore.cel import Program
from kcore.registry.policies.evaluation import CONDITIONS_LIMIT, Evaluation, Failed, Inputs
from kcore.registry.policies.expressions import CONDITION, Names, compile_one

__all__ = ["compile_conditions", "hold"]


def compile_conditions(conditions: Sequence[MatchCondition], *, params: bool = False) -> tuple[Program, ...]:
    """Raises BadExpression."""
    names = Names.of(params=params)
    return tuple(compile_one(condition.expression, names, CONDITION) for condition in conditions)


def hold(conditions: Sequence[Program], inputs: Inputs) -> bool:
    """Whether all do: one that does not decides, whatever happens to the others. Raises Failed where none decides."""
    evaluation = Evaluation(inputs, {}, CONDITIONS_LIMIT)
    failures = []
    for condition in conditions:
        try:
            if evaluation.value(condition) is not True:
                return False
        except Failed as failure:
            failures.append(str(failure))
    if failures:
        raise Failed(failures[0] if len(failures) == 1 else f"[{', '.join(dict.fromkeys(failures))}]")
    return True
