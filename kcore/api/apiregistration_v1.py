"""The types of apiregistration/v1."""

from typing import Annotated

from msgspec import field

from kcore.api.object import Object
from kcore.api.schema import LIST_ATOMIC, Base64, Int32, ListMap, Patch, Struct, Time, empty, null, zero


class ServiceReference(Struct):
    name: str = ""
    namespace: str = ""
    port: Int32 | None = None


class APIServiceSpec(Struct):
    ca_bundle: Annotated[Base64, LIST_ATOMIC] = ""
    group: str = ""
    group_priority_minimum: Int32 = field(default_factory=zero)
    insecure_skip_tls_verify: bool = field(default=False, name="insecureSkipTLSVerify")
    service: ServiceReference | None = None
    version: str = ""
    version_priority: Int32 = field(default_factory=zero)


class APIServiceCondition(Struct):
    type: str = field(default_factory=empty)
    last_transition_time: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    status: str = field(default_factory=empty)


class APIServiceStatus(Struct):
    conditions: Annotated[tuple[APIServiceCondition, ...], ListMap("type"), Patch("merge", key="type")] = ()


class APIService(Object):
    spec: APIServiceSpec = field(default_factory=APIServiceSpec)
    status: APIServiceStatus = field(default_factory=APIServiceStatus)
