"""DaemonSets, and ControllerRevisions, in which they and StatefulSets keep their history."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.apps_v1 import ControllerRevision, DaemonSet, DaemonSetUpdateStrategy, RollingUpdateDaemonSet
from kcore.api.field import FieldError, Path, invalid, not_supported, required
from kcore.api.selectors import SelectorError, selector_from_struct
from kcore.registry.validation.deployments import validate_collisions
from kcore.registry.validation.int_or_percent import is_zero, validate_at_most_all, validate_int_or_percent
from kcore.registry.validation.internal import shown
from kcore.registry.validation.labels import validate_label_selector
from kcore.registry.validation.pods import validate_pod_template_spec
from kcore.registry.validation.rules import not_negative
from kcore.registry.validation.values import immutable
from kcore.registry.validation.workloads import (
    is_empty,
    labels_mismatch,
    validate_counts,
    validate_endless_template,
)

__all__ = [
    "validate_controller_revision",
    "validate_controller_revision_update",
    "validate_daemon_set",
    "validate_daemon_set_status",
    "validate_daemon_set_update",
]

_SPEC = Path("spec")
_STATUS = Path("status")
_COUNTS = {
    "currentNumberScheduled": "current_number_scheduled",
    "numberMisscheduled": "number_misscheduled",
    "desiredNumberScheduled": "desired_number_scheduled",
    "numberReady": "number_ready",
    "observedGeneration": "observed_generation",
    "updatedNumberScheduled": "updated_number_scheduled",
    "numberAvailable": "number_available",
    "numberUnavailable": "number_unavailable",
    "collisionCount": "collision_count",
}


def validate_daemon_set(daemon_set: DaemonSet) -> Iterator[FieldError]:
    spec, template = daemon_set.spec, _SPEC / "template"
    yield from validate_label_selector(spec.selector, _SPEC / "selector")
    try:
        selector = selector_from_struct(spec.selector)
    except SelectorError:
        pass  # the expression at fault is reported already
    else:
        yield from labels_mismatch(selector, spec.template.metadata.labels, template / "metadata" / "labels")
    if spec.selector is not None and is_empty(spec.selector):
        yield invalid(_SPEC / "selector", spec.selector, "empty selector is invalid for daemonset")
    yield from validate_pod_template_spec(spec.template, template)
    yield from validate_endless_template(spec.template, template, "DaemonSet")
    yield from not_negative(_SPEC / "minReadySeconds", spec.min_ready_seconds)
    yield from _validate_strategy(spec.update_strategy, _SPEC / "updateStrategy")
    yield from not_negative(_SPEC / "revisionHistoryLimit", spec.revision_history_limit)


def _validate_strategy(strategy: DaemonSetUpdateStrategy, path: Path) -> Iterator[FieldError]:
    if strategy.type == "OnDelete":
        return
    if strategy.type != "RollingUpdate":
        yield not_supported(path, shown(strategy), ("RollingUpdate", "OnDelete"))
    elif strategy.rolling_update is None:
        yield required(path / "rollingUpdate")
    else:
        yield from _validate_rolling_update(strategy.rolling_update, path / "rollingUpdate")


def _validate_rolling_update(rolling: RollingUpdateDaemonSet, path: Path) -> Iterator[FieldError]:
    """Pods are either replaced on their node or first doubled there, never both (KEP-1591)."""
    unavailable = rolling.max_unavailable or 0
    surge = rolling.max_surge or 0
    for rule in (validate_int_or_percent, validate_at_most_all):
        yield from rule(unavailable, path / "maxUnavailable")
        yield from rule(surge, path / "maxSurge")
    if not is_zero(unavailable) and not is_zero(surge):
        yield invalid(path / "maxSurge", surge, "may not be set when maxUnavailable is non-zero")
    elif is_zero(unavailable) and is_zero(surge):
        yield required(path / "maxUnavailable", "cannot be 0 when maxSurge is 0")


def validate_daemon_set_update(new: DaemonSet, old: DaemonSet) -> Iterator[FieldError]:
    """Upstream looks at the whole as at a new one, and once more as at a changed one."""
    yield from validate_daemon_set(new)
    yield from immutable(_SPEC / "selector", new.spec.selector, old.spec.selector)
    yield from validate_daemon_set(new)


def validate_daemon_set_status(new: DaemonSet, old: DaemonSet) -> Iterator[FieldError]:
    yield from validate_counts(new.status, _STATUS, _COUNTS)
    yield from validate_collisions(new.status.collision_count, old.status.collision_count)


def validate_controller_revision(revision: ControllerRevision) -> Iterator[FieldError]:
    yield from not_negative(Path("revision"), revision.revision)
    if revision.data is None:
        yield required(Path("data"), "data is mandatory")
    elif not isinstance(revision.data, dict):
        yield required(Path("data"), "data must be a valid JSON object")


def validate_controller_revision_update(new: ControllerRevision, old: ControllerRevision) -> Iterator[FieldError]:
    """History is not rewritten."""
    yield from not_negative(Path("revision"), new.revision)
    yield from immutable(Path("data"), new.data, old.data)
