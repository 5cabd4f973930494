"""ReplicaSets and ReplicationControllers."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.apps_v1 import ReplicaSet, ReplicaSetStatus
from kcore.api.core_v1 import ReplicationController, ReplicationControllerStatus
from kcore.api.field import FieldError, Path, invalid, required
from kcore.api.selectors import selector_from_labels
from kcore.registry.validation.pods import validate_pod_template_spec
from kcore.registry.validation.rules import not_negative
from kcore.registry.validation.values import immutable, non_negative
from kcore.registry.validation.workloads import (
    labels_mismatch,
    validate_counts,
    validate_endless_template,
    validate_selector_and_template,
)

__all__ = [
    "validate_replica_set",
    "validate_replica_set_status",
    "validate_replica_set_update",
    "validate_replication_controller",
    "validate_replication_controller_status",
    "validate_replication_controller_update",
]

_SPEC = Path("spec")
_STATUS = Path("status")
_COUNTS = {
    "replicas": "replicas",
    "fullyLabeledReplicas": "fully_labeled_replicas",
    "readyReplicas": "ready_replicas",
    "availableReplicas": "available_replicas",
    "observedGeneration": "observed_generation",
}


def validate_replica_set(replica_set: ReplicaSet) -> Iterator[FieldError]:
    spec = replica_set.spec
    yield from not_negative(_SPEC / "replicas", spec.replicas)
    yield from not_negative(_SPEC / "minReadySeconds", spec.min_ready_seconds)
    yield from validate_selector_and_template(spec.selector, spec.template, _SPEC)


def validate_replica_set_update(new: ReplicaSet, old: ReplicaSet) -> Iterator[FieldError]:
    """Upstream looks at the whole as at a new one, and once more as at a changed one."""
    yield from validate_replica_set(new)
    yield from validate_replica_set(new)
    yield from immutable(_SPEC / "selector", new.spec.selector, old.spec.selector)


def validate_replica_set_status(new: ReplicaSet, old: ReplicaSet) -> Iterator[FieldError]:
    yield from _validate_status(new.status)


def _validate_status(status: ReplicaSetStatus | ReplicationControllerStatus) -> Iterator[FieldError]:
    yield from validate_counts(status, _STATUS, _COUNTS)
    if isinstance(status, ReplicaSetStatus):
        yield from not_negative(_STATUS / "terminatingReplicas", status.terminating_replicas)
    for name, count in (
        ("fullyLabeledReplicas", status.fully_labeled_replicas),
        ("readyReplicas", status.ready_replicas),
        ("availableReplicas", status.available_replicas),
    ):
        if count > status.replicas:
            yield invalid(_STATUS / name, count, "cannot be greater than status.replicas")
    if status.available_replicas > status.ready_replicas:
        words = "cannot be greater than readyReplicas"
        yield invalid(_STATUS / "availableReplicas", status.available_replicas, words)


def validate_replication_controller(controller: ReplicationController) -> Iterator[FieldError]:
    spec = controller.spec
    yield from not_negative(_SPEC / "minReadySeconds", spec.min_ready_seconds)
    if not spec.selector:
        yield required(_SPEC / "selector")
    if spec.replicas is None:
        yield required(_SPEC / "replicas")
    else:
        yield from non_negative(_SPEC / "replicas", spec.replicas)
    template, path = spec.template, _SPEC / "template"
    if template is None:
        yield required(path)
        return
    selector = selector_from_labels(spec.selector)
    yield from labels_mismatch(selector, template.metadata.labels, path / "metadata" / "labels")
    yield from validate_pod_template_spec(template, path)
    yield from validate_endless_template(template, path, "ReplicationController")


def validate_replication_controller_update(
    new: ReplicationController, old: ReplicationController
) -> Iterator[FieldError]:
    """Looked at twice, as ReplicaSets are."""
    yield from validate_replication_controller(new)
    yield from validate_replication_controller(new)


def validate_replication_controller_status(
    new: ReplicationController, old: ReplicationController
) -> Iterator[FieldError]:
    yield from _validate_status(new.status)
