"""Deployments."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.apps_v1 import Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment
from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, required
from kcore.registry.validation.int_or_percent import is_zero, validate_at_most_all, validate_int_or_percent
from kcore.registry.validation.internal import shown
from kcore.registry.validation.rules import not_negative
from kcore.registry.validation.values import immutable
from kcore.registry.validation.workloads import validate_counts, validate_selector_and_template

__all__ = ["validate_collisions", "validate_deployment", "validate_deployment_status", "validate_deployment_update"]

_SPEC = Path("spec")
_STATUS = Path("status")
_COUNTS = {
    "observedGeneration": "observed_generation",
    "replicas": "replicas",
    "updatedReplicas": "updated_replicas",
    "readyReplicas": "ready_replicas",
    "availableReplicas": "available_replicas",
    "unavailableReplicas": "unavailable_replicas",
    "terminatingReplicas": "terminating_replicas",
    "collisionCount": "collision_count",
}


def validate_deployment(deployment: Deployment) -> Iterator[FieldError]:
    spec = deployment.spec
    yield from not_negative(_SPEC / "replicas", spec.replicas)
    yield from validate_selector_and_template(spec.selector, spec.template, _SPEC)
    yield from _validate_strategy(spec.strategy, _SPEC / "strategy")
    yield from not_negative(_SPEC / "minReadySeconds", spec.min_ready_seconds)
    yield from not_negative(_SPEC / "revisionHistoryLimit", spec.revision_history_limit)
    yield from _validate_deadline(spec, _SPEC / "progressDeadlineSeconds")


def _validate_deadline(spec: DeploymentSpec, path: Path) -> Iterator[FieldError]:
    deadline = spec.progress_deadline_seconds
    if deadline is not None:
        yield from not_negative(path, deadline)
        if deadline <= spec.min_ready_seconds:
            yield invalid(path, deadline, "must be greater than minReadySeconds")


def _validate_strategy(strategy: DeploymentStrategy, path: Path) -> Iterator[FieldError]:
    rolling = strategy.rolling_update
    if strategy.type == "Recreate":
        if rolling is not None:
            words = "may not be specified when strategy `type` is 'Recreate'"
            yield forbidden(path / "rollingUpdate", words)
    elif strategy.type != "RollingUpdate":
        yield not_supported(path, shown(strategy), ("Recreate", "RollingUpdate"))
    elif rolling is None:
        yield required(path / "rollingUpdate", "this should be defaulted and never be nil")
    else:
        yield from _validate_rolling_update(rolling, path / "rollingUpdate")


def _validate_rolling_update(rolling: RollingUpdateDeployment, path: Path) -> Iterator[FieldError]:
    unavailable = rolling.max_unavailable or 0
    surge = rolling.max_surge or 0
    yield from validate_int_or_percent(unavailable, path / "maxUnavailable")
    yield from validate_int_or_percent(surge, path / "maxSurge")
    if is_zero(unavailable) and is_zero(surge):
        yield invalid(path / "maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")
    yield from validate_at_most_all(unavailable, path / "maxUnavailable")


def validate_deployment_update(new: Deployment, old: Deployment) -> Iterator[FieldError]:
    yield from validate_deployment(new)
    yield from immutable(_SPEC / "selector", new.spec.selector, old.spec.selector)


def validate_deployment_status(new: Deployment, old: Deployment) -> Iterator[FieldError]:
    status = new.status
    yield from validate_counts(status, _STATUS, _COUNTS)
    for name, count in (
        ("updatedReplicas", status.updated_replicas),
        ("readyReplicas", status.ready_replicas),
        ("availableReplicas", status.available_replicas),
    ):
        if count > status.replicas:
            yield invalid(_STATUS / name, count, "cannot be greater than status.replicas")
    if status.available_replicas > status.ready_replicas:
        words = "cannot be greater than readyReplicas"
        yield invalid(_STATUS / "availableReplicas", status.available_replicas, words)
    yield from validate_collisions(status.collision_count, old.status.collision_count)


def validate_collisions(new: int | None, old: int | None) -> Iterator[FieldError]:
    """The count of hash collisions only grows: names made with a smaller one would be taken again."""
    if old is not None and (new is None or new < old):
        yield invalid(_STATUS / "collisionCount", new or 0, "cannot be decremented")
