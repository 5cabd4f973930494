"""Which events are worth a write: repeated ones are counted, similar ones combined, floods cut off.

The rules and their numbers are those of client-go's `EventCorrelator`:

* the same event again raises the count of the one that stands;
* ten events in ten minutes that differ in nothing but their message become one, "(combined from similar events)";
* a source may write 25 events about one object at once, and one more every five minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from kcore.api.core_v1 import Event, EventSource, ObjectReference
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.timestamp import format_seconds

__all__ = ["Correlator", "Occurrence"]

MAX_SIMILAR = 10
SIMILAR_WITHIN = 600.0
BURST = 25
SECONDS_PER_TOKEN = 300.0
REMEMBERED = 4096

V = TypeVar("V")


class Occurrence(NamedTuple):
    """Something that a component has to tell about an object."""

    source: EventSource
    regarding: ObjectReference
    type: str
    reason: str
    message: str
    time: float

    @property
    def namespace(self) -> str:
        """Where it is told."""
        return self.regarding.namespace or "default"


class _Memory(Generic[V]):
    """The most recently used values by key; older ones are forgotten."""

    def __init__(self, make: Callable[[float], V]) -> None:
        self._make = make
        self._values: dict[str, V] = {}

    def recall(self, key: str, now: float) -> V:
        value = self._values.pop(key, None)
        if value is None:
            value = self._make(now)
            if len(self._values) >= REMEMBERED:
                del self._values[next(iter(self._values))]
        self._values[key] = value
        return value


@dataclass(slots=True)
class _Bucket:
    """Tokens left of a source and object."""

    since: float
    tokens: float = BURST

    def take(self, now: float) -> bool:
        self.tokens = min(BURST, self.tokens + (now - self.since) / SECONDS_PER_TOKEN)
        self.since = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(slots=True)
class _Similar:
    """The messages of events that differ in nothing else."""

    last: float
    messages: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Written:
    """The event that stands for a key."""

    first: float
    name: str = ""
    count: int = 0


class Correlator:
    """Remembers what was told, and turns an occurrence into the event to write, if any."""

    def __init__(self) -> None:
        self._buckets = _Memory(_Bucket)
        self._similar = _Memory(_Similar)
        self._written = _Memory(_Written)
        self._last_nanoseconds = 0

    def correlate(self, seen: Occurrence) -> Event | None:
        """The event that stands for `seen` now; None: nobody is to hear of it. A count above 1: it was written."""
        about = _about(seen)
        group = f"{about}\0{seen.type}\0{seen.reason}"
        combined = self._is_one_of_many(group, seen)
        message = f"(combined from similar events): {seen.message}" if combined else seen.message
        whole = group if combined else f"{group}\0{seen.regarding.field_path}\0{message}"
        written = self._written.recall(whole, seen.time)
        written.name = written.name or self._name(seen)
        written.count += 1
        if not self._buckets.recall(about, seen.time).take(seen.time):
            return None
        return _event(seen, written, message)

    def _is_one_of_many(self, group: str, seen: Occurrence) -> bool:
        similar = self._similar.recall(group, seen.time)
        if seen.time - similar.last > SIMILAR_WITHIN:
            similar.messages.clear()
        similar.last = seen.time
        similar.messages.add(seen.message)
        if len(similar.messages) < MAX_SIMILAR:
            return False
        similar.messages.pop()
        return True

    def _name(self, seen: Occurrence) -> str:
        """The object's name and the time in hexadecimal nanoseconds, never the same twice."""
        self._last_nanoseconds = max(int(seen.time * 1e9), self._last_nanoseconds + 1)
        return f"{seen.regarding.name}.{self._last_nanoseconds:x}"


def _about(seen: Occurrence) -> str:
    """Who tells about whom: a key of one string, which is quicker to hash than a tuple of strings."""
    source, about = seen.source, seen.regarding
    return "\0".join((source.component, source.host, about.kind, about.namespace, about.name, about.uid))


def _event(seen: Occurrence, written: _Written, message: str) -> Event:
    return Event(
        metadata=ObjectMeta(name=written.name, namespace=seen.namespace),
        involved_object=seen.regarding,
        type=seen.type,
        reason=seen.reason,
        message=message,
        source=seen.source,
        reporting_component=seen.source.component,
        reporting_instance=seen.source.host,
        count=written.count,
        first_timestamp=format_seconds(written.first),
        last_timestamp=format_seconds(seen.time),
    )
