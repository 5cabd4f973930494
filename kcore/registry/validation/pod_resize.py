"""Changing the resources of a running pod (KEP-1287)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from kcore.api.core_v1 import Container, Pod, ResourceRequirements
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
    """`new` differs from `old` in resources and resize policies alone."""
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
    if len(new.spec.containers) != len(old.spec.containers) or len(new.spec.init_containers) != len(
        old.spec.init_containers
    ):
        return [*errors, forbidden(_SPEC, "only cpu and memory resources are mutable")]
    errors += _validate_sidecars(new.spec.init_containers, old.spec.init_containers)
    for i, (container, standing) in enumerate(zip(new.spec.containers, old.spec.containers, strict=True)):
        errors += _validate_container(container, standing, _SPEC / "containers" @ i / "resources")
    for container, standing in zip(new.spec.containers, old.spec.containers, strict=True):
        if _without_resize(container, standing) != standing:
            errors.append(forbidden(_SPEC, "only cpu and memory resources are mutable"))
    errors += _validate_fixed(new.spec.init_containers, old.spec.init_containers)
    return errors


def _node_can_resize(pod: Pod) -> bool:
    """A node that can reports the resources of running containers."""
    for status in pod.status.container_statuses:
        if status.state.running is not None:
            return status.resources is not None
    return True


def _validate_sidecars(new: Sequence[Container], old: Sequence[Container]) -> Iterator[FieldError]:
    for i, (container, standing) in enumerate(zip(new, old, strict=True)):
        if standing.restart_policy == "Always":
            yield from _validate_container(container, standing, _SPEC / "initContainers" @ i / "resources")


def _validate_fixed(new: Sequence[Container], old: Sequence[Container]) -> Iterator[FieldError]:
    for container, standing in zip(new, old, strict=True):
        if standing.restart_policy == "Always":
            if _without_resize(container, standing) != standing:
                yield forbidden(_SPEC, "only cpu and memory resources for sidecar containers are mutable")
        elif container != standing:
            yield forbidden(_SPEC, "resources for non-sidecar init containers are immutable")


def _validate_container(new: Container, old: Container, path: Path) -> Iterator[FieldError]:
    if not old.resources.requests.keys() <= new.resources.requests.keys():
        yield forbidden(path / "requests", "resource requests cannot be removed")
    if not old.resources.limits.keys() <= new.resources.limits.keys():
        yield forbidden(path / "limits", "resource limits cannot be removed")


def _without_resize(new: Container, old: Container) -> Container:
    """The new container with the old amounts of what may be resized."""
    resources = ResourceRequirements(
        limits=_put_back(new.resources.limits, old.resources.limits),
        requests=_put_back(new.resources.requests, old.resources.requests),
        claims=new.resources.claims,
    )
    return _replace(new, resources=resources)


def _put_back(new: Mapping[str, str], old: Mapping[str, str]) -> Mapping[str, str]:
    kept = {name: amount for name, amount in new.items() if name not in _COMPUTE}
    return kept | {name: old[name] for name in _COMPUTE if name in old}
