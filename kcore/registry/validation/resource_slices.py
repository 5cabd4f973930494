"""Rules of ResourceSlices: the devices that drivers tell of (KEP-4381)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kcore.api.field import FieldError, Path, forbidden, invalid, required, too_long
from kcore.api.names import dns1123_label, dns1123_subdomain, label_key, label_value
from kcore.api.resource_v1 import (
    Counter,
    CounterSet,
    Device,
    DeviceAttribute,
    DeviceCounterConsumption,
    DeviceTaint,
    ResourceSlice,
    ResourceSliceSpec,
)
from kcore.registry.validation.internal import shown
from kcore.registry.validation.labels import validate_node_selector
from kcore.registry.validation.resource_names import (
    each,
    unique,
    validate_binding_conditions,
    validate_label,
    validate_pool_name,
    validate_qualified,
)
from kcore.registry.validation.resource_v1 import DEVICE_EFFECTS
from kcore.registry.validation.storage_names import driver_name
from kcore.registry.validation.values import check, immutable, one_of

__all__ = ["validate_resource_slice", "validate_resource_slice_update"]

_SPEC = Path("spec")
_DEVICES_MAX = 128
_ATTRIBUTES_MAX = 32
_VALUE_MAX = 64
_WHERE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_NUMBER = "(?:0|[1-9][0-9]*)"
_PRERELEASE = f"(?:{_NUMBER}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_BUILD = "[0-9a-zA-Z-]+"
_is_version = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PRERELEASE}(?:\.{_PRERELEASE})*)?(?:\+{_BUILD}(?:\.{_BUILD})*)?"
).fullmatch


def validate_resource_slice(slice_: ResourceSlice) -> Iterator[FieldError]:
    yield from _validate_owner(slice_.spec)
    yield from _validate_content(slice_.spec)


def _validate_owner(spec: ResourceSliceSpec) -> Iterator[FieldError]:
    yield from driver_name(spec.driver, _SPEC / "driver")
    yield from _validate_pool(spec)


def _validate_content(spec: ResourceSliceSpec) -> Iterator[FieldError]:
    yield from _validate_where(spec)
    chosen = bool(spec.per_device_node_selection)
    devices, sets = _SPEC / "devices", _SPEC / "sharedCounters"
    yield from each(spec.devices, _DEVICES_MAX, lambda device, at: _validate_device(device, chosen, at), devices)
    yield from unique([device.name for device in spec.devices], devices, "name")
    yield from each(spec.shared_counters, None, _validate_counters, sets)
    yield from unique([counters.name for counters in spec.shared_counters], sets, "name")


def _validate_counters(counters: CounterSet, path: Path) -> Iterator[FieldError]:
    yield from validate_label(counters.name, path / "name")
    yield from _validate_counter_names(counters.counters, path / "counters")


def _validate_counter_names(counters: Mapping[str, Counter], path: Path) -> Iterator[FieldError]:
    if not counters:
        yield required(path)
    for name in sorted(counters):
        yield from check(path.key(name), name, dns1123_label)


def validate_resource_slice_update(new: ResourceSlice, old: ResourceSlice) -> Iterator[FieldError]:
    yield from _validate_owner(new.spec)
    yield from immutable(_SPEC / "pool" / "name", new.spec.pool.name, old.spec.pool.name)
    yield from immutable(_SPEC / "driver", new.spec.driver, old.spec.driver)
    yield from immutable(_SPEC / "nodeName", new.spec.node_name, old.spec.node_name)
    yield from _validate_content(new.spec)


def _validate_pool(spec: ResourceSliceSpec) -> Iterator[FieldError]:
    pool, path = spec.pool, _SPEC / "pool"
    yield from validate_pool_name(pool.name, path / "name")
    if pool.resource_slice_count <= 0:
        yield invalid(path / "resourceSliceCount", pool.resource_slice_count, "must be greater than zero")
    if pool.generation < 0:
        yield invalid(path / "generation", pool.generation, "must be greater than or equal to zero")


def _validate_where(spec: ResourceSliceSpec) -> Iterator[FieldError]:
    """Which nodes the devices can be reached from must be said in exactly one way."""
    named = [
        field
        for field, value in (
            ("nodeName", spec.node_name),
            ("nodeSelector", spec.node_selector),
            ("allNodes", spec.all_nodes),
            ("perDeviceNodeSelection", spec.per_device_node_selection),
        )
        if value
    ]
    yield from _validate_node_name(spec.node_name, "must be either unset or set to a non-empty string", _SPEC)
    if spec.node_selector is not None:
        yield from validate_node_selector(spec.node_selector, _SPEC / "nodeSelector")
        if len(spec.node_selector.node_selector_terms) != 1:
            terms = shown(spec.node_selector.node_selector_terms)
            path = _SPEC / "nodeSelector" / "nodeSelectorTerms"
            yield invalid(path, terms, "must have exactly one node selector term")
    for field, value in (("allNodes", spec.all_nodes), ("perDeviceNodeSelection", spec.per_device_node_selection)):
        if value is False:
            yield invalid(_SPEC / field, value, "must be either unset or set to true")
    if not named:
        yield required(_SPEC, _WHERE)
    elif len(named) > 1:
        yield invalid(_SPEC, _listed(named), f"{_WHERE}, but multiple fields are set")


def _validate_node_name(name: str | None, empty: str, path: Path) -> Iterator[FieldError]:
    if name == "":
        yield invalid(path / "nodeName", "", empty)
    elif name is not None:
        yield from check(path / "nodeName", name, dns1123_subdomain)


def _listed(fields: Sequence[str]) -> str:
    return "{" + ", ".join(f"`{field}`" for field in fields) + "}"


def _validate_device(device: Device, chosen: bool, path: Path) -> Iterator[FieldError]:
    """`chosen`: each device says which nodes it can be reached from."""
    yield from validate_label(device.name, path / "name")
    total = len(device.attributes) + len(device.capacity)
    if total > _ATTRIBUTES_MAX:
        yield invalid(path, total, f"the total number of attributes and capacities must not exceed {_ATTRIBUTES_MAX}")
    for name, attribute in sorted(device.attributes.items()):
        at = (path / "attributes").key(name)
        yield from validate_qualified(name, at)
        yield from _validate_attribute(attribute, at)
    for name, capacity in sorted(device.capacity.items()):
        at = (path / "capacity").key(name)
        yield from validate_qualified(name, at)
        if capacity.request_policy is not None and not device.allow_multiple_allocations:
            yield forbidden(at / "requestPolicy", "allowMultipleAllocations must be true")
    for i, taint in enumerate(device.taints):
        yield from _validate_taint(taint, path / "taints" @ i)
    counters = path / "consumesCounters"
    yield from each(device.consumes_counters, None, _validate_consumption, counters)
    yield from unique([use.counter_set for use in device.consumes_counters], counters, "counterSet")
    yield from _validate_device_nodes(device, chosen, path)
    yield from validate_binding_conditions(device.binding_conditions, device.binding_failure_conditions, path)


def _validate_consumption(use: DeviceCounterConsumption, path: Path) -> Iterator[FieldError]:
    if not use.counter_set:
        yield required(path / "counterSet")
    yield from _validate_counter_names(use.counters, path / "counters")


def _validate_attribute(attribute: DeviceAttribute, path: Path) -> Iterator[FieldError]:
    single = [attribute.bool_, attribute.int_, attribute.string, attribute.version]
    values: list[Any] = [value for value in single if value is not None]
    values += [v for v in (attribute.bools, attribute.ints, attribute.strings, attribute.versions) if v]
    if attribute.string is not None and len(attribute.string.encode()) > _VALUE_MAX:
        yield too_long(path / "string", _VALUE_MAX)
    if attribute.version is not None:
        if not _is_version(attribute.version):
            message = "must be a string compatible with semver.org spec 2.0.0"
            yield invalid(path / "version", attribute.version, message)
        if len(attribute.version.encode()) > _VALUE_MAX:
            yield too_long(path / "version", _VALUE_MAX)
    if not values:
        yield required(path, "exactly one value must be specified")
    elif len(values) > 1:
        yield invalid(path, shown(attribute), "exactly one value must be specified")


def _validate_taint(taint: DeviceTaint, path: Path) -> Iterator[FieldError]:
    yield from check(path / "key", taint.key, label_key)
    if taint.value:
        yield from check(path / "value", taint.value, label_value)
    yield from one_of(path / "effect", taint.effect, DEVICE_EFFECTS)


def _validate_device_nodes(device: Device, chosen: bool, path: Path) -> Iterator[FieldError]:
    said = {"nodeName": device.node_name, "nodeSelector": device.node_selector, "allNodes": device.all_nodes}
    when = "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"
    if not chosen:
        if any(value is not None for value in said.values()):
            yield invalid(path, None, f"`nodeName`, `nodeSelector` and `allNodes` can only be set if {when}")
        return
    yield from _validate_node_name(device.node_name, "must not be empty", path)
    if device.node_selector is not None:
        yield from validate_node_selector(device.node_selector, path / "nodeSelector")
    if device.all_nodes is False:
        yield invalid(path / "allNodes", False, "must be either unset or set to true")
    named = [field for field, value in said.items() if value]
    words = f"exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when {when}"
    if not named:
        yield required(path, words)
    elif len(named) > 1:
        yield invalid(path, _listed(named), words)
