"""The status of a ResourceClaim: which devices it was given, what their drivers say of them, who uses them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TypeAlias

import msgspec

from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, required, too_long, too_many
from kcore.api.resource_v1 import (
    AllocatedDeviceStatus,
    AllocationResult,
    DeviceAllocationConfiguration,
    DeviceRequestAllocationResult,
    NetworkDeviceData,
    ResourceClaim,
    ResourceClaimConsumerReference,
)
from kcore.registry.validation.internal import shown
from kcore.registry.validation.labels import validate_node_selector
from kcore.registry.validation.resource_names import (
    each,
    unique,
    validate_binding_conditions,
    validate_label,
    validate_parameters,
    validate_pool_name,
)
from kcore.registry.validation.resource_v1 import (
    request_names,
    validate_opaque,
    validate_reference,
    validate_references,
)
from kcore.registry.validation.storage_names import driver_name
from kcore.registry.validation.values import immutable

__all__ = ["validate_claim_status"]

_STATUS = Path("status")
_CONSUMERS_MAX = 256
_RESULTS_MAX = 32
_CONFIG_MAX = 64
_CONDITIONS_MAX = 8
_INTERFACE_MAX = 256
_HARDWARE_MAX = 128
_ADDRESSES_MAX = 16
_SOURCES = ("FromClaim", "FromClass")

_DeviceID: TypeAlias = tuple[str, str, str, str]


def validate_claim_status(new: ResourceClaim, old: ResourceClaim) -> Iterator[FieldError]:
    status, path = new.status, _STATUS / "reservedFor"
    yield from each(status.reserved_for, _CONSUMERS_MAX, _validate_consumer, path)
    yield from unique([consumer.uid for consumer in status.reserved_for], path, "uid")
    yield from _validate_devices(new, _STATUS / "devices")
    if status.reserved_for and status.allocation is None:
        yield forbidden(path, "may not be specified when `allocated` is not set")
    elif new.metadata.deletion_timestamp is not None and _adds_consumers(new, old):
        message = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        yield forbidden(path, message)
    if status.allocation is None:
        return
    path = _STATUS / "allocation"
    if old.status.allocation is not None:
        yield from immutable(path, status.allocation, old.status.allocation, shown(status.allocation))
    else:
        yield from _validate_allocation(status.allocation, request_names(new.spec.devices.requests), path)


def _adds_consumers(new: ResourceClaim, old: ResourceClaim) -> bool:
    return any(consumer not in old.status.reserved_for for consumer in new.status.reserved_for)


def _validate_consumer(consumer: ResourceClaimConsumerReference, path: Path) -> Iterator[FieldError]:
    for field, value in (("resource", consumer.resource), ("name", consumer.name), ("uid", consumer.uid)):
        if not value:
            yield required(path / field)


def _validate_devices(claim: ResourceClaim, path: Path) -> Iterator[FieldError]:
    allocation, devices = claim.status.allocation, claim.status.devices
    given = {_id_of(result) for result in allocation.devices.results} if allocation is not None else set()
    yield from each(devices, None, lambda device, at: _validate_device(device, given, at), path)
    yield from unique([_id_of(device) for device in devices], path, "deviceID", _written)


def _id_of(device: AllocatedDeviceStatus | DeviceRequestAllocationResult) -> _DeviceID:
    return device.driver, device.pool, device.device, device.share_id


def _written(device: _DeviceID) -> msgspec.Raw:
    """Without quotes: upstream's is a struct that has a way of writing of its own."""
    return msgspec.Raw("/".join(device[:4] if device[3] else device[:3]).encode())


def _validate_device(device: AllocatedDeviceStatus, given: Collection[_DeviceID], path: Path) -> Iterator[FieldError]:
    yield from driver_name(device.driver, path / "driver")
    yield from validate_pool_name(device.pool, path / "pool")
    yield from validate_label(device.device, path / "device")
    if _id_of(device) not in given:
        yield invalid(path, _written(_id_of(device)), "must be an allocated device in the claim")
    if len(device.conditions) > _CONDITIONS_MAX:
        yield too_many(path / "conditions", len(device.conditions), _CONDITIONS_MAX)
    if device.data is not None:
        yield from validate_parameters(device.data, path / "data")
    if device.network_data is not None:
        yield from _validate_network(device.network_data, path / "networkData")


def _validate_network(data: NetworkDeviceData, path: Path) -> Iterator[FieldError]:
    if len(data.interface_name.encode()) > _INTERFACE_MAX:
        yield too_long(path / "interfaceName", _INTERFACE_MAX)
    if len(data.hardware_address.encode()) > _HARDWARE_MAX:
        yield too_long(path / "hardwareAddress", _HARDWARE_MAX)
    if len(data.ips) > _ADDRESSES_MAX:
        yield too_many(path / "ips", len(data.ips), _ADDRESSES_MAX)
    yield from unique(data.ips, path / "ips")


def _validate_allocation(allocation: AllocationResult, names: set[str], path: Path) -> Iterator[FieldError]:
    def result(item: DeviceRequestAllocationResult, at: Path) -> Iterator[FieldError]:
        yield from validate_reference(item.request, names, at / "request")
        yield from driver_name(item.driver, at / "driver")
        yield from validate_pool_name(item.pool, at / "pool")
        yield from validate_label(item.device, at / "device")
        yield from validate_binding_conditions(item.binding_conditions, item.binding_failure_conditions, at)

    def config(item: DeviceAllocationConfiguration, at: Path) -> Iterator[FieldError]:
        if not item.source:
            yield required(at / "source")
        elif item.source not in _SOURCES:
            yield not_supported(at / "source", item.source, _SOURCES)
        yield from validate_references(item.requests, names, at / "requests")
        yield from validate_opaque(item.opaque, at)

    devices = path / "devices"
    yield from each(allocation.devices.results, _RESULTS_MAX, result, devices / "results")
    yield from each(allocation.devices.config, _CONFIG_MAX, config, devices / "config")
    if allocation.node_selector is not None:
        yield from validate_node_selector(allocation.node_selector, path / "nodeSelector")
