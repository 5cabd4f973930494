"""The types of resource/v1."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import field

from kcore.api.core_v1 import NodeSelector
from kcore.api.meta_v1 import Condition, ObjectMeta
from kcore.api.object import Object
from kcore.api.schema import (
    LIST_ATOMIC,
    Int64,
    ListMap,
    Patch,
    Quantity,
    RawExtension,
    Struct,
    Time,
    empty,
    empty_map,
    null,
    zero,
    zero_quantity,
)


class NetworkDeviceData(Struct):
    hardware_address: str = ""
    interface_name: str = ""
    ips: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class AllocatedDeviceStatus(Struct):
    conditions: Annotated[tuple[Condition, ...], ListMap("type")] = ()
    data: RawExtension = None
    device: str = field(default_factory=empty)
    driver: str = field(default_factory=empty)
    network_data: NetworkDeviceData | None = None
    pool: str = field(default_factory=empty)
    share_id: str = field(default="", name="shareID")


class OpaqueDeviceConfiguration(Struct):
    driver: str = field(default_factory=empty)
    parameters: RawExtension = field(default_factory=null)


class DeviceAllocationConfiguration(Struct):
    opaque: OpaqueDeviceConfiguration | None = None
    requests: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    source: str = field(default_factory=empty)


class DeviceToleration(Struct):
    key: str = ""
    effect: str = ""
    operator: str = ""
    toleration_seconds: Int64 | None = None
    value: str = ""


class DeviceRequestAllocationResult(Struct):
    admin_access: bool | None = None
    binding_conditions: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    binding_failure_conditions: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    consumed_capacity: Mapping[str, Quantity] = {}
    device: str = field(default_factory=empty)
    driver: str = field(default_factory=empty)
    pool: str = field(default_factory=empty)
    request: str = field(default_factory=empty)
    share_id: str = field(default="", name="shareID")
    tolerations: Annotated[tuple[DeviceToleration, ...], LIST_ATOMIC] = ()


class DeviceAllocationResult(Struct):
    config: Annotated[tuple[DeviceAllocationConfiguration, ...], LIST_ATOMIC] = ()
    results: Annotated[tuple[DeviceRequestAllocationResult, ...], LIST_ATOMIC] = ()


class AllocationResult(Struct):
    allocation_timestamp: Time | None = None
    devices: DeviceAllocationResult = field(default_factory=DeviceAllocationResult)
    node_selector: NodeSelector | None = None


class CELDeviceSelector(Struct):
    expression: str = field(default_factory=empty)


class CapacityRequestPolicyRange(Struct):
    max: Quantity | None = None
    min: Quantity = field(default_factory=zero_quantity)
    step: Quantity | None = None


class CapacityRequestPolicy(Struct):
    default: Quantity | None = None
    valid_range: CapacityRequestPolicyRange | None = None
    valid_values: Annotated[tuple[Quantity, ...], LIST_ATOMIC] = ()


class CapacityRequirements(Struct):
    requests: Mapping[str, Quantity] = {}


class Counter(Struct):
    value: Quantity = field(default_factory=zero_quantity)


class CounterSet(Struct):
    name: str = field(default_factory=empty)
    counters: Mapping[str, Counter] = field(default_factory=empty_map)


class DeviceAttribute(Struct):
    bool_: bool | None = field(default=None, name="bool")
    bools: Annotated[tuple[bool, ...], LIST_ATOMIC] = ()
    int_: Int64 | None = field(default=None, name="int")
    ints: Annotated[tuple[Int64, ...], LIST_ATOMIC] = ()
    string: str | None = None
    strings: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    version: str | None = None
    versions: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class DeviceCapacity(Struct):
    request_policy: CapacityRequestPolicy | None = None
    value: Quantity = field(default_factory=zero_quantity)


class DeviceCounterConsumption(Struct):
    counter_set: str = field(default_factory=empty)
    counters: Mapping[str, Counter] = field(default_factory=empty_map)


class DeviceTaint(Struct):
    key: str = field(default_factory=empty)
    effect: str = field(default_factory=empty)
    time_added: Time | None = None
    value: str = ""


class NodeAllocatableResourceMapping(Struct):
    allocation_multiplier: Quantity | None = None
    capacity_key: str = ""


class Device(Struct):
    name: str = field(default_factory=empty)
    all_nodes: bool | None = None
    allow_multiple_allocations: bool | None = None
    attributes: Mapping[str, DeviceAttribute] = {}
    binding_conditions: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    binding_failure_conditions: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    binds_to_node: bool | None = None
    capacity: Mapping[str, DeviceCapacity] = {}
    consumes_counters: Annotated[tuple[DeviceCounterConsumption, ...], LIST_ATOMIC] = ()
    node_allocatable_resource_mappings: Mapping[str, NodeAllocatableResourceMapping] = {}
    node_name: str | None = None
    node_selector: NodeSelector | None = None
    taints: Annotated[tuple[DeviceTaint, ...], LIST_ATOMIC] = ()


class DeviceClaimConfiguration(Struct):
    opaque: OpaqueDeviceConfiguration | None = None
    requests: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class DeviceConstraint(Struct):
    distinct_attribute: str = ""
    match_attribute: str = ""
    requests: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class DeviceSelector(Struct):
    cel: CELDeviceSelector | None = None


class DeviceSubRequest(Struct):
    name: str = field(default_factory=empty)
    allocation_mode: str = ""
    capacity: CapacityRequirements | None = None
    count: Int64 = 0
    device_class_name: str = field(default_factory=empty)
    selectors: Annotated[tuple[DeviceSelector, ...], LIST_ATOMIC] = ()
    tolerations: Annotated[tuple[DeviceToleration, ...], LIST_ATOMIC] = ()


class ExactDeviceRequest(Struct):
    admin_access: bool | None = None
    allocation_mode: str = ""
    capacity: CapacityRequirements | None = None
    count: Int64 = 0
    device_class_name: str = field(default_factory=empty)
    selectors: Annotated[tuple[DeviceSelector, ...], LIST_ATOMIC] = ()
    tolerations: Annotated[tuple[DeviceToleration, ...], LIST_ATOMIC] = ()


class DeviceRequest(Struct):
    name: str = field(default_factory=empty)
    exactly: ExactDeviceRequest | None = None
    first_available: Annotated[tuple[DeviceSubRequest, ...], LIST_ATOMIC] = ()


class DeviceClaim(Struct):
    config: Annotated[tuple[DeviceClaimConfiguration, ...], LIST_ATOMIC] = ()
    constraints: Annotated[tuple[DeviceConstraint, ...], LIST_ATOMIC] = ()
    requests: Annotated[tuple[DeviceRequest, ...], LIST_ATOMIC] = ()


class DeviceClassConfiguration(Struct):
    opaque: OpaqueDeviceConfiguration | None = None


class DeviceClassSpec(Struct):
    config: Annotated[tuple[DeviceClassConfiguration, ...], LIST_ATOMIC] = ()
    extended_resource_name: str = ""
    selectors: Annotated[tuple[DeviceSelector, ...], LIST_ATOMIC] = ()


class DeviceClass(Object):
    spec: DeviceClassSpec = field(default_factory=DeviceClassSpec)


class ResourceClaimSpec(Struct):
    devices: DeviceClaim = field(default_factory=DeviceClaim)


class ResourceClaimConsumerReference(Struct):
    name: str = field(default_factory=empty)
    api_group: str = ""
    resource: str = field(default_factory=empty)
    uid: str = field(default_factory=empty)


class ResourceClaimStatus(Struct):
    allocation: AllocationResult | None = None
    devices: Annotated[tuple[AllocatedDeviceStatus, ...], ListMap("driver", "device", "pool", "shareID")] = ()
    reserved_for: Annotated[tuple[ResourceClaimConsumerReference, ...], ListMap("uid"), Patch("merge", key="uid")] = ()


class ResourceClaim(Object):
    spec: ResourceClaimSpec = field(default_factory=ResourceClaimSpec)
    status: ResourceClaimStatus = field(default_factory=ResourceClaimStatus)


class ResourceClaimTemplateSpec(Struct):
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: ResourceClaimSpec = field(default_factory=ResourceClaimSpec)


class ResourceClaimTemplate(Object):
    spec: ResourceClaimTemplateSpec = field(default_factory=ResourceClaimTemplateSpec)


class ResourcePool(Struct):
    name: str = field(default_factory=empty)
    generation: Int64 = field(default_factory=zero)
    resource_slice_count: Int64 = field(default_factory=zero)


class ResourceSliceSpec(Struct):
    all_nodes: bool | None = None
    devices: Annotated[tuple[Device, ...], LIST_ATOMIC] = ()
    driver: str = field(default_factory=empty)
    node_name: str | None = None
    node_selector: NodeSelector | None = None
    per_device_node_selection: bool | None = None
    pool: ResourcePool = field(default_factory=ResourcePool)
    shared_counters: Annotated[tuple[CounterSet, ...], LIST_ATOMIC] = ()


class ResourceSlice(Object):
    spec: ResourceSliceSpec = field(default_factory=ResourceSliceSpec)
