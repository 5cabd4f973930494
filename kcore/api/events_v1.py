"""The types of events/v1."""

from msgspec import field

from kcore.api.core_v1 import EventSource, ObjectReference
from kcore.api.object import Object
from kcore.api.schema import Int32, MicroTime, Struct, Time, null, zero


class EventSeries(Struct):
    count: Int32 = field(default_factory=zero)
    last_observed_time: MicroTime | None = field(default_factory=null)


class Event(Object):
    type: str = ""
    action: str = ""
    deprecated_count: Int32 = 0
    deprecated_first_timestamp: Time | None = field(default_factory=null)
    deprecated_last_timestamp: Time | None = field(default_factory=null)
    deprecated_source: EventSource = field(default_factory=EventSource)
    event_time: MicroTime | None = field(default_factory=null)
    note: str = ""
    reason: str = ""
    regarding: ObjectReference = field(default_factory=ObjectReference)
    related: ObjectReference | None = None
    reporting_controller: str = ""
    reporting_instance: str = ""
    series: EventSeries | None = None
