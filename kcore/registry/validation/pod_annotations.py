"""Annotations that mean something to pods: most are older forms of what has become fields."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from kcore.api.core_v1 import AppArmorProfile, Pod, PodSpec, SeccompProfile
from kcore.api.field import FieldError, Path, forbidden, invalid
from kcore.api.meta_v1 import ObjectMeta
from kcore.registry.validation.paths import descending_path
from kcore.registry.validation.windows import containers_with_path

__all__ = [
    "APP_ARMOR",
    "MIRROR",
    "validate_annotation_update",
    "validate_app_armor_agreement",
    "validate_pod_annotations",
    "validate_seccomp_agreement",
]

MIRROR = "kubernetes.io/config.mirror"
APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP = "seccomp.security.alpha.kubernetes.io/pod"
_CONTAINER_SECCOMP = "container.seccomp.security.alpha.kubernetes.io/"
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_LOCALHOST = "localhost/"
_is_integer = re.compile(r"0|-?[1-9][0-9]{0,10}|-0").fullmatch


def validate_pod_annotations(annotations: Mapping[str, str], spec: PodSpec, path: Path) -> Iterator[FieldError]:
    if not annotations:
        return
    if MIRROR in annotations and not spec.node_name:
        yield invalid(path.key(MIRROR), annotations[MIRROR], "must set spec.nodeName if mirror pod annotation is set")
    cost = annotations.get(_DELETION_COST)
    if cost is not None and not (_is_integer(cost) and -(2**31) <= int(cost) < 2**31):
        yield invalid(path.key(_DELETION_COST), cost, "must be a 32bit integer")
    if _SECCOMP in annotations:
        yield from _validate_seccomp(annotations[_SECCOMP], path / _SECCOMP)
    for key in sorted(annotations):
        if key.startswith(_CONTAINER_SECCOMP):
            yield from _validate_seccomp(annotations[key], path / key)
    for key in sorted(annotations):
        if key.startswith(APP_ARMOR):
            yield from _validate_app_armor(key, annotations[key], spec, path.key(key))


def _validate_seccomp(profile: str, path: Path) -> Iterator[FieldError]:
    if profile in ("runtime/default", "docker/default", "unconfined"):
        return
    if profile.startswith(_LOCALHOST):
        yield from descending_path(profile.removeprefix(_LOCALHOST), path)
    else:
        yield invalid(path, profile, "must be a valid seccomp profile")


def _validate_app_armor(key: str, profile: str, spec: PodSpec, path: Path) -> Iterator[FieldError]:
    name = key.removeprefix(APP_ARMOR)
    if not any(c.name == name for c, _ in containers_with_path(spec, Path(""))):
        yield invalid(path, name, "container not found")
    if profile not in ("", "runtime/default", "unconfined") and not profile.startswith(_LOCALHOST):
        yield invalid(path, profile, f'invalid AppArmor profile name: "{profile}"')


def validate_annotation_update(new: Pod, old: Pod, path: Path) -> Iterator[FieldError]:
    before, after = old.metadata.annotations, new.metadata.annotations
    if before != after:
        for key in sorted(before):
            if after.get(key) != before[key]:
                if key.startswith(APP_ARMOR):
                    yield forbidden(path.key(key), "may not remove or update AppArmor annotations")
                if key == MIRROR:
                    yield forbidden(path.key(key), "may not remove or update mirror pod annotation")
        for key in sorted(after):
            if key not in before:
                if key.startswith(APP_ARMOR):
                    yield forbidden(path.key(key), "may not add AppArmor annotations")
                if key == MIRROR:
                    yield forbidden(path.key(key), "may not add mirror pod annotation")
    yield from validate_pod_annotations(after, new.spec, path)


def validate_seccomp_agreement(metadata: ObjectMeta, spec: PodSpec, path: Path) -> Iterator[FieldError]:
    """Where both the annotation and the field name a profile, they must name the same one."""
    annotations = metadata.annotations
    if not annotations:
        return
    of_pod = spec.security_context.seccomp_profile if spec.security_context is not None else None
    if of_pod is not None and _SECCOMP in annotations:
        yield from _disagreement(annotations[_SECCOMP], of_pod, path / "securityContext" / "seccompProfile", "seccomp")
    for container, at in containers_with_path(spec, path):
        own = container.security_context.seccomp_profile if container.security_context is not None else None
        key = _CONTAINER_SECCOMP + container.name
        if own is not None and key in annotations:
            yield from _disagreement(annotations[key], own, at / "securityContext" / "seccompProfile", "seccomp")


def validate_app_armor_agreement(metadata: ObjectMeta, spec: PodSpec, path: Path) -> Iterator[FieldError]:
    annotations = metadata.annotations
    if not annotations or (spec.os is not None and spec.os.name == "windows"):
        return
    of_pod = spec.security_context.app_armor_profile if spec.security_context is not None else None
    for container, at in containers_with_path(spec, path):
        own = container.security_context.app_armor_profile if container.security_context is not None else None
        profile = own if own is not None else of_pod
        key = APP_ARMOR + container.name
        if profile is not None and key in annotations:
            yield from _disagreement(annotations[key], profile, at / "securityContext" / "appArmorProfile", "apparmor")


def _disagreement(
    annotation: str, profile: SeccompProfile | AppArmorProfile, path: Path, what: str
) -> Iterator[FieldError]:
    words = f"{what} type in annotation and field must match"
    match profile.type:
        case "Unconfined" if annotation != "unconfined":
            yield forbidden(path / "type", words)
        case "RuntimeDefault" if annotation not in ("runtime/default", "docker/default"):
            yield forbidden(path / "type", words)
        case "Localhost" if not annotation.startswith(_LOCALHOST):
            yield forbidden(path / "type", words)
        case "Localhost" if annotation.removeprefix(_LOCALHOST) != profile.localhost_profile:
            yield forbidden(path / "localhostProfile", f"{what} profile in annotation and field must match")
