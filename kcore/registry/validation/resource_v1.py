"""Rules of the resource.k8s.io group: dynamic resource allocation (KEP-4381)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required, too_long, too_many
from kcore.api.names import c_identifier, dns1123_label, dns1123_subdomain, label_key, label_value
from kcore.api.resource_v1 import (
    Device,
    DeviceClaim,
    DeviceClass,
    DeviceConstraint,
    DeviceRequest,
    DeviceSelector,
    DeviceSubRequest,
    DeviceToleration,
    ExactDeviceRequest,
    OpaqueDeviceConfiguration,
    ResourceClaim,
    ResourceClaimTemplate,
    ResourceSlice,
    ResourceSliceSpec,
)
from kcore.registry.validation.internal import shown
from kcore.registry.validation.labels import validate_node_selector
from kcore.registry.validation.storage_names import driver_name
from kcore.registry.validation.values import IMMUTABLE, check, immutable

__all__ = [
    "validate_claim",
    "validate_claim_template",
    "validate_claim_template_update",
    "validate_claim_update",
    "validate_device_class",
    "validate_resource_slice",
    "validate_resource_slice_update",
]

_SPEC = Path("spec")
_LIST_MAX = 32
_FIRST_AVAILABLE_MAX = 8
_DEVICES_MAX = 128
_POOL_NAME_MAX = 253
_IDENTIFIER_MAX = 32
_MODES = ("All", "ExactCount")
_EFFECTS = ("NoExecute", "NoSchedule", "None")
_WHERE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"


def validate_claim(claim: ResourceClaim) -> Iterator[FieldError]:
    yield from _validate_devices(claim.spec.devices, _SPEC / "devices")


def validate_claim_update(new: ResourceClaim, old: ResourceClaim) -> Iterator[FieldError]:
    if new.spec != old.spec:
        yield invalid(_SPEC, shown(new.spec), IMMUTABLE)


def validate_claim_template(template: ResourceClaimTemplate) -> Iterator[FieldError]:
    yield from _validate_devices(template.spec.spec.devices, _SPEC / "spec" / "devices")


def validate_claim_template_update(new: ResourceClaimTemplate, old: ResourceClaimTemplate) -> Iterator[FieldError]:
    yield from validate_claim_template(new)
    if new.spec != old.spec:
        yield invalid(_SPEC, shown(new.spec), IMMUTABLE)


def _validate_devices(devices: DeviceClaim, path: Path) -> Iterator[FieldError]:
    names = _request_names(devices.requests)
    if len(devices.requests) > _LIST_MAX:
        yield too_many(path / "requests", len(devices.requests), _LIST_MAX)
    for i, request in enumerate(devices.requests):
        at = path / "requests" @ i
        yield from _validate_request(request, at)
        if any(r.name == request.name for r in devices.requests[:i]):
            yield duplicate(at / "name", request.name)
    if len(devices.constraints) > _LIST_MAX:
        yield too_many(path / "constraints", len(devices.constraints), _LIST_MAX)
    for i, constraint in enumerate(devices.constraints):
        yield from _validate_constraint(constraint, names, path / "constraints" @ i)
    if len(devices.config) > _LIST_MAX:
        yield too_many(path / "config", len(devices.config), _LIST_MAX)
    for i, config in enumerate(devices.config):
        at = path / "config" @ i
        yield from _validate_references(config.requests, names, at / "requests")
        yield from _validate_opaque(config.opaque, at)


def _request_names(requests: Sequence[DeviceRequest]) -> set[str]:
    names = {request.name for request in requests}
    return names | {f"{request.name}/{sub.name}" for request in requests for sub in request.first_available}


def _validate_request(request: DeviceRequest, path: Path) -> Iterator[FieldError]:
    yield from _validate_label(request.name, path / "name")
    if request.exactly is None and not request.first_available:
        yield required(path, "exactly one of `exactly` or `firstAvailable` is required")
    elif request.exactly is not None and request.first_available:
        yield invalid(
            path, None, "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"
        )
    elif request.exactly is not None:
        yield from _validate_exact(request.exactly, path / "exactly")
    else:
        alternatives, at = request.first_available, path / "firstAvailable"
        if len(alternatives) > _FIRST_AVAILABLE_MAX:
            yield too_many(at, len(alternatives), _FIRST_AVAILABLE_MAX)
        for i, alternative in enumerate(alternatives):
            yield from _validate_label(alternative.name, at @ i / "name")
            if any(a.name == alternative.name for a in alternatives[:i]):
                yield duplicate(at @ i / "name", alternative.name)
            yield from _validate_exact(alternative, at @ i)


def _validate_label(name: str, path: Path) -> Iterator[FieldError]:
    if not name:
        yield required(path)
    else:
        yield from check(path, name, dns1123_label)


def _validate_exact(request: ExactDeviceRequest | DeviceSubRequest, path: Path) -> Iterator[FieldError]:
    if not request.device_class_name:
        yield required(path / "deviceClassName")
    else:
        yield from check(path / "deviceClassName", request.device_class_name, dns1123_subdomain)
    yield from _validate_selectors(request.selectors, path / "selectors")
    if request.allocation_mode == "All":
        if request.count:
            yield invalid(path / "count", request.count, "must not be specified when allocationMode is 'All'")
    elif request.allocation_mode == "ExactCount":
        if request.count <= 0:
            yield invalid(path / "count", request.count, "must be greater than zero")
    else:
        yield not_supported(path / "allocationMode", request.allocation_mode, _MODES)
    for i, toleration in enumerate(request.tolerations):
        yield from _validate_toleration(toleration, path / "tolerations" @ i)


def _validate_selectors(selectors: Sequence[DeviceSelector], path: Path) -> Iterator[FieldError]:
    if len(selectors) > _LIST_MAX:
        yield too_many(path, len(selectors), _LIST_MAX)
    for i, selector in enumerate(selectors):
        if selector.cel is None:
            yield required(path @ i / "cel")
        elif not selector.cel.expression:
            yield required(path @ i / "cel" / "expression")


def _validate_toleration(toleration: DeviceToleration, path: Path) -> Iterator[FieldError]:
    if toleration.key:
        yield from check(path / "key", toleration.key, label_key)
    elif toleration.operator == "Equal":
        yield required(path / "key")
    if toleration.operator == "Exists":
        if toleration.value:
            yield invalid(path / "value", toleration.value, "must be empty for operator `Exists`")
    elif toleration.operator == "Equal":
        yield from check(path / "value", toleration.value, label_value)
    else:
        yield not_supported(path / "operator", toleration.operator, ("Equal", "Exists"))
    if toleration.effect and toleration.effect not in _EFFECTS:
        yield not_supported(path / "effect", toleration.effect, _EFFECTS)


def _validate_constraint(constraint: DeviceConstraint, names: set[str], path: Path) -> Iterator[FieldError]:
    yield from _validate_references(constraint.requests, names, path / "requests")
    attribute = constraint.match_attribute or constraint.distinct_attribute
    if not attribute:
        yield required(path / "matchAttribute")
        return
    field = "matchAttribute" if constraint.match_attribute else "distinctAttribute"
    yield from _validate_qualified(attribute, path / field)
    if "/" not in attribute:
        yield invalid(path / field, attribute, "must include a domain")


def _validate_references(requests: Sequence[str], names: set[str], path: Path) -> Iterator[FieldError]:
    if len(requests) > _LIST_MAX:
        yield too_many(path, len(requests), _LIST_MAX)
    for i, name in enumerate(requests):
        if name not in names:
            message = (
                "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
            )
            yield invalid(path @ i, name, message)
        if name in requests[:i]:
            yield duplicate(path @ i, name)


def _validate_opaque(opaque: OpaqueDeviceConfiguration | None, path: Path) -> Iterator[FieldError]:
    if opaque is None:
        yield required(path / "opaque")
        return
    yield from driver_name(opaque.driver, path / "opaque" / "driver")
    if opaque.parameters is None:
        yield required(path / "opaque" / "parameters")
    elif not isinstance(opaque.parameters, dict):
        yield invalid(path / "opaque" / "parameters", "<value omitted>", "parameters must be a valid JSON object")


def _validate_qualified(name: str, path: Path) -> Iterator[FieldError]:
    """`name` or `domain/name`, where the name is a C identifier."""
    domain, slash, rest = name.rpartition("/")
    if slash and not domain:
        yield invalid(path, domain, "the domain must not be empty")
    elif domain:
        yield from check(path, domain, dns1123_subdomain)
    if not rest:
        yield invalid(path, rest, "the name must not be empty")
        return
    if len(rest) > _IDENTIFIER_MAX:
        yield too_long(path, _IDENTIFIER_MAX)
    yield from check(path, rest, c_identifier)


def validate_device_class(device_class: DeviceClass) -> Iterator[FieldError]:
    spec = device_class.spec
    yield from _validate_selectors(spec.selectors, _SPEC / "selectors")
    if len(spec.config) > _LIST_MAX:
        yield too_many(_SPEC / "config", len(spec.config), _LIST_MAX)
    for i, config in enumerate(spec.config):
        yield from _validate_opaque(config.opaque, _SPEC / "config" @ i)


def validate_resource_slice(slice_: ResourceSlice) -> Iterator[FieldError]:
    spec = slice_.spec
    yield from driver_name(spec.driver, _SPEC / "driver")
    yield from _validate_pool(spec)
    yield from _validate_where(spec)
    if len(spec.devices) > _DEVICES_MAX:
        yield too_many(_SPEC / "devices", len(spec.devices), _DEVICES_MAX)
    for i, device in enumerate(spec.devices):
        yield from _validate_device(device, _SPEC / "devices" @ i)
        if any(d.name == device.name for d in spec.devices[:i]):
            yield duplicate(_SPEC / "devices" @ i / "name", device.name)


def validate_resource_slice_update(new: ResourceSlice, old: ResourceSlice) -> Iterator[FieldError]:
    yield from validate_resource_slice(new)
    yield from immutable(_SPEC / "driver", new.spec.driver, old.spec.driver)
    yield from immutable(_SPEC / "pool" / "name", new.spec.pool.name, old.spec.pool.name)
    yield from immutable(_SPEC / "nodeName", new.spec.node_name, old.spec.node_name)
    yield from immutable(_SPEC / "nodeSelector", new.spec.node_selector, old.spec.node_selector)
    yield from immutable(_SPEC / "allNodes", new.spec.all_nodes, old.spec.all_nodes)


def _validate_pool(spec: ResourceSliceSpec) -> Iterator[FieldError]:
    pool, path = spec.pool, _SPEC / "pool"
    if not pool.name:
        yield required(path / "name")
    else:
        if len(pool.name) > _POOL_NAME_MAX:
            yield too_long(path / "name", _POOL_NAME_MAX)
        for part in pool.name.split("/"):
            yield from check(path / "name", part, dns1123_subdomain)
    if pool.resource_slice_count <= 0:
        yield invalid(path / "resourceSliceCount", pool.resource_slice_count, "must be greater than zero")
    if pool.generation < 0:
        yield invalid(path / "generation", pool.generation, "must be greater than or equal to zero")


def _validate_where(spec: ResourceSliceSpec) -> Iterator[FieldError]:
    """Which nodes the devices can be reached from must be said in exactly one way."""
    chosen = {
        "nodeName": spec.node_name,
        "nodeSelector": spec.node_selector,
        "allNodes": spec.all_nodes,
        "perDeviceNodeSelection": spec.per_device_node_selection,
    }
    named = [name for name, value in chosen.items() if value is not None]
    if not named:
        yield required(_SPEC, _WHERE)
    elif len(named) > 1:
        listed = "{" + ", ".join(f"`{name}`" for name in named) + "}"
        yield invalid(_SPEC, listed, f"{_WHERE}, but multiple fields are set")
    if spec.node_name is not None:
        if not spec.node_name:
            yield invalid(_SPEC / "nodeName", "", "must be either unset or set to a non-empty string")
        else:
            yield from check(_SPEC / "nodeName", spec.node_name, dns1123_subdomain)
    for field, value in (("allNodes", spec.all_nodes), ("perDeviceNodeSelection", spec.per_device_node_selection)):
        if value is False:
            yield invalid(_SPEC / field, value, "must be either unset or set to true")
    if spec.node_selector is not None:
        yield from validate_node_selector(spec.node_selector, _SPEC / "nodeSelector")
        if len(spec.node_selector.node_selector_terms) != 1:
            terms = shown(spec.node_selector.node_selector_terms)
            path = _SPEC / "nodeSelector" / "nodeSelectorTerms"
            yield invalid(path, terms, "must have exactly one node selector term")


def _validate_device(device: Device, path: Path) -> Iterator[FieldError]:
    yield from _validate_label(device.name, path / "name")
    if len(device.attributes) + len(device.capacity) > _LIST_MAX:
        total = len(device.attributes) + len(device.capacity)
        yield invalid(path, total, f"the total number of attributes and capacities must not exceed {_LIST_MAX}")
    for name, attribute in sorted(device.attributes.items()):
        at = (path / "attributes").key(name)
        yield from _validate_qualified(name, at)
        values: list[Any] = [
            v for v in (attribute.bool_, attribute.int_, attribute.string, attribute.version) if v is not None
        ]
        values += [v for v in (attribute.bools, attribute.ints, attribute.strings, attribute.versions) if v]
        if not values:
            yield required(at, "exactly one value must be specified")
        elif len(values) > 1:
            yield invalid(at, shown(attribute), "exactly one value must be specified")
    for name in sorted(device.capacity):
        yield from _validate_qualified(name, (path / "capacity").key(name))
    for i, taint in enumerate(device.taints):
        at = path / "taints" @ i
        yield from check(at / "key", taint.key, label_key)
        if taint.value:
            yield from check(at / "value", taint.value, label_value)
        if not taint.effect:
            yield required(at / "effect")
        elif taint.effect not in _EFFECTS:
            yield not_supported(at / "effect", taint.effect, _EFFECTS)
    if device.node_name is not None and device.all_nodes:
        yield forbidden(path, _WHERE)
