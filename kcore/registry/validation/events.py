"""Rules of Events, in both views."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api import events_v1
from kcore.api.core_v1 import Event
from kcore.api.field import FieldError, Path, invalid, required
from kcore.api.names import dns1123_subdomain, label_key
from kcore.registry.event_views import as_core
from kcore.registry.validation.internal import shown
from kcore.registry.validation.values import IMMUTABLE, check

__all__ = ["validate_event", "validate_event_update", "validate_events_v1", "validate_events_v1_update"]

_MISMATCH = "does not match event.namespace"
_UNSET = "needs to be unset"
_LENGTH_MAX = 128
_MESSAGE_MAX = 1024


def validate_event(event: Event) -> Iterator[FieldError]:
    """The rules of the older API; an `eventTime` makes it answer for what the newer one asks."""
    namespace, about = event.metadata.namespace, event.involved_object.namespace
    path = Path("involvedObject") / "namespace"
    if event.event_time is None:
        if namespace != about and not (not about and namespace == "default"):
            yield invalid(path, about, _MISMATCH)
    else:
        if not about and namespace not in ("default", "kube-system"):
            yield invalid(path, about, _MISMATCH)
        yield from _validate_report(event)
    yield from check(Path("namespace"), namespace, dns1123_subdomain)


def _validate_report(event: Event) -> Iterator[FieldError]:
    path = Path("reportingController")
    if not event.reporting_component:
        yield required(path)
    yield from check(path, event.reporting_component, label_key)
    for name, value in (
        ("reportingInstance", event.reporting_instance),
        ("action", event.action),
        ("reason", event.reason),
    ):
        if not value:
            yield required(Path(name))
        if len(value) > _LENGTH_MAX:
            yield invalid(Path(name), "", f"can have at most {_LENGTH_MAX} characters")
    if len(event.message) > _MESSAGE_MAX:
        yield invalid(Path("message"), "", f"can have at most {_MESSAGE_MAX} characters")


def validate_event_update(new: Event, old: Event) -> Iterator[FieldError]:
    yield from validate_event(new)


def validate_events_v1(event: events_v1.Event) -> Iterator[FieldError]:
    stored = as_core(event)
    yield from validate_event(stored)
    yield from _validate_series(stored)
    if stored.event_time is None:
        yield required(Path("eventTime"))
    if stored.type not in ("Normal", "Warning"):
        yield invalid(Path("type"), "", f"has invalid value: {stored.type}")
    for name, value in (
        ("firstTimestamp", stored.first_timestamp),
        ("lastTimestamp", stored.last_timestamp),
        ("count", stored.count),
        ("source", stored.source.component or stored.source.host),
    ):
        if value:
            yield invalid(Path(name), "", _UNSET)


def _validate_series(event: Event) -> Iterator[FieldError]:
    if event.series is None:
        return
    if event.series.count < 2:
        yield invalid(Path("series.count"), "", "should be at least 2")
    if event.series.last_observed_time is None:
        yield required(Path("series.lastObservedTime"))


_FIXED = (
    ("involvedObject", "involved_object"),
    ("reason", "reason"),
    ("message", "message"),
    ("source", "source"),
    ("firstTimestamp", "first_timestamp"),
    ("lastTimestamp", "last_timestamp"),
    ("count", "count"),
    ("reason", "reason"),
    ("type", "type"),
    ("eventTime", "event_time"),
    ("action", "action"),
    ("related", "related"),
    ("reportingController", "reporting_component"),
    ("reportingInstance", "reporting_instance"),
)
"""All that a series may not change: only its own count and time grow. Upstream asks for the reason twice."""


def validate_events_v1_update(new: events_v1.Event, old: events_v1.Event) -> Iterator[FieldError]:
    after, before = as_core(new), as_core(old)
    yield from validate_event(after)
    if after.series != before.series:
        yield from _validate_series(after)
    for name, attribute in _FIXED:
        value = getattr(after, attribute)
        if value != getattr(before, attribute):
            yield invalid(Path(name), shown(value), IMMUTABLE)
