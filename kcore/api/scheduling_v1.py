"""The types of scheduling/v1."""

from msgspec import field

from kcore.api.object import Object
from kcore.api.schema import Int32, zero


class PriorityClass(Object):
    description: str = ""
    global_default: bool = False
    preemption_policy: str | None = None
    value: Int32 = field(default_factory=zero)
