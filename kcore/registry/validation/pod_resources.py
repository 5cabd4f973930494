"""Resources of a pod as a whole, and how they must fit those of its containers (KEP-2837)."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from kcore.api import quantity
from kcore.api.core_v1 import PodSpec, ResourceRequirements
from kcore.api.field import FieldError, Path, forbidden, invalid
from kcore.api.pod_resources import container_limits, container_requests
from kcore.registry.validation.resources import is_huge_page, validate_pod_resource_name, validate_requirements

__all__ = ["validate_pod_resources"]


def validate_pod_resources(
    spec: PodSpec, whole: ResourceRequirements, path: Path, claims: Collection[str]
) -> Iterator[FieldError]:
    if spec.os is not None and spec.os.name == "windows":
        yield forbidden(path, "may not be set for a windows pod")
        return
    if whole.claims:
        yield forbidden(path / "claims", "claims may not be set for Resources at pod-level")
    yield from validate_requirements(whole, path, claims, validate_pod_resource_name)
    for name, together in sorted(container_requests(spec).items()):
        yield from _validate_room(whole.requests.get(name), together, (path / "requests").key(name), "requests")
    for name, together in sorted(container_limits(spec).items()):
        if is_huge_page(name):
            yield from _validate_room(whole.limits.get(name), together, (path / "limits").key(name), "limits")
    for i, container in enumerate(spec.containers):
        for name, limit in sorted(container.resources.limits.items()):
            most = whole.limits.get(name, limit)
            if quantity.compare(limit, most) > 0:
                at = (path / "containers" @ i).key(name) / "limits"
                yield invalid(at, limit, f"must be less than or equal to pod limits of {most}")


def _validate_room(whole: str | None, together: str, path: Path, what: str) -> Iterator[FieldError]:
    if whole is not None and quantity.compare(together, whole) > 0:
        yield invalid(path, whole, f"must be greater than or equal to aggregate container {what} of {together}")
