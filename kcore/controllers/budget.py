"""The arithmetic of a PodDisruptionBudget: pure, so that it can be read beside KEP-85."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from kcore.api.core_v1 import Pod
from kcore.api.meta_v1 import Condition
from kcore.api.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus
from kcore.api.timestamp import parse
from kcore.controllers.pods import is_ready

__all__ = ["CONFIRMATION", "desired_healthy", "failed_status", "still_disrupted", "wanted_status"]

CONFIRMATION = 120.0
"""Seconds after which an eviction that was granted, and not carried out, no longer counts."""

DISRUPTION_ALLOWED = "DisruptionAllowed"


def desired_healthy(spec: PodDisruptionBudgetSpec, expected: int) -> int:
    """How many of the expected pods have to be healthy."""
    if spec.max_unavailable is not None:
        return max(expected - _share(spec.max_unavailable, expected), 0)
    return _share(spec.min_available, expected) if spec.min_available is not None else 0


def _share(value: int | str, whole: int) -> int:
    """A number, or a percentage of the whole, rounded up."""
    return -(-whole * int(value.rstrip("%")) // 100) if isinstance(value, str) else value


def still_disrupted(
    budget: PodDisruptionBudget, pods: Iterable[Pod], now: float
) -> tuple[Mapping[str, str], Sequence[Pod]]:
    """Evictions granted whose pods are not on their way yet; and the pods of those that never came."""
    disrupted: dict[str, str] = {}
    overdue: list[Pod] = []
    for pod in pods:
        granted = budget.status.disrupted_pods.get(pod.metadata.name)
        if granted is None or pod.metadata.deletion_timestamp is not None:
            continue
        if parse(granted) + CONFIRMATION < now:
            overdue.append(pod)
        else:
            disrupted[pod.metadata.name] = granted
    return disrupted, overdue


def wanted_status(
    budget: PodDisruptionBudget,
    pods: Iterable[Pod],
    expected: int,
    desired: int,
    disrupted: Mapping[str, str],
    timestamp: str,
) -> PodDisruptionBudgetStatus:
    """What the status should say. A budget that covers no pods allows nothing: the first may come before we look."""
    healthy = sum(
        is_ready(pod) and pod.metadata.deletion_timestamp is None and pod.metadata.name not in disrupted for pod in pods
    )
    allowed = max(healthy - desired, 0) if expected > 0 else 0
    generation = budget.metadata.generation
    condition = Condition(
        type=DISRUPTION_ALLOWED,
        status="True" if allowed else "False",
        reason="SufficientPods" if allowed else "InsufficientPods",
        observed_generation=generation,
        last_transition_time=timestamp,
    )
    return PodDisruptionBudgetStatus(
        current_healthy=healthy,
        desired_healthy=desired,
        expected_pods=expected,
        disruptions_allowed=allowed,
        disrupted_pods=disrupted,
        observed_generation=generation,
        conditions=_with(budget.status.conditions, condition),
    )


def failed_status(budget: PodDisruptionBudget, why: str, timestamp: str) -> PodDisruptionBudgetStatus:
    """Where the expected number of pods can not be known, nothing may be disrupted."""
    condition = Condition(
        type=DISRUPTION_ALLOWED,
        status="False",
        reason="SyncFailed",
        message=why,
        observed_generation=budget.status.observed_generation,
        last_transition_time=timestamp,
    )
    conditions = _with(budget.status.conditions, condition)
    return replace(budget.status, disruptions_allowed=0, conditions=conditions)


def _with(conditions: Sequence[Condition], new: Condition) -> tuple[Condition, ...]:
    """The conditions with one set; its time changes with its status alone."""
    for i, old in enumerate(conditions):
        if old.type == new.type:
            if old.status == new.status:
                new = replace(new, last_transition_time=old.last_transition_time)
            return (*conditions[:i], new, *conditions[i + 1 :])
    return (*conditions, new)
