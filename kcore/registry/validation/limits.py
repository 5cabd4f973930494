"""Rules of LimitRanges and ResourceQuotas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kcore.api import quantity
from kcore.api.core_v1 import LimitRange, LimitRangeItem, ResourceQuota, ScopedResourceSelectorRequirement
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, required
from kcore.api.names import label_key
from kcore.registry.validation.internal import shown
from kcore.registry.validation.resources import (
    is_extended_resource,
    is_huge_page,
    validate_container_resource_name,
    validate_resource_quantity,
)
from kcore.registry.validation.values import check

__all__ = [
    "validate_limit_range",
    "validate_resource_name",
    "validate_resource_quota",
    "validate_resource_quota_status",
    "validate_resource_quota_update",
]

_COMPUTE = ("cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory")
_QUOTA = frozenset(
    (
        *_COMPUTE,
        "ephemeral-storage",
        "requests.ephemeral-storage",
        "limits.ephemeral-storage",
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "persistentvolumeclaims",
        "configmaps",
        "requests.storage",
        "services.nodeports",
        "services.loadbalancers",
    )
)
_STANDARD = _QUOTA | {"storage"}
_POD_SCOPES = ("Terminating", "NotTerminating", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity")
_SCOPES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_POD_SCOPES, frozenset(("pods", *_COMPUTE))),
    "BestEffort": frozenset(("pods",)),
    "VolumeAttributesClass": frozenset(("persistentvolumeclaims", "requests.storage")),
}
"""Scopes, and which resources each can narrow."""

_EXISTENCE_SCOPES = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")
_OPPOSITES = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})


def validate_resource_name(name: str, path: Path) -> Iterator[FieldError]:
    errors = list(check(path, name, label_key))
    yield from errors
    if not errors and "/" not in name and name not in _STANDARD and not _is_huge_page_of(name):
        yield invalid(path, name, "must be a standard resource type or fully qualified")


def _is_huge_page_of(name: str) -> bool:
    return is_huge_page(name) or name.startswith("requests.hugepages-")


def validate_limit_range(limits: LimitRange) -> Iterator[FieldError]:
    types: set[str] = set()
    for i, item in enumerate(limits.spec.limits or ()):
        path = Path("spec") / "limits" @ i
        yield from _validate_type(item.type, path / "type")
        if item.type in types:
            yield duplicate(path / "type", item.type)
        types.add(item.type)
        yield from _validate_item(item, path)


def _validate_type(name: str, path: Path) -> Iterator[FieldError]:
    errors = list(check(path, name, label_key))
    yield from errors
    if not errors and "/" not in name and name not in ("Pod", "Container", "PersistentVolumeClaim"):
        yield invalid(path, name, "must be a standard limit type or fully qualified")


def _validate_item(item: LimitRangeItem, path: Path) -> Iterator[FieldError]:
    bounds = {"max": item.max, "min": item.min}
    defaults = {"default": item.default, "defaultRequest": item.default_request}
    if item.type == "Pod":
        for field, values in defaults.items():
            if values:
                yield forbidden(path / field, "may not be specified when `type` is 'Pod'")
    else:
        bounds |= defaults
    rule = validate_container_resource_name if item.type in ("Pod", "Container") else validate_resource_name
    ratios = {"maxLimitRequestRatio": item.max_limit_request_ratio}
    for field, values in bounds.items():
        for name in sorted(values):
            yield from rule(name, (path / field).key(name))
    if item.type == "PersistentVolumeClaim" and "storage" not in {*item.min, *item.max}:
        message = "either minimum or maximum storage value is required, but neither was provided"
        yield required(path / "limits", message)
    for name in sorted(item.max_limit_request_ratio):
        yield from rule(name, (path / "maxLimitRequestRatio").key(name))
    for name in sorted({name for values in (bounds | ratios).values() for name in values}):
        yield from _validate_order(item, name, path)


def _validate_order(item: LimitRangeItem, name: str, path: Path) -> Iterator[FieldError]:
    """min <= defaultRequest <= default <= max; which of the two values an error shows is upstream's choice."""
    least, most = item.min.get(name), item.max.get(name)
    default, request = (None, None) if item.type == "Pod" else (item.default.get(name), item.default_request.get(name))
    for low, high, low_word, high_word, field, shows_high in (
        (least, most, "min", "max", "min", False),
        (least, request, "min", "default request", "defaultRequest", True),
        (request, most, "default request", "max", "defaultRequest", False),
        (request, default, "default request", "default limit", "defaultRequest", False),
        (least, default, "min", "default", "default", False),
        (default, most, "default", "max", "default", True),
    ):
        if low is not None and high is not None and quantity.compare(low, high) > 0:
            message = f"{low_word} value {low} is greater than {high_word} value {high}"
            yield invalid((path / field).key(name), high if shows_high else low, message)
    ratio = item.max_limit_request_ratio.get(name)
    if ratio is not None:
        yield from _validate_ratio(ratio, least, most, (path / "maxLimitRequestRatio").key(name))
    fixed = is_huge_page(name) or is_extended_resource(name)
    if fixed and default is not None and request is not None and quantity.compare(default, request):
        message = f"default value {default} must equal to defaultRequest value {request} in {name}"
        yield invalid((path / "defaultRequest").key(name), request, message)


def _validate_ratio(ratio: str, least: str | None, most: str | None, path: Path) -> Iterator[FieldError]:
    if quantity.compare(ratio, "1") < 0:
        yield invalid(path, ratio, f"ratio {ratio} is less than 1")
    if least is None or most is None:
        return
    low, high = quantity.parse(least).exact, quantity.parse(most).exact
    if low > 0 and quantity.parse(ratio).exact > high / low:
        yield invalid(path, ratio, f"ratio {ratio} is greater than max/min = {float(high / low):f}")


def validate_resource_quota(quota: ResourceQuota) -> Iterator[FieldError]:
    spec, path = quota.spec, Path("spec")
    yield from _validate_amounts(spec.hard, path / "hard")
    yield from _validate_scopes(quota, path / "scopes")
    if spec.scope_selector is not None:
        at = path / "scopeSelector" / "matchExpressions"
        for requirement in spec.scope_selector.match_expressions:
            yield from _validate_scope_requirement(quota, requirement, at)
        named = {r.scope_name for r in spec.scope_selector.match_expressions}
        if any(pair <= named for pair in _OPPOSITES):
            yield invalid(at, spec.scopes or None, "conflicting scopes")


def _validate_amounts(amounts: Mapping[str, str], path: Path) -> Iterator[FieldError]:
    for name, value in sorted(amounts.items()):
        at = path.key(name)
        yield from validate_resource_name(name, at)
        if "/" not in name and name not in _QUOTA and not _is_huge_page_of(name):
            yield invalid(at, name, "must be a standard resource for quota")
        yield from validate_resource_quantity(name, at, value)


def _validate_scopes(quota: ResourceQuota, path: Path) -> Iterator[FieldError]:
    scopes = quota.spec.scopes
    for scope in scopes:
        if scope not in _SCOPES:
            yield invalid(path, scopes, "unsupported scope")
        for _ in _out_of_scope(quota, scope):
            yield invalid(path, scopes, "unsupported scope applied to resource")
    if any(pair <= set(scopes) for pair in _OPPOSITES):
        yield invalid(path, scopes, "conflicting scopes")


def _out_of_scope(quota: ResourceQuota, scope: str) -> list[str]:
    fitting = _SCOPES.get(scope)
    return [] if fitting is None else [r for r in quota.spec.hard if r in _QUOTA and r not in fitting]


def _validate_scope_requirement(
    quota: ResourceQuota, requirement: ScopedResourceSelectorRequirement, path: Path
) -> Iterator[FieldError]:
    scope, operator, values = requirement.scope_name, requirement.operator, requirement.values
    if scope not in _SCOPES:
        yield invalid(path / "scopeName", scope, "unsupported scope")
    for _ in _out_of_scope(quota, scope):
        yield invalid(path, shown(quota.spec.scope_selector), "unsupported scope applied to resource")
    if scope in _EXISTENCE_SCOPES and operator != "Exists":
        message = (
            "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
            "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
            "ResourceQuotaScopeCrossNamespacePodAffinity"
        )
        yield invalid(path / "operator", operator, message)
    if operator in ("In", "NotIn"):
        if not values:
            message = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            yield required(path / "values", message)
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            message = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            yield invalid(path / "values", values, message)
    else:
        yield invalid(path / "operator", operator, "not a valid selector operator")


def validate_resource_quota_update(new: ResourceQuota, old: ResourceQuota) -> Iterator[FieldError]:
    yield from validate_resource_quota(new)
    if set(new.spec.scopes) != set(old.spec.scopes):
        yield invalid(Path("spec") / "scopes", new.spec.scopes, "field is immutable")


def validate_resource_quota_status(new: ResourceQuota, old: ResourceQuota) -> Iterator[FieldError]:
    yield from _validate_amounts(new.status.hard, Path("status") / "hard")
    yield from _validate_amounts(new.status.used, Path("status") / "used")
