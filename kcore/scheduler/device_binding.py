"""Devices that have to be made ready before a pod is bound: binding conditions (KEP-5007).

A device may name conditions that its driver sets in the status of the claim once it is attached or configured, and
others by which the driver says that this has failed. The pod waits for them on its node; where one fails, or time runs
out, the claim loses its devices and the pod is scheduled anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.resource_v1 import DeviceRequestAllocationResult, ResourceClaim
from kcore.api.timestamp import parse

__all__ = ["BINDING_SECONDS", "failed_device", "has_timed_out", "is_ready"]

BINDING_SECONDS = 600.0


def is_ready(claim: ResourceClaim) -> bool:
    """Whether nothing is left to wait for."""
    return all(set(one.binding_conditions) <= _true(claim, one) for one in _results(claim))


def failed_device(claim: ResourceClaim) -> str:
    """The device that could not be made ready; "": none."""
    failed = (one.device for one in _results(claim) if not _true(claim, one).isdisjoint(one.binding_failure_conditions))
    return next(failed, "")


def has_timed_out(claim: ResourceClaim, now: float, seconds: float) -> bool:
    """Whether it has been waited for long enough."""
    allocation = claim.status.allocation
    if is_ready(claim) or allocation is None or allocation.allocation_timestamp is None:
        return False
    return parse(allocation.allocation_timestamp) + seconds <= now


def _results(claim: ResourceClaim) -> Iterator[DeviceRequestAllocationResult]:
    allocation = claim.status.allocation
    for result in allocation.devices.results if allocation is not None else ():
        if result.binding_conditions:
            yield result


def _true(claim: ResourceClaim, result: DeviceRequestAllocationResult) -> set[str]:
    """The conditions that hold of a device."""
    return {
        condition.type
        for device in claim.status.devices
        if (device.driver, device.pool, device.device) == (result.driver, result.pool, result.device)
        and device.share_id == result.share_id
        for condition in device.conditions
        if condition.status == "True"
    }
