"""StatefulSets."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace as _replace

from kcore.api import names
from kcore.api.apps_v1 import (
    RollingUpdateStatefulSetStrategy,
    StatefulSet,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetSpec,
    StatefulSetUpdateStrategy,
)
from kcore.api.core_v1 import PersistentVolumeClaimVolumeSource, PodTemplateSpec, Volume
from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, required
from kcore.api.selectors import SelectorError, selector_from_struct
from kcore.registry.validation.deployments import validate_collisions
from kcore.registry.validation.int_or_percent import is_zero, validate_share
from kcore.registry.validation.internal import shown
from kcore.registry.validation.labels import validate_labels
from kcore.registry.validation.persistent_volumes import validate_claim_spec
from kcore.registry.validation.pod_annotations import validate_pod_annotations
from kcore.registry.validation.pods import validate_pod_template_spec
from kcore.registry.validation.rules import not_negative, validate_annotations
from kcore.registry.validation.values import check
from kcore.registry.validation.workloads import (
    labels_mismatch,
    validate_counts,
    validate_endless_template,
    validate_selector,
)

__all__ = ["validate_stateful_set", "validate_stateful_set_status", "validate_stateful_set_update"]

_SPEC = Path("spec")
_STATUS = Path("status")
_COUNTS = {
    "replicas": "replicas",
    "readyReplicas": "ready_replicas",
    "currentReplicas": "current_replicas",
    "updatedReplicas": "updated_replicas",
    "availableReplicas": "available_replicas",
    "observedGeneration": "observed_generation",
    "collisionCount": "collision_count",
}
_CHANGEABLE = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def validate_stateful_set(stateful_set: StatefulSet) -> Iterator[FieldError]:
    yield from _validate_spec(stateful_set.spec, is_new=True)


def _validate_spec(
    spec: StatefulSetSpec, *, is_new: bool = False, looks_into_pods: bool = True
) -> Iterator[FieldError]:
    """`is_new`: what may never change is looked at once. `looks_into_pods`: whether the pods have rules to keep."""
    if not spec.pod_management_policy:
        yield required(_SPEC / "podManagementPolicy")
    elif spec.pod_management_policy not in ("OrderedReady", "Parallel"):
        words = "must be 'OrderedReady' or 'Parallel'"
        yield invalid(_SPEC / "podManagementPolicy", spec.pod_management_policy, words)
    yield from _validate_strategy(spec.update_strategy, _SPEC / "updateStrategy")
    retention = spec.persistent_volume_claim_retention_policy
    if retention is not None:
        yield from _validate_retention(retention, _SPEC / "persistentVolumeClaimRetentionPolicy")
    if is_new:
        for i, claim in enumerate(spec.volume_claim_templates):
            yield from validate_claim_spec(claim.spec, _SPEC / "volumeClaimTemplates" @ i / "spec")
    yield from not_negative(_SPEC / "replicas", spec.replicas)
    yield from not_negative(_SPEC / "minReadySeconds", spec.min_ready_seconds)
    if spec.ordinals is not None:
        yield from not_negative(_SPEC / "ordinals" / "start", spec.ordinals.start)
    if is_new and spec.service_name:
        yield from check(_SPEC / "serviceName", spec.service_name, names.dns1123_label)
    yield from validate_selector(spec.selector, _SPEC / "selector", "statefulset")
    yield from _validate_template(spec, looks_into_pods)


def _validate_template(spec: StatefulSetSpec, looks_into_pods: bool) -> Iterator[FieldError]:
    path, metadata = _SPEC / "template", spec.template.metadata
    try:
        selector = selector_from_struct(spec.selector)
    except SelectorError:
        yield invalid(_SPEC / "selector", spec.selector, "")
    else:
        yield from labels_mismatch(selector, metadata.labels, path / "metadata" / "labels")
        if looks_into_pods:
            yield from validate_pod_template_spec(_completed(spec), path)
        yield from validate_labels(metadata.labels, path / "labels")
        yield from validate_annotations(metadata.annotations, path / "annotations")
        yield from validate_pod_annotations(metadata.annotations, spec.template.spec, path / "annotations")
    yield from validate_endless_template(spec.template, path, "StatefulSet")


def _completed(spec: StatefulSetSpec) -> PodTemplateSpec:
    """The template as its pods will have it: the claims become volumes, the host's names are given to each."""
    names_of_claims = dict.fromkeys(claim.metadata.name for claim in spec.volume_claim_templates)
    claimed = tuple(
        Volume(name=name, persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name=name))
        for name in names_of_claims
    )
    others = tuple(volume for volume in spec.template.spec.volumes if volume.name not in names_of_claims)
    pods = _replace(spec.template.spec, volumes=claimed + others, hostname="", subdomain="")
    return _replace(spec.template, spec=pods)


def _validate_strategy(strategy: StatefulSetUpdateStrategy, path: Path) -> Iterator[FieldError]:
    rolling = strategy.rolling_update
    if not strategy.type:
        yield required(path)
    elif strategy.type == "OnDelete":
        if rolling is not None:
            words = "only allowed for updateStrategy 'RollingUpdate'"
            yield invalid(path / "rollingUpdate", shown(rolling), words)
    elif strategy.type != "RollingUpdate":
        yield invalid(path, shown(strategy), "must be 'RollingUpdate' or 'OnDelete'")
    elif rolling is not None:
        yield from _validate_rolling_update(rolling, path / "rollingUpdate")


def _validate_rolling_update(rolling: RollingUpdateStatefulSetStrategy, path: Path) -> Iterator[FieldError]:
    yield from not_negative(path / "partition", rolling.partition)
    if rolling.max_unavailable is not None:
        yield from validate_share(rolling.max_unavailable, path / "maxUnavailable")
        if is_zero(rolling.max_unavailable):
            yield invalid(path / "maxUnavailable", rolling.max_unavailable, "cannot be 0")


def _validate_retention(policy: StatefulSetPersistentVolumeClaimRetentionPolicy, path: Path) -> Iterator[FieldError]:
    for name, value in (("whenDeleted", policy.when_deleted), ("whenScaled", policy.when_scaled)):
        if value not in ("Retain", "Delete"):
            yield not_supported(path / name, value, ("Retain", "Delete"))


def validate_stateful_set_update(new: StatefulSet, old: StatefulSet) -> Iterator[FieldError]:
    """Pods that broke rules before may go on to."""
    yield from _validate_spec(new.spec, looks_into_pods=not any(_validate_spec(old.spec)))
    spec = old.spec
    unchangeable = _replace(
        new.spec,
        replicas=spec.replicas,
        ordinals=spec.ordinals,
        template=spec.template,
        update_strategy=spec.update_strategy,
        revision_history_limit=spec.revision_history_limit,
        persistent_volume_claim_retention_policy=spec.persistent_volume_claim_retention_policy,
        min_ready_seconds=spec.min_ready_seconds,
    )
    if unchangeable != spec:
        yield forbidden(_SPEC, _CHANGEABLE)


def validate_stateful_set_status(new: StatefulSet, old: StatefulSet) -> Iterator[FieldError]:
    status = new.status
    yield from validate_counts(status, _STATUS, _COUNTS)
    for name, count in (
        ("readyReplicas", status.ready_replicas),
        ("currentReplicas", status.current_replicas),
        ("updatedReplicas", status.updated_replicas),
        ("availableReplicas", status.available_replicas),
    ):
        if count > status.replicas:
            yield invalid(_STATUS / name, count, "cannot be greater than status.replicas")
    if status.available_replicas > status.ready_replicas:
        words = "cannot be greater than status.readyReplicas"
        yield invalid(_STATUS / "availableReplicas", status.available_replicas, words)
    yield from validate_collisions(status.collision_count, old.status.collision_count)
