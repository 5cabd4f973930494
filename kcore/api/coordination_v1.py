"""The types of coordination/v1."""

from msgspec import field

from kcore.api.object import Object
from kcore.api.schema import Int32, MicroTime, Struct


class LeaseSpec(Struct):
    acquire_time: MicroTime | None = None
    holder_identity: str | None = None
    lease_duration_seconds: Int32 | None = None
    lease_transitions: Int32 | None = None
    preferred_holder: str | None = None
    renew_time: MicroTime | None = None
    strategy: str | None = None


class Lease(Object):
    spec: LeaseSpec = field(default_factory=LeaseSpec)
