"""The metadata of every object: what the server fills in, and what clients may say and change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

from kcore.api import names
from kcore.api.errors import BadRequest
from kcore.api.field import FieldError, Path, forbidden, invalid, required, too_long
from kcore.api.kind import parse_api_version
from kcore.api.meta_v1 import ObjectMeta, OwnerReference
from kcore.api.names import NameCheck
from kcore.api.schema import fill
from kcore.registry.request import Request

__all__ = ["check_address", "check_namespace", "metadata_errors", "metadata_update_errors", "settle_update"]

METADATA = Path("metadata")
_NAME = METADATA / "name"
_GENERATE_NAME = METADATA / "generateName"
_NAMESPACE = METADATA / "namespace"
_LABELS = METADATA / "labels"
_ANNOTATIONS = METADATA / "annotations"
_OWNERS = METADATA / "ownerReferences"
_FINALIZERS = METADATA / "finalizers"
_GENERATION = METADATA / "generation"

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_STANDARD_FINALIZERS = frozenset((ORPHAN, FOREGROUND, "kubernetes"))
_NO_OWNERS = frozenset((("", "v1", "Event"), ("events.k8s.io", "v1", "Event")))


def check_namespace(req: Request, metadata: ObjectMeta) -> None:
    """The body's namespace must be the URL's; where it is left out, the URL's counts."""
    if metadata.namespace == req.namespace:
        return
    if not req.kind.namespaced and req.kind.definition is not None:
        fill(metadata, namespace="")
        return
    if metadata.namespace or not req.kind.namespaced:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
    fill(metadata, namespace=req.namespace)


def check_address(req: Request, metadata: ObjectMeta) -> None:
    """An update's body must name the object that its URL names."""
    if metadata.name != req.name:
        if not metadata.name:
            raise BadRequest(
                f"the name of the object ({req.name} based on URL) was undeterminable: name must be provided"
            )
        raise BadRequest(f"the name of the object ({metadata.name}) does not match the name on the URL ({req.name})")
    check_namespace(req, metadata)


def settle_update(new: ObjectMeta, old: ObjectMeta) -> None:
    """Put back what an update can not change and may leave out: upstream's rest.BeforeUpdate."""
    fill(
        new,
        name=_held(new.name, old.name),
        namespace=_held(new.namespace, old.namespace),
        uid=_held(new.uid or old.uid, old.uid),
        creation_timestamp=old.creation_timestamp,
        deletion_timestamp=old.deletion_timestamp or new.deletion_timestamp,
        deletion_grace_period_seconds=(
            old.deletion_grace_period_seconds
            if new.deletion_grace_period_seconds is None
            else new.deletion_grace_period_seconds
        ),
        resource_version=old.resource_version,
        self_link="",
    )


def _held(new: str, old: str) -> str:
    """`new`; where it is the same, in the form of `old`, which many hold already."""
    return old if new == old else new


def metadata_errors(metadata: ObjectMeta, namespaced: bool, name_rule: NameCheck) -> list[FieldError]:
    """Broken rules of a new object's metadata."""
    errors: list[FieldError] = []
    if metadata.generate_name:
        errors += _generate_name_errors(metadata.generate_name, name_rule)
    if metadata.name:
        if words := name_rule(metadata.name):
            errors += [invalid(_NAME, metadata.name, e) for e in words]
    else:
        errors.append(required(_NAME, "name or generateName is required"))
    if not namespaced:
        if metadata.namespace:
            errors.append(forbidden(_NAMESPACE, "not allowed on this type"))
    elif metadata.namespace:
        if wrong := _namespace_errors(metadata.namespace):
            errors += [invalid(_NAMESPACE, metadata.namespace, e) for e in wrong]
    else:
        errors.append(required(_NAMESPACE))
    if metadata.generation < 0:
        errors.append(invalid(_GENERATION, metadata.generation, "must be greater than or equal to 0"))
    if metadata.labels or metadata.annotations or metadata.owner_references:
        errors += _common_errors(metadata)
    if metadata.finalizers:
        errors += _finalizer_errors(metadata.finalizers)
    return errors


def metadata_update_errors(new: ObjectMeta, old: ObjectMeta, namespaced: bool) -> list[FieldError]:
    """Broken rules of a changed object's metadata, after `settle_update`.

    Upstream looks twice at the whole and twice at the change: once for every kind and once in each kind's own rules.
    The causes of its answer show it.
    """
    update = _change_errors(new, old)
    if (
        new.labels == old.labels
        and new.annotations == old.annotations
        and new.owner_references == old.owner_references
        and new.finalizers == old.finalizers
    ):
        return [*update, *update]
    whole = metadata_errors(new, namespaced, names.path_segment_name)
    update += _common_errors(new)
    return [*whole, *update, *update, *whole]


def _change_errors(new: ObjectMeta, old: ObjectMeta) -> list[FieldError]:
    errors: list[FieldError] = []
    if old.deletion_timestamp and (added := [f for f in new.finalizers if f not in old.finalizers]):
        listed = ", ".join(json.dumps(f) for f in sorted(set(added)))
        errors.append(
            forbidden(
                _FINALIZERS,
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{listed}}}",
            )
        )
    if new.generation < old.generation:
        errors.append(invalid(_GENERATION, new.generation, "must not be decremented"))
    for wire, attribute in _IMMUTABLE:
        value = getattr(new, attribute)
        if value != getattr(old, attribute):
            errors.append(invalid(METADATA / wire, value, "field is immutable"))
    return errors


_IMMUTABLE = (
    ("name", "name"),
    ("namespace", "namespace"),
    ("uid", "uid"),
    ("creationTimestamp", "creation_timestamp"),
    ("deletionTimestamp", "deletion_timestamp"),
    ("deletionGracePeriodSeconds", "deletion_grace_period_seconds"),
)


def _mask(generate_name: str) -> str:
    """A generateName may end in a dash, because more will follow."""
    return f"{generate_name[:-2]}a" if len(generate_name) > 1 and generate_name.endswith("-") else generate_name


@lru_cache(maxsize=4096)
def _generate_name_errors(generate_name: str, name_rule: NameCheck) -> Sequence[FieldError]:
    """One base serves many objects."""
    return [invalid(_GENERATE_NAME, generate_name, e) for e in name_rule(_mask(generate_name))]


@lru_cache(maxsize=4096)
def _namespace_errors(namespace: str) -> Sequence[str]:
    return names.dns1123_label(namespace)


@lru_cache(maxsize=8192)
def _label_errors(key: str, value: str) -> Sequence[FieldError]:
    """Labels repeat from object to object far more often than they are new."""
    bad_key = [invalid(_LABELS, key, e) for e in names.label_key(key)]
    return bad_key + [invalid(_LABELS, value, e) for e in names.label_value(value)]


@lru_cache(maxsize=4096)
def _annotation_key_errors(key: str) -> Sequence[FieldError]:
    return [invalid(_ANNOTATIONS, key, e) for e in names.label_key(key.lower())]


def _common_errors(metadata: ObjectMeta) -> list[FieldError]:
    errors: list[FieldError] = []
    if metadata.labels:
        errors += label_errors(metadata.labels)
    if metadata.annotations:
        errors += annotation_errors(metadata.annotations)
    if metadata.owner_references:
        errors += owner_errors(metadata.owner_references)
    return errors


def label_errors(labels: Mapping[str, str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for key, value in labels.items():
        errors += _label_errors(key, value)
    return errors


def annotation_errors(annotations: Mapping[str, str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for key in annotations:
        errors += _annotation_key_errors(key)
    if names.annotations_size(annotations) > names.ANNOTATIONS_SIZE_MAX:
        errors.append(too_long(_ANNOTATIONS, names.ANNOTATIONS_SIZE_MAX))
    return errors


def owner_errors(owners: Sequence[OwnerReference]) -> list[FieldError]:
    errors: list[FieldError] = []
    controllers = []
    for owner in owners:
        group, version = parse_api_version(owner.api_version)
        if not version:
            errors.append(invalid(_OWNERS / "apiVersion", owner.api_version, "version must not be empty"))
        for wire, value in (("kind", owner.kind), ("name", owner.name), ("uid", owner.uid)):
            if not value:
                errors.append(invalid(_OWNERS / wire, value, "must not be empty"))
        if (group, version, owner.kind) in _NO_OWNERS:
            gvk = f"{group}/{version}, Kind={owner.kind}"
            errors.append(invalid(_OWNERS, owner, f"{gvk} is disallowed from being an owner"))
        if owner.controller:
            controllers.append(owner)
    if len(controllers) > 1:
        errors.append(invalid(_OWNERS, owners, _two_controllers(controllers[0], controllers[1])))
    return errors


def _two_controllers(first: OwnerReference, second: OwnerReference) -> str:
    return (
        'Only one reference can have Controller set to true. Found "true" in references for '
        f"{first.kind}/{first.name} and {second.kind}/{second.name}"
    )


def _finalizer_errors(finalizers: Sequence[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for finalizer in finalizers:
        errors += [invalid(_FINALIZERS, finalizer, e) for e in names.label_key(finalizer)]
    if ORPHAN in finalizers and FOREGROUND in finalizers:
        what = f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set"
        errors.append(invalid(_FINALIZERS, finalizers, what))
    for i, finalizer in enumerate(finalizers):
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
            what = "name is neither a standard finalizer name nor is it fully qualified"
            errors.append(invalid(_FINALIZERS @ i, finalizer, what))
    return errors
