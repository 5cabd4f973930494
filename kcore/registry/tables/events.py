"""The table of events, which looks alike in both groups that serve them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.api import core_v1, events_v1
from kcore.registry.tables.printer import Column, Printer, since, wide

__all__ = ["EVENTS"]


def _core_event(o: core_v1.Event, now: float) -> Sequence[Any]:
    source = [o.source.component or o.reporting_component, o.source.host or o.reporting_instance]
    first = since(o.first_timestamp or o.event_time, now)
    last = since(o.last_timestamp, now) if o.last_timestamp else first
    count = o.count or 1
    if o.series is not None:
        last, count = since(o.series.last_observed_time, now), o.series.count
    return _cells(o, o.involved_object, o.message, source, first, last, count)


def _event(o: events_v1.Event, now: float) -> Sequence[Any]:
    regarding = o.regarding or core_v1.ObjectReference()
    source = [o.deprecated_source.component or o.reporting_controller, o.deprecated_source.host or o.reporting_instance]
    first = since(o.deprecated_first_timestamp or o.event_time, now)
    last = since(o.deprecated_last_timestamp, now) if o.deprecated_last_timestamp else first
    count = o.deprecated_count or 1
    if o.series is not None:
        last, count = since(o.series.last_observed_time, now), o.series.count
    return _cells(o, regarding, o.note, source, first, last, count)


def _cells(
    o: core_v1.Event | events_v1.Event,
    target: core_v1.ObjectReference,
    message: str,
    source: list[str],
    first: str,
    last: str,
    count: int,
) -> Sequence[Any]:
    shown = f"{target.kind.lower()}/{target.name}" if target.name else target.kind.lower()
    origin = ", ".join(source) if source[1] else source[0]
    name = o.metadata.name
    return last, o.type, o.reason, shown, target.field_path, origin, message.strip(), first, count, name


_COLUMNS = (
    Column("Last Seen", "How long ago it happened last."),
    Column("Type", "Normal or Warning."),
    Column("Reason", "Why, in one word."),
    Column("Object", "What it happened to."),
    wide("Subobject", "The part that it happened to."),
    wide("Source", "Who says so."),
    Column("Message", "What happened."),
    wide("First Seen", "How long ago it happened first."),
    wide("Count", "How often it happened."),
    wide("Name", "The name of the event.", format_="name"),
)

EVENTS: Mapping[type[Any], Printer] = {
    core_v1.Event: Printer(_COLUMNS, _core_event),
    events_v1.Event: Printer(_COLUMNS, _event),
}
