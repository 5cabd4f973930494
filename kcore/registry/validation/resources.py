"""Resource names, quantities and requirements."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from kcore.api import names, quantity
from kcore.api.core_v1 import ResourceClaim, ResourceRequirements
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, not_found, not_supported, required
from kcore.registry.validation.rules import refuse
from kcore.registry.validation.values import check

__all__ = [
    "is_extended_resource",
    "is_huge_page",
    "is_native_resource",
    "is_pod_resource",
    "validate_container_resource_name",
    "validate_pod_resource_name",
    "validate_requirements",
    "validate_resource_quantity",
]

_HUGE_PAGES = "hugepages-"
_CONTAINER = frozenset(("cpu", "memory", "ephemeral-storage"))
_COUNTED = frozenset(
    (
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    )
)
_STANDARD = (
    _CONTAINER
    | _COUNTED
    | {f"{side}.{name}" for side in ("requests", "limits") for name in _CONTAINER}
    | {"storage", "requests.storage"}
)

NameRule = Callable[[str, Path], Iterator[FieldError]]


def is_huge_page(name: str) -> bool:
    return name.startswith(_HUGE_PAGES)


def is_native_resource(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def is_extended_resource(name: str) -> bool:
    """A resource of the cluster's own: `example.com/gpu`. Its name must leave room for a quota's prefix."""
    return not is_native_resource(name) and not name.startswith("requests.") and not names.label_key(f"requests.{name}")


def validate_container_resource_name(name: str, path: Path) -> Iterator[FieldError]:
    if name in _CONTAINER:
        return
    words = names.label_key(name)
    yield from refuse(path, name, words)
    if "/" not in name:
        if not words and name not in _STANDARD and not is_huge_page(name):
            yield invalid(path, name, "must be a standard resource type or fully qualified")
        if not is_huge_page(name):
            yield invalid(path, name, "must be a standard resource for containers")
    elif not is_native_resource(name) and not is_extended_resource(name):
        yield invalid(path, name, "doesn't follow extended resource name standard")


def is_pod_resource(name: str) -> bool:
    """What can be requested for a pod as a whole."""
    return name in ("cpu", "memory") or is_huge_page(name)


def validate_pod_resource_name(name: str, path: Path) -> Iterator[FieldError]:
    if not is_pod_resource(name):
        yield from check(path, name, names.label_key)
        yield not_supported(path, name, ("cpu", "hugepages-", "memory"))


def validate_resource_quantity(name: str, path: Path, value: str) -> Iterator[FieldError]:
    if value.startswith("-"):
        yield invalid(path, value, "must be greater than or equal to 0")
    if name in _CONTAINER or not (name in _COUNTED or is_extended_resource(name)):
        return
    if quantity.milli_value(value) % 1000:
        yield invalid(path, value, "must be an integer")


def validate_requirements(
    requirements: ResourceRequirements,
    path: Path,
    pod_claims: Collection[str],
    name_rule: NameRule = validate_container_resource_name,
) -> Iterator[FieldError]:
    limits, requests = requirements.limits, requirements.requests
    for name in sorted(limits):
        if not _is_plain(name, limits[name]):
            yield from _validate_entry(name, path / "limits", limits[name], name_rule)
    for name in sorted(requests):
        if not _is_plain(name, requests[name]):
            yield from _validate_entry(name, path / "requests", requests[name], name_rule)
        if (problem := _beyond_limit(path, name, requests[name], limits)) is not None:
            yield problem
    mentioned = {*limits, *requests}
    if not mentioned & {"cpu", "memory"} and any(map(is_huge_page, mentioned)):
        yield forbidden(path, "HugePages require cpu or memory")
    if requirements.claims:
        yield from _validate_claims(requirements.claims, path / "claims", pod_claims)


def _is_plain(name: str, value: str) -> bool:
    """Whether an entry breaks no rule of its own, as nearly all do not."""
    return name in ("cpu", "memory") and not value.startswith("-")


def _validate_entry(name: str, path: Path, value: str, name_rule: NameRule) -> Iterator[FieldError]:
    at = path.key(name)
    yield from name_rule(name, at)
    yield from validate_resource_quantity(name, at, value)
    if is_huge_page(name) and not _is_whole_pages(name, value):
        yield invalid(at, value, f"{value} is not positive integer multiple of {name}")


def _is_whole_pages(name: str, value: str) -> bool:
    try:
        page = quantity.int_value(name.removeprefix(_HUGE_PAGES))
    except quantity.QuantityError:
        return False
    return page > 0 and quantity.int_value(value) >= 0 and quantity.int_value(value) % page == 0


def _beyond_limit(path: Path, name: str, value: str, limits: Mapping[str, str]) -> FieldError | None:
    """Only native resources other than huge pages may be promised more often than they exist."""
    overcommit = is_native_resource(name) and not is_huge_page(name)
    limit = limits.get(name)
    if limit is None:
        return None if overcommit else required(path / "limits", "Limit must be set for non overcommitable resources")
    order = 0 if value == limit else quantity.compare(value, limit)
    if order != 0 and not overcommit:
        return invalid(path / "requests", value, f"must be equal to {name} limit of {limit}")
    if order > 0:
        return invalid(path / "requests", value, f"must be less than or equal to {name} limit of {limit}")
    return None


def _validate_claims(
    claims: tuple[ResourceClaim, ...], path: Path, pod_claims: Collection[str]
) -> Iterator[FieldError]:
    """Each claim as a whole or by requests, but not both, and nothing twice (KEP-3063)."""
    seen: set[str] = set()
    for i, claim in enumerate(claims):
        if not claim.name:
            yield required(path @ i)
            continue
        if claim.name in seen:
            yield duplicate(path @ i, claim.name)
        else:
            key = claim.name
            if claim.request:
                yield from check(path @ i / "request", claim.request, names.dns1123_label)
                key = f"{claim.name}/{claim.request}"
            if key in seen:
                yield duplicate(path @ i, key)
            elif not claim.request:
                yield from (duplicate(path @ i, claim.name) for k in seen if k.startswith(f"{claim.name}/"))
            seen.add(key)
        if claim.name not in pod_claims:
            which = f": {', '.join(sorted(pod_claims))}" if pod_claims else " which is empty"
            problem = not_found(path @ i, claim.name)
            yield problem._replace(detail=f"must be one of the names in pod.spec.resourceClaims{which}")
