"""The types of storage/v1."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import field

from kcore.api.core_v1 import PersistentVolumeSpec, TopologySelectorTerm
from kcore.api.meta_v1 import LabelSelector
from kcore.api.object import Object
from kcore.api.schema import (
    LIST_ATOMIC,
    LIST_SET,
    Int32,
    Int64,
    ListMap,
    Patch,
    Quantity,
    Struct,
    Time,
    empty,
    false,
    null,
)


class TokenRequest(Struct):
    audience: str = field(default_factory=empty)
    expiration_seconds: Int64 | None = None


class CSIDriverSpec(Struct):
    attach_required: bool | None = None
    fs_group_policy: str | None = None
    node_allocatable_update_period_seconds: Int64 | None = None
    pod_info_on_mount: bool | None = None
    prevent_pod_scheduling_if_missing: bool | None = None
    requires_republish: bool | None = None
    se_linux_mount: bool | None = None
    service_account_token_in_secrets: bool | None = None
    storage_capacity: bool | None = None
    token_requests: Annotated[tuple[TokenRequest, ...], LIST_ATOMIC] = ()
    volume_lifecycle_modes: Annotated[tuple[str, ...], LIST_SET] = ()


class CSIDriver(Object):
    spec: CSIDriverSpec = field(default_factory=CSIDriverSpec)


class VolumeNodeResources(Struct):
    count: Int32 | None = None


class CSINodeDriver(Struct):
    name: str = field(default_factory=empty)
    allocatable: VolumeNodeResources | None = None
    node_id: str = field(default_factory=empty, name="nodeID")
    topology_keys: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class CSINodeSpec(Struct):
    drivers: Annotated[tuple[CSINodeDriver, ...] | None, ListMap("name"), Patch("merge", key="name")] = field(
        default_factory=null
    )


class CSINode(Object):
    spec: CSINodeSpec = field(default_factory=CSINodeSpec)


class CSIStorageCapacity(Object):
    capacity: Quantity | None = None
    maximum_volume_size: Quantity | None = None
    node_topology: LabelSelector | None = None
    storage_class_name: str = field(default_factory=empty)


class StorageClass(Object):
    allow_volume_expansion: bool | None = None
    allowed_topologies: Annotated[tuple[TopologySelectorTerm, ...], LIST_ATOMIC] = ()
    mount_options: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    parameters: Mapping[str, str] = {}
    provisioner: str = field(default_factory=empty)
    reclaim_policy: str | None = None
    volume_binding_mode: str | None = None


class VolumeAttachmentSource(Struct):
    inline_volume_spec: PersistentVolumeSpec | None = None
    persistent_volume_name: str | None = None


class VolumeAttachmentSpec(Struct):
    attacher: str = field(default_factory=empty)
    node_name: str = field(default_factory=empty)
    source: VolumeAttachmentSource = field(default_factory=VolumeAttachmentSource)


class VolumeError(Struct):
    error_code: Int32 | None = None
    message: str = ""
    time: Time | None = field(default_factory=null)


class VolumeAttachmentStatus(Struct):
    attach_error: VolumeError | None = None
    attached: bool = field(default_factory=false)
    attachment_metadata: Mapping[str, str] = {}
    detach_error: VolumeError | None = None


class VolumeAttachment(Object):
    spec: VolumeAttachmentSpec = field(default_factory=VolumeAttachmentSpec)
    status: VolumeAttachmentStatus = field(default_factory=VolumeAttachmentStatus)


class VolumeAttributesClass(Object):
    driver_name: str = field(default_factory=empty)
    parameters: Mapping[str, str] = {}
