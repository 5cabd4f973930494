"""The resource.k8s.io group."""

from __future__ import annotations

from typing import ClassVar

from kcore.api.resource_v1 import DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice
from kcore.registry.defaults.resource_v1 import default_claim, default_claim_template
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.validation.claim_status import validate_claim_status
from kcore.registry.validation.resource_slices import validate_resource_slice, validate_resource_slice_update
from kcore.registry.validation.resource_v1 import (
    validate_claim,
    validate_claim_template,
    validate_claim_template_update,
    validate_claim_update,
    validate_device_class,
)

__all__ = ["STRATEGIES"]


class DeviceClassStrategy(Ruled):
    type = DeviceClass
    generation = ("spec",)
    returns_deleted = True
    rules = Rules(create=validate_device_class)


class ResourceClaimStrategy(Ruled):
    type = ResourceClaim
    returns_deleted = True
    rules = Rules(default_claim, validate_claim, validate_claim_update, validate_claim_status)


class ResourceClaimTemplateStrategy(Ruled):
    type = ResourceClaimTemplate
    returns_deleted = True
    rules = Rules(default_claim_template, validate_claim_template, validate_claim_template_update)


class ResourceSliceStrategy(Ruled):
    type = ResourceSlice
    generation = ("spec",)
    returns_deleted = True
    selectable: ClassVar = {
        "spec.nodeName": lambda s: s.spec.node_name or "",
        "spec.driver": lambda s: s.spec.driver,
    }
    rules = Rules(create=validate_resource_slice, update=validate_resource_slice_update)


STRATEGIES = (DeviceClassStrategy, ResourceClaimStrategy, ResourceClaimTemplateStrategy, ResourceSliceStrategy)
