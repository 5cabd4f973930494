"""Changing the resources of a running pod (KEP-1287)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from kcore.api.core_v1 import Container, Pod, PodSpec, ResourceClaim, ResourceRequirements
from kcore.api.field import FieldError, Path, forbidden, invalid
from kcore.api.qos import qos_class
from kcore.registry.validation.pod_annotations import MIRROR
from kcore.registry.validation.pods import validate_live_pod

__all__ = ["validate_pod_resize"]

_replace = msgspec.structs.replace
_SPEC = Path("spec")
_NOWHERE = Path("")
_COMPUTE = ("cpu", "memory")


def validate_pod_resize(new: Pod, old: Pod) -> list[FieldError]:
    """`new` differs from `old` in resources and resize policies alone, or in which containers there are."""
    errors = validate_live_pod(new)
    if MIRROR in old.metadata.annotations:
        return [forbidden(_NOWHERE, "static pods cannot be resized")]
    if old.spec.os is not None and old.spec.os.name == "windows":
        return [forbidden(_NOWHERE, "windows pods cannot be resized")]
    if qos_class(new.spec) != (old.status.qos_class or qos_class(old.spec)):
        words = "Pod QOS Class may not change as a result of resizing"
        errors.append(invalid(_SPEC, new.status.qos_class, words))
    if not _node_can_resize(old):
        errors.append(forbidden(_SPEC, "Pod running on node without support for resize"))
    if _has_resources(old.spec) or _has_resources(new.spec):
        errors += _validate_whole(new.spec.resources, old.spec.resources, _SPEC / "resources")
    lists = (
        ("containers", new.spec.containers, old.spec.containers),
        ("initContainers", new.spec.init_containers, old.spec.init_containers),
    )
    moved = [e for name, after, before in lists for e in _validate_order(after, before, name)]
    if moved:
        return [*errors, *moved]
    for name, after, before in reversed(lists):
        for i, (container, standing) in enumerate(zip(after, before, strict=True)):
            errors += _validate_kept(
                container.resources, standing.resources, _SPEC / name @ i / "resources", "resource"
            )
    for container, standing in zip(new.spec.containers, old.spec.containers, strict=True):
        if _without_resize(container, standing) != standing:
            errors.append(forbidden(_SPEC, "only cpu and memory resources are mutable"))
    errors += _validate_starting(new.spec.init_containers, old.spec.init_containers)
    return errors


def _node_can_resize(pod: Pod) -> bool:
    """A node that can reports the resources of running containers."""
    for status in pod.status.container_statuses:
        if status.state.running is not None:
            return status.resources is not None
    return True


def _has_resources(spec: PodSpec) -> bool:
    return spec.resources is not None and bool(spec.resources.requests or spec.resources.limits)


def _validate_whole(
    new: ResourceRequirements | None, old: ResourceRequirements | None, path: Path
) -> Iterator[FieldError]:
    """Resources of the pod as a whole (KEP-5419)."""
    if new is None:
        yield forbidden(path, "pod-level resources cannot be removed")
        return
    before = old or ResourceRequirements()
    yield from _validate_kept(new, before, path, "pod-level resource")
    if _resources_without_resize(new, before, new.claims) != before:
        yield forbidden(_SPEC, "only cpu and memory resources are mutable at pod-level")


def _validate_order(new: Sequence[Container], old: Sequence[Container], name: str) -> Iterator[FieldError]:
    if len(new) != len(old):
        yield forbidden(_SPEC / name, f"{name} may not be added or removed on resize")
        return
    for i, (container, standing) in enumerate(zip(new, old, strict=True)):
        if container.name != standing.name:
            yield forbidden(_SPEC / name @ i / "name", f"{name} may not be renamed or reordered on resize")


def _validate_kept(new: ResourceRequirements, old: ResourceRequirements, path: Path, what: str) -> Iterator[FieldError]:
    if not old.requests.keys() <= new.requests.keys():
        yield forbidden(path / "requests", f"{what} requests cannot be removed")
    if not old.limits.keys() <= new.limits.keys():
        yield forbidden(path / "limits", f"{what} limits cannot be removed")


def _validate_starting(new: Sequence[Container], old: Sequence[Container]) -> Iterator[FieldError]:
    for i, (container, standing) in enumerate(zip(new, old, strict=True)):
        at = _SPEC / "initContainers" @ i
        if _without_resize(container, standing) != standing:
            yield forbidden(at, "only cpu and memory resources for init or sidecar containers are mutable")
        if container == standing or container.restart_policy == "Always":
            continue
        for policy in container.resize_policy:
            if policy.restart_policy == "RestartContainer":
                words = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
                yield forbidden(at, words)


def _without_resize(new: Container, old: Container) -> Container:
    """The new container with the old amounts of what may be resized; claims of devices do not outlive it, upstream."""
    return _replace(new, resources=_resources_without_resize(new.resources, old.resources, ()))


def _resources_without_resize(
    new: ResourceRequirements, old: ResourceRequirements, claims: tuple[ResourceClaim, ...]
) -> ResourceRequirements:
    return ResourceRequirements(
        limits=_put_back(new.limits, old.limits), requests=_put_back(new.requests, old.requests), claims=claims
    )


def _put_back(new: Mapping[str, str], old: Mapping[str, str]) -> Mapping[str, str]:
    kept = {name: amount for name, amount in new.items() if name not in _COMPUTE}
    return kept | {name: old[name] for name in _COMPUTE if name in old}
