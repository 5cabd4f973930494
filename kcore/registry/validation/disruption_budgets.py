"""PodDisruptionBudgets."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.field import FieldError, Path, invalid, not_supported
from kcore.api.policy_v1 import PodDisruptionBudget
from kcore.registry.validation.int_or_percent import validate_share
from kcore.registry.validation.internal import shown
from kcore.registry.validation.labels import validate_label_selector
from kcore.registry.validation.values import non_negative

__all__ = ["validate_disruption_budget", "validate_disruption_budget_status"]

_SPEC = Path("spec")
_STATUS = Path("status")
_POLICIES = ("AlwaysAllow", "IfHealthyBudget")


def validate_disruption_budget(budget: PodDisruptionBudget) -> Iterator[FieldError]:
    spec = budget.spec
    if spec.min_available is not None and spec.max_unavailable is not None:
        yield invalid(_SPEC, shown(spec), "minAvailable and maxUnavailable cannot be both set")
    if spec.min_available is not None:
        yield from validate_share(spec.min_available, _SPEC / "minAvailable")
    if spec.max_unavailable is not None:
        yield from validate_share(spec.max_unavailable, _SPEC / "maxUnavailable")
    yield from validate_label_selector(spec.selector, _SPEC / "selector")
    policy = spec.unhealthy_pod_eviction_policy
    if policy is not None and policy not in _POLICIES:
        yield not_supported(_SPEC / "unhealthyPodEvictionPolicy", policy, _POLICIES)


def validate_disruption_budget_status(new: PodDisruptionBudget, old: PodDisruptionBudget) -> Iterator[FieldError]:
    status = new.status
    yield from non_negative(_STATUS / "disruptionsAllowed", status.disruptions_allowed)
    yield from non_negative(_STATUS / "currentHealthy", status.current_healthy)
    yield from non_negative(_STATUS / "desiredHealthy", status.desired_healthy)
    yield from non_negative(_STATUS / "expectedPods", status.expected_pods)
