"""Defaults of the resource.k8s.io group."""

from __future__ import annotations

from kcore.api.resource_v1 import (
    DeviceClaim,
    DeviceSubRequest,
    DeviceToleration,
    ExactDeviceRequest,
    ResourceClaim,
    ResourceClaimTemplate,
)
from kcore.api.schema import fill

__all__ = ["default_claim", "default_claim_template"]


def default_claim(claim: ResourceClaim) -> None:
    _default_devices(claim.spec.devices)


def default_claim_template(template: ResourceClaimTemplate) -> None:
    _default_devices(template.spec.spec.devices)


def _default_devices(devices: DeviceClaim) -> None:
    for request in devices.requests:
        if request.exactly is not None:
            _default_request(request.exactly)
        for alternative in request.first_available:
            _default_request(alternative)


def _default_request(request: ExactDeviceRequest | DeviceSubRequest) -> None:
    if not request.allocation_mode:
        fill(request, allocation_mode="ExactCount")
    if request.allocation_mode == "ExactCount" and not request.count:
        fill(request, count=1)
    for toleration in request.tolerations:
        _default_toleration(toleration)


def _default_toleration(toleration: DeviceToleration) -> None:
    if not toleration.operator:
        fill(toleration, operator="Equal")
