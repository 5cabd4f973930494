"""PodDisruptionBudgets."""

from __future__ import annotations

from kcore.api.names import path_segment_name
from kcore.api.policy_v1 import PodDisruptionBudget
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.validation.disruption_budgets import (
    validate_disruption_budget,
    validate_disruption_budget_status,
)

__all__ = ["STRATEGIES"]


class PodDisruptionBudgetStrategy(Ruled):
    """Upstream asks no more of its name than that it may be part of a path."""

    type = PodDisruptionBudget
    name_rule = staticmethod(path_segment_name)
    unconditional_update = False
    generation = ("spec",)
    rules = Rules(create=validate_disruption_budget, status=validate_disruption_budget_status)


STRATEGIES = (PodDisruptionBudgetStrategy,)
