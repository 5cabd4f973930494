"""Volumes of pods: each has a name and exactly one source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kcore.api import names
from kcore.api.core_v1 import EphemeralVolumeSource, Volume
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, required
from kcore.api.meta_v1 import ObjectMeta
from kcore.registry.validation.labels import validate_labels
from kcore.registry.validation.persistent_volumes import validate_claim_spec
from kcore.registry.validation.rules import validate_annotations
from kcore.registry.validation.values import check
from kcore.registry.validation.volume_sources import SOURCES

__all__ = ["validate_volumes"]


def validate_volumes(
    volumes: Sequence[Volume], path: Path, pod_name: str, errors: list[FieldError]
) -> dict[str, Volume]:
    """The volumes that containers may mount: those with nothing wrong. What is wrong with the others is added to
    `errors`. `pod_name` is empty for templates."""
    sound: dict[str, Volume] = {}
    made = {f"{pod_name}-{v.name}" for v in volumes if v.ephemeral is not None} if pod_name else set()
    for i, volume in enumerate(volumes):
        problems = list(_validate_volume(volume, path @ i, pod_name))
        if volume.name in sound:
            problems.append(duplicate(path @ i / "name", volume.name))
        if problems:
            errors += problems
        else:
            sound[volume.name] = volume
        claim = volume.persistent_volume_claim
        if claim is not None and claim.claim_name in made:
            words = "must not reference a PVC that gets created for an ephemeral volume"
            errors.append(invalid(path @ i / "persistentVolumeClaim" / "claimName", claim.claim_name, words))
    return sound


def _validate_volume(volume: Volume, path: Path, pod_name: str) -> Iterator[FieldError]:
    chosen = [(field, source) for field in _RULES if (source := getattr(volume, field)) is not None]
    if not chosen:
        yield required(path, "must specify a volume type")
    for i, (field, source) in enumerate(chosen):
        if i == 0:
            yield from _RULES[field](source, path / _FIRST_NAMES.get(field, _WIRE_NAMES[field]))
        else:
            yield forbidden(
                path / _SECOND_NAMES.get(field, _WIRE_NAMES[field]), "may not specify more than 1 volume type"
            )
    yield from _validate_with_name(volume, path, pod_name)
    if not volume.name:
        yield required(path / "name")
    else:
        yield from check(path / "name", volume.name, names.dns1123_label)


def _validate_with_name(volume: Volume, path: Path, pod_name: str) -> Iterator[FieldError]:
    """Names that are put together from the volume's and something else must have room."""
    if volume.ephemeral is not None and pod_name and volume.name:
        claim = f"{pod_name}-{volume.name}"
        for message in names.dns1123_subdomain(claim):
            yield invalid(path / "name", volume.name, f'PVC name "{claim}": {message}')
    iscsi = volume.iscsi
    if iscsi is not None and iscsi.initiator_name and len(f"{volume.name}:{iscsi.target_portal}") > 64:
        words = (
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters "
            "if iscsi.initiatorName is specified."
        )
        yield invalid(path / "name", volume.name, words)


def _ephemeral(source: EphemeralVolumeSource, path: Path) -> Iterator[FieldError]:
    template = source.volume_claim_template
    if template is None:
        yield required(path / "volumeClaimTemplate")
        return
    at = path / "volumeClaimTemplate"
    yield from validate_annotations(template.metadata.annotations, at / "metadata" / "annotations")
    yield from validate_labels(template.metadata.labels, at / "metadata" / "labels")
    for name in _beyond_template(template.metadata):
        yield forbidden(at / "metadata" / name, "cannot be set")
    yield from validate_claim_spec(template.spec, at / "spec")


def _beyond_template(metadata: ObjectMeta) -> Iterator[str]:
    """What is set beside labels and annotations, which are all that a claim takes over."""
    nothing = ObjectMeta()
    for name, wire in zip(ObjectMeta.__struct_fields__, ObjectMeta.__struct_encode_fields__, strict=True):
        if name not in ("annotations", "labels") and getattr(metadata, name) != getattr(nothing, name):
            yield "uID" if name == "uid" else wire


# The last but one, upstream: only the first source of several is looked into.
_RULES: dict[str, Callable[[Any, Path], Iterator[FieldError]]] = {
    **{field: rule for field, rule in SOURCES.items() if field != "image"},
    "ephemeral": _ephemeral,
    "image": SOURCES["image"],
}
_WIRE_NAMES = dict(zip(Volume.__struct_fields__, Volume.__struct_encode_fields__, strict=True))
# How upstream spells some of them, where they are looked into and where they come second.
_FIRST_NAMES = {"gce_persistent_disk": "persistentDisk"}
_SECOND_NAMES = {"cephfs": "cephFS", "downward_api": "downwarAPI"}
