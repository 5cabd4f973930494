"""What may change about a pod that exists, and how its ephemeral containers may."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from kcore.api.core_v1 import (
    Affinity,
    Container,
    NodeAffinity,
    NodeSelectorTerm,
    Pod,
    PodSchedulingGate,
    PodSpec,
    Toleration,
)
from kcore.api.field import FieldError, Path, forbidden, invalid, required
from kcore.registry.validation.affinity import validate_tolerations
from kcore.registry.validation.internal import diff
from kcore.registry.validation.pod_annotations import MIRROR, validate_annotation_update
from kcore.registry.validation.pods import validate_live_pod
from kcore.registry.validation.rules import MAX_INT32

__all__ = ["validate_ephemeral_containers_update", "validate_pod_update"]

_replace = msgspec.structs.replace
_SPEC = Path("spec")
_ANNOTATIONS = Path("metadata.annotations")
_CHANGEABLE = ",".join(
    (
        "`spec.containers[*].image`",
        "`spec.initContainers[*].image`",
        "`spec.activeDeadlineSeconds`",
        "`spec.tolerations` (only additions to existing tolerations)",
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
    )
)


def validate_pod_update(new: Pod, old: Pod) -> list[FieldError]:
    errors = validate_live_pod(new)
    errors += validate_annotation_update(new, old, _ANNOTATIONS)
    after, before = new.spec, old.spec
    for name, containers, standing in (
        ("containers", after.containers, before.containers),
        ("initContainers", after.init_containers, before.init_containers),
    ):
        if len(containers) != len(standing):
            errors.append(forbidden(_SPEC / name, "pod updates may not add or remove containers"))
            return errors
        errors += _validate_images(containers, _SPEC / name)
    deadline = list(_validate_deadline(after, before, _SPEC / "activeDeadlineSeconds"))
    errors += deadline
    if deadline and after.active_deadline_seconds is not None:
        return errors
    errors += _validate_added_tolerations(after.tolerations, before.tolerations, _SPEC / "tolerations")
    errors += _validate_removed_gates(after.scheduling_gates, before.scheduling_gates, _SPEC / "schedulingGates")
    if after != before:
        errors += _validate_rest(after, before)
    return errors


def _validate_images(containers: Sequence[Container], path: Path) -> Iterator[FieldError]:
    for i, container in enumerate(containers):
        if not container.image:
            yield required(path @ i / "image")
        if container.image != container.image.strip():
            yield invalid(path @ i / "image", container.image, "must not have leading or trailing whitespace")


def _validate_deadline(new: PodSpec, old: PodSpec, path: Path) -> Iterator[FieldError]:
    """A deadline may come, and come nearer."""
    after, before = new.active_deadline_seconds, old.active_deadline_seconds
    if after is None:
        if before is not None:
            yield invalid(path, None, "must not update from a positive integer to nil value")
    elif not 0 <= after <= MAX_INT32:
        yield invalid(path, after, f"must be between 0 and {MAX_INT32}, inclusive")
    elif before is not None and before < after:
        yield invalid(path, after, "must be less than or equal to previous value")


def _validate_added_tolerations(
    new: Sequence[Toleration], old: Sequence[Toleration], path: Path
) -> Iterator[FieldError]:
    if new == old:
        return
    kept = {_replace(t, toleration_seconds=None) for t in new}
    if any(_replace(t, toleration_seconds=None) not in kept for t in old):
        yield forbidden(path, "existing toleration can not be modified except its tolerationSeconds")
    else:
        yield from validate_tolerations(new, path)


def _validate_removed_gates(
    new: Sequence[PodSchedulingGate], old: Sequence[PodSchedulingGate], path: Path
) -> Iterator[FieldError]:
    standing = {g.name for g in old}
    for i, gate in enumerate(new):
        if gate.name not in standing:
            yield forbidden(path @ i / "name", f"only deletion is allowed, but found new scheduling gate '{gate.name}'")


def _validate_rest(new: PodSpec, old: PodSpec) -> list[FieldError]:
    """Put back all that may change; what still differs may not."""
    errors: list[FieldError] = []
    munged = _replace(
        new,
        containers=tuple(_replace(c, image=o.image) for c, o in zip(new.containers, old.containers, strict=True)),
        init_containers=tuple(
            _replace(c, image=o.image) for c, o in zip(new.init_containers, old.init_containers, strict=True)
        ),
        active_deadline_seconds=old.active_deadline_seconds,
        scheduling_gates=old.scheduling_gates,
        tolerations=old.tolerations,
    )
    grace = old.termination_grace_period_seconds
    if grace is not None and grace < 0 and new.termination_grace_period_seconds == 1:
        munged = _replace(munged, termination_grace_period_seconds=grace)
    if old.scheduling_gates:
        munged = _put_back_directives(munged, old, errors)
    if munged != old:
        changes = diff(old, munged)
        errors.append(forbidden(_SPEC, f"pod updates may not change fields other than {_CHANGEABLE}\n{changes}"))
    return errors


def _put_back_directives(spec: PodSpec, old: PodSpec, errors: list[FieldError]) -> PodSpec:
    """While gates hold a pod back, where it may run can still be narrowed (KEP-3838)."""
    if spec.node_selector != old.node_selector:
        if any(spec.node_selector.get(k) != v for k, v in old.node_selector.items()):
            words = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
            errors.append(invalid(_SPEC / "nodeSelector", dict(spec.node_selector) or None, words))
        spec = _replace(spec, node_selector=old.node_selector)
    before = old.affinity.node_affinity if old.affinity is not None else None
    after = spec.affinity.node_affinity if spec.affinity is not None else None
    if after != before:
        errors += _validate_narrowed(after, before, _SPEC / "affinity" / "nodeAffinity")
        affinity = _replace(spec.affinity or Affinity(), node_affinity=before)
        spec = _replace(spec, affinity=None if old.affinity is None and affinity == Affinity() else affinity)
    return spec


def _validate_narrowed(new: NodeAffinity | None, old: NodeAffinity | None, path: Path) -> Iterator[FieldError]:
    """Each term that there was may only get more conditions."""
    if old is None or old.required_during_scheduling_ignored_during_execution is None:
        return
    path = path / "requiredDuringSchedulingIgnoredDuringExecution" / "nodeSelectorTerms"
    before = old.required_during_scheduling_ignored_during_execution.node_selector_terms
    must = new.required_during_scheduling_ignored_during_execution if new is not None else None
    after = must.node_selector_terms if must is not None else ()
    if before and len(after) != len(before):
        yield invalid(path, list(after), "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
        return
    for i, (term, standing) in enumerate(zip(after, before, strict=False)):
        if not _is_narrowed(term, standing):
            words = "only additions are allowed (no mutations or deletions)"
            yield invalid(path @ i, term, words)


def _is_narrowed(new: NodeSelectorTerm, old: NodeSelectorTerm) -> bool:
    if not old.match_expressions and not old.match_fields:
        return new == old
    return (
        new.match_expressions[: len(old.match_expressions)] == old.match_expressions
        and new.match_fields[: len(old.match_fields)] == old.match_fields
    )


def validate_ephemeral_containers_update(new: Pod, old: Pod) -> list[FieldError]:
    """They come and stay as they are; their order is of no account."""
    errors = validate_live_pod(new)
    errors += validate_annotation_update(new, old, _ANNOTATIONS)
    if MIRROR in old.metadata.annotations:
        return [forbidden(Path(""), "static pods do not support ephemeral containers")]
    path = _SPEC / "ephemeralContainers"
    after = {c.name: c for c in new.spec.ephemeral_containers}
    for container in old.spec.ephemeral_containers:
        successor = after.get(container.name)
        what = f'existing ephemeral containers "{container.name}"'
        if successor is None:
            errors.append(forbidden(path, f"{what} may not be removed\n"))
        elif successor != container:
            errors.append(forbidden(path, f"{what} may not be changed\n{diff(container, successor)}"))
    return errors
