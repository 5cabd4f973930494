"""Rules of claims of devices and their classes: dynamic resource allocation (KEP-4381)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kcore.api.field import FieldError, Path, invalid, not_supported, required, too_long
from kcore.api.names import dns1123_subdomain, label_key, label_value
from kcore.api.resource_v1 import (
    DeviceClaim,
    DeviceClaimConfiguration,
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
)
from kcore.registry.validation.internal import shown
from kcore.registry.validation.labels import validate_labels
from kcore.registry.validation.resource_names import (
    each,
    unique,
    validate_label,
    validate_parameters,
    validate_qualified,
)
from kcore.registry.validation.resources import is_extended_resource
from kcore.registry.validation.rules import validate_annotations
from kcore.registry.validation.storage_names import driver_name
from kcore.registry.validation.values import IMMUTABLE, check

__all__ = [
    "DEVICE_EFFECTS",
    "request_names",
    "validate_claim",
    "validate_claim_template",
    "validate_claim_template_update",
    "validate_claim_update",
    "validate_device_class",
    "validate_opaque",
    "validate_reference",
    "validate_references",
]

_SPEC = Path("spec")
_LIST_MAX = 32
_FIRST_AVAILABLE_MAX = 8
_EXPRESSION_MAX = 10 * 1024
_MODES = ("All", "ExactCount")
DEVICE_EFFECTS = ("NoExecute", "NoSchedule", "None")
_REFERENCE = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"


def validate_claim(claim: ResourceClaim) -> Iterator[FieldError]:
    yield from _validate_devices(claim.spec.devices, _SPEC / "devices")


def validate_claim_update(new: ResourceClaim, old: ResourceClaim) -> Iterator[FieldError]:
    if new.spec != old.spec:
        yield invalid(_SPEC, shown(new.spec), IMMUTABLE)
    yield from validate_claim(new)


def validate_claim_template(template: ResourceClaimTemplate) -> Iterator[FieldError]:
    metadata, path = template.spec.metadata, _SPEC / "metadata"
    yield from validate_annotations(metadata.annotations, path / "annotations")
    yield from validate_labels(metadata.labels, path / "labels")
    yield from _validate_devices(template.spec.spec.devices, _SPEC / "spec" / "devices")


def validate_claim_template_update(new: ResourceClaimTemplate, old: ResourceClaimTemplate) -> Iterator[FieldError]:
    if new.spec != old.spec:
        yield invalid(_SPEC, shown(new.spec), IMMUTABLE)
    yield from validate_claim_template(new)


def _validate_devices(devices: DeviceClaim, path: Path) -> Iterator[FieldError]:
    names = request_names(devices.requests)
    yield from each(devices.requests, _LIST_MAX, _validate_request, path / "requests")
    yield from unique([request.name for request in devices.requests], path / "requests", "name")

    def constraint(item: DeviceConstraint, at: Path) -> Iterator[FieldError]:
        return _validate_constraint(item, names, at)

    def config(item: DeviceClaimConfiguration, at: Path) -> Iterator[FieldError]:
        yield from validate_references(item.requests, names, at / "requests")
        yield from validate_opaque(item.opaque, at)

    yield from each(devices.constraints, _LIST_MAX, constraint, path / "constraints")
    yield from each(devices.config, _LIST_MAX, config, path / "config")


def request_names(requests: Sequence[DeviceRequest]) -> set[str]:
    names = {request.name for request in requests}
    return names | {f"{request.name}/{sub.name}" for request in requests for sub in request.first_available}


def _validate_request(request: DeviceRequest, path: Path) -> Iterator[FieldError]:
    yield from validate_label(request.name, path / "name")
    if request.first_available:
        at = path / "firstAvailable"
        yield from each(request.first_available, _FIRST_AVAILABLE_MAX, _validate_alternative, at)
        yield from unique([alternative.name for alternative in request.first_available], at, "name")
    if request.exactly is not None:
        yield from _validate_exact(request.exactly, path / "exactly")
    words = "exactly one of `exactly` or `firstAvailable` is required"
    if request.exactly is None and not request.first_available:
        yield required(path, words)
    elif request.exactly is not None and request.first_available:
        yield invalid(path, None, f"{words}, but multiple fields are set")


def _validate_alternative(alternative: DeviceSubRequest, path: Path) -> Iterator[FieldError]:
    yield from validate_label(alternative.name, path / "name")
    yield from _validate_exact(alternative, path)


def _validate_exact(request: ExactDeviceRequest | DeviceSubRequest, path: Path) -> Iterator[FieldError]:
    if not request.device_class_name:
        yield required(path / "deviceClassName")
    else:
        yield from check(path / "deviceClassName", request.device_class_name, dns1123_subdomain)
    yield from each(request.selectors, _LIST_MAX, _validate_selector, path / "selectors")
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


def _validate_selector(selector: DeviceSelector, path: Path) -> Iterator[FieldError]:
    if selector.cel is None:
        yield required(path / "cel")
    elif not selector.cel.expression:
        yield required(path / "cel" / "expression")
    elif len(selector.cel.expression.encode()) > _EXPRESSION_MAX:
        yield too_long(path / "cel" / "expression", _EXPRESSION_MAX)


def _validate_toleration(toleration: DeviceToleration, path: Path) -> Iterator[FieldError]:
    if toleration.key:
        yield from check(path / "key", toleration.key, label_key)
    if toleration.operator == "Exists":
        if toleration.value:
            yield invalid(path / "value", toleration.value, "must be empty for operator `Exists`")
    elif toleration.operator == "Equal":
        yield from check(path / "value", toleration.value, label_value)
    elif not toleration.operator:
        yield required(path / "operator")
    else:
        yield not_supported(path / "operator", toleration.operator, ("Equal", "Exists"))
    if toleration.effect and toleration.effect not in DEVICE_EFFECTS:
        yield not_supported(path / "effect", toleration.effect, DEVICE_EFFECTS)


def _validate_constraint(constraint: DeviceConstraint, names: set[str], path: Path) -> Iterator[FieldError]:
    yield from validate_references(constraint.requests, names, path / "requests")
    attribute = constraint.match_attribute or constraint.distinct_attribute
    if not attribute:
        words = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
        yield required(path, words)
        return
    field = "matchAttribute" if constraint.match_attribute else "distinctAttribute"
    yield from validate_qualified(attribute, path / field)
    if "/" not in attribute:
        yield invalid(path / field, attribute, "must include a domain")


def validate_references(requests: Sequence[str], names: set[str], path: Path) -> Iterator[FieldError]:
    yield from each(requests, _LIST_MAX, lambda name, at: validate_reference(name, names, at), path)
    yield from unique(requests, path)


def validate_reference(name: str, names: set[str], path: Path) -> Iterator[FieldError]:
    segments = name.split("/")
    if len(segments) <= 2:
        for segment in segments:
            yield from validate_label(segment, path)
    if name not in names:
        yield invalid(path, name, _REFERENCE)


def validate_opaque(opaque: OpaqueDeviceConfiguration | None, path: Path) -> Iterator[FieldError]:
    if opaque is None:
        yield required(path / "opaque")
        return
    yield from driver_name(opaque.driver, path / "opaque" / "driver")
    yield from validate_parameters(opaque.parameters, path / "opaque" / "parameters")


def validate_device_class(device_class: DeviceClass) -> Iterator[FieldError]:
    spec = device_class.spec
    yield from each(spec.selectors, _LIST_MAX, _validate_selector, _SPEC / "selectors")
    yield from each(spec.config, _LIST_MAX, lambda item, at: validate_opaque(item.opaque, at), _SPEC / "config")
    name = spec.extended_resource_name
    if name and not is_extended_resource(name):
        yield invalid(_SPEC / "extendedResourceName", name, "must be a valid extended resource name")
