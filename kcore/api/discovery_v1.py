"""The types of discovery/v1."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import field

from kcore.api.core_v1 import ObjectReference
from kcore.api.object import Object
from kcore.api.schema import LIST_ATOMIC, LIST_SET, Int32, Struct, empty, empty_tuple, null

SERVICE_NAME = "kubernetes.io/service-name"
"""The label by which a slice belongs to a Service."""


class EndpointConditions(Struct):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ForNode(Struct):
    name: str = field(default_factory=empty)


class ForZone(Struct):
    name: str = field(default_factory=empty)


class EndpointHints(Struct):
    for_nodes: Annotated[tuple[ForNode, ...], LIST_ATOMIC] = ()
    for_zones: Annotated[tuple[ForZone, ...], LIST_ATOMIC] = ()


class Endpoint(Struct):
    addresses: Annotated[tuple[str, ...], LIST_SET] = field(default_factory=empty_tuple)
    conditions: EndpointConditions = field(default_factory=EndpointConditions)
    deprecated_topology: Mapping[str, str] = {}
    hints: EndpointHints | None = None
    hostname: str | None = None
    node_name: str | None = None
    target_ref: ObjectReference | None = None
    zone: str | None = None


class EndpointPort(Struct):
    __map_type__: ClassVar[str] = "atomic"

    name: str | None = None
    app_protocol: str | None = None
    port: Int32 | None = None
    protocol: str | None = None


class EndpointSlice(Object):
    address_type: str = field(default_factory=empty)
    endpoints: Annotated[tuple[Endpoint, ...] | None, LIST_ATOMIC] = field(default_factory=null)
    ports: Annotated[tuple[EndpointPort, ...] | None, LIST_ATOMIC] = field(default_factory=null)
