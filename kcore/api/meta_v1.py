"""The types of meta/v1."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import field

from kcore.api.schema import (
    JSON,
    LIST_ATOMIC,
    LIST_SET,
    Int32,
    Int64,
    ListMap,
    Patch,
    RawExtension,
    Struct,
    Time,
    TypeMeta,
    empty,
    empty_tuple,
    false,
    null,
    zero,
)


class GroupVersionForDiscovery(Struct):
    group_version: str = field(default_factory=empty)
    version: str = field(default_factory=empty)


class ServerAddressByClientCIDR(Struct):
    client_cidr: str = field(default_factory=empty, name="clientCIDR")
    server_address: str = field(default_factory=empty)


class APIGroup(TypeMeta):
    name: str = field(default_factory=empty)
    preferred_version: GroupVersionForDiscovery = field(default_factory=GroupVersionForDiscovery)
    server_address_by_client_cidrs: Annotated[tuple[ServerAddressByClientCIDR, ...], LIST_ATOMIC] = field(
        default=(), name="serverAddressByClientCIDRs"
    )
    versions: Annotated[tuple[GroupVersionForDiscovery, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class APIGroupList(TypeMeta):
    groups: Annotated[tuple[APIGroup, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class APIResource(Struct):
    name: str = field(default_factory=empty)
    categories: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    group: str = ""
    kind: str = field(default_factory=empty)
    namespaced: bool = field(default_factory=false)
    short_names: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    singular_name: str = field(default_factory=empty)
    storage_version_hash: str = ""
    verbs: tuple[str, ...] = field(default_factory=empty_tuple)
    version: str = ""


class APIResourceList(TypeMeta):
    group_version: str = field(default_factory=empty)
    resources: Annotated[tuple[APIResource, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class APIVersions(TypeMeta):
    server_address_by_client_cidrs: Annotated[tuple[ServerAddressByClientCIDR, ...], LIST_ATOMIC] = field(
        default_factory=empty_tuple, name="serverAddressByClientCIDRs"
    )
    versions: Annotated[tuple[str, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class Condition(Struct):
    type: str = field(default_factory=empty)
    last_transition_time: Time | None = field(default_factory=null)
    message: str = field(default_factory=empty)
    observed_generation: Int64 = 0
    reason: str = field(default_factory=empty)
    status: str = field(default_factory=empty)


class Preconditions(Struct):
    resource_version: str | None = None
    uid: str | None = None


class DeleteOptions(TypeMeta):
    dry_run: Annotated[tuple[str, ...], LIST_ATOMIC] = ()
    grace_period_seconds: Int64 | None = None
    ignore_store_read_error_with_cluster_breaking_potential: bool | None = None
    orphan_dependents: bool | None = None
    preconditions: Preconditions | None = None
    propagation_policy: str | None = None


class FieldSelectorRequirement(Struct):
    key: str = field(default_factory=empty)
    operator: str = field(default_factory=empty)
    values: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class GroupResource(Struct):
    group: str = field(default_factory=empty)
    resource: str = field(default_factory=empty)


class LabelSelectorRequirement(Struct):
    key: str = field(default_factory=empty)
    operator: str = field(default_factory=empty)
    values: Annotated[tuple[str, ...], LIST_ATOMIC] = ()


class LabelSelector(Struct):
    __map_type__: ClassVar[str] = "atomic"

    match_expressions: Annotated[tuple[LabelSelectorRequirement, ...], LIST_ATOMIC] = ()
    match_labels: Mapping[str, str] = {}


class ShardInfo(Struct):
    selector: str = field(default_factory=empty)


class ListMeta(Struct):
    continue_: str = field(default="", name="continue")
    remaining_item_count: Int64 | None = None
    resource_version: str = ""
    self_link: str = ""
    shard_info: ShardInfo | None = None


class ManagedFieldsEntry(Struct):
    api_version: str = ""
    fields_type: str = ""
    fields_v1: RawExtension = None
    manager: str = ""
    operation: str = ""
    subresource: str = ""
    time: Time | None = None


class OwnerReference(Struct):
    __map_type__: ClassVar[str] = "atomic"

    # In Go's order: a field error shows it.
    api_version: str = field(default_factory=empty)
    kind: str = field(default_factory=empty)
    name: str = field(default_factory=empty)
    uid: str = field(default_factory=empty)
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Struct):
    # In Go's order: messages that show an object show its metadata so.
    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    self_link: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: Int64 = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    deletion_grace_period_seconds: Int64 | None = None
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    owner_references: Annotated[tuple[OwnerReference, ...], ListMap("uid"), Patch("merge", key="uid")] = ()
    finalizers: Annotated[tuple[str, ...], LIST_SET, Patch("merge")] = ()
    managed_fields: Annotated[tuple[ManagedFieldsEntry, ...], LIST_ATOMIC] = ()


class StatusCause(Struct):
    field: str = ""
    message: str = ""
    reason: str = ""


class StatusDetails(Struct):
    name: str = ""
    causes: Annotated[tuple[StatusCause, ...], LIST_ATOMIC] = ()
    group: str = ""
    kind: str = ""
    retry_after_seconds: Int32 = 0
    uid: str = ""


class Status(TypeMeta):
    metadata: ListMeta = field(default_factory=ListMeta)
    code: Int32 = 0
    details: StatusDetails | None = None
    message: str = ""
    reason: str = ""
    status: str = ""


class WatchEvent(Struct):
    type: str = field(default_factory=empty)
    object: RawExtension = field(default_factory=null)


class TableColumnDefinition(Struct):
    name: str = field(default_factory=empty)
    type: str = field(default_factory=empty)
    format: str = field(default_factory=empty)
    description: str = field(default_factory=empty)
    priority: Int32 = field(default_factory=zero)


class TableRowCondition(Struct):
    type: str = field(default_factory=empty)
    status: str = field(default_factory=empty)
    reason: str = ""
    message: str = ""


class TableRow(Struct):
    cells: Annotated[tuple[JSON, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)
    conditions: Annotated[tuple[TableRowCondition, ...], LIST_ATOMIC] = ()
    object: RawExtension = None


class Table(TypeMeta):
    metadata: ListMeta = field(default_factory=ListMeta)
    column_definitions: Annotated[tuple[TableColumnDefinition, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)
    rows: Annotated[tuple[TableRow, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class PartialObjectMetadata(TypeMeta):
    metadata: ObjectMeta = field(default_factory=ObjectMeta)


class PartialObjectMetadataList(TypeMeta):
    metadata: ListMeta = field(default_factory=ListMeta)
    items: tuple[PartialObjectMetadata, ...] = field(default_factory=empty_tuple)
