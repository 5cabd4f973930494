"""The types of metrics.k8s.io/v1beta1: what nodes and pods use just now. They are measured, never stored."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import field

from kcore.api.kind import Kind
from kcore.api.object import Object
from kcore.api.schema import LIST_ATOMIC, Quantity, Struct, Time, empty, empty_map, empty_tuple, null

GROUP, VERSION = "metrics.k8s.io", "v1beta1"


class NodeMetrics(Object):
    timestamp: Time | None = field(default_factory=null)
    window: str = field(default_factory=empty)
    usage: Mapping[str, Quantity] = field(default_factory=empty_map)


class ContainerMetrics(Struct):
    name: str = field(default_factory=empty)
    usage: Mapping[str, Quantity] = field(default_factory=empty_map)


class PodMetrics(Object):
    timestamp: Time | None = field(default_factory=null)
    window: str = field(default_factory=empty)
    containers: Annotated[tuple[ContainerMetrics, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


NODES = Kind(GROUP, VERSION, "NodeMetrics", "nodes", NodeMetrics, namespaced=False, verbs=("get", "list"))
PODS = Kind(GROUP, VERSION, "PodMetrics", "pods", PodMetrics, verbs=("get", "list"))
