"""The types of node/v1."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import field

from kcore.api.core_v1 import Toleration
from kcore.api.object import Object
from kcore.api.schema import LIST_ATOMIC, MAP_ATOMIC, Quantity, Struct, empty


class Overhead(Struct):
    pod_fixed: Mapping[str, Quantity] = {}


class Scheduling(Struct):
    node_selector: Annotated[Mapping[str, str], MAP_ATOMIC] = {}
    tolerations: Annotated[tuple[Toleration, ...], LIST_ATOMIC] = ()


class RuntimeClass(Object):
    handler: str = field(default_factory=empty)
    overhead: Overhead | None = None
    scheduling: Scheduling | None = None
