"""Recent events in revision order: what watches resume from and older revisions are read back with."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kcore.store.store import Event

__all__ = ["WINDOW", "History", "Window"]


class Window(NamedTuple):
    """How much history each bucket keeps: so many events at most, about objects of so many bytes in all, and none
    much older than so many seconds."""

    events: int = 10_000
    seconds: float = 300.0
    bytes: int = 32 << 20


WINDOW = Window()


class History:
    """A list of events whose head is dropped now and then.

    Every event has a position, which never changes, whatever is dropped before it: readers keep a position and
    nothing else. Events of one revision enter together and are dropped together.
    """

    __slots__ = ("_events", "_first", "_slice", "_slice_start", "compacted")

    def __init__(self, compacted: int = 0, events: Sequence[Event] = ()) -> None:
        self._events = list(events)
        self._first = 0
        self._slice: Sequence[Event] = ()
        self._slice_start = 0
        self.compacted = compacted
        """The revision of the newest event dropped."""

    def __len__(self) -> int:
        return len(self._events)

    @property
    def first(self) -> int:
        return self._first

    @property
    def end(self) -> int:
        """The position that the next event will have."""
        return self._first + len(self._events)

    def append(self, event: Event) -> None:
        self._events.append(event)

    def position_after(self, revision: int) -> int:
        """The position of the first event newer than `revision`."""
        events = self._events
        if not events or events[-1].record.revision <= revision:
            return self._first + len(events)
        return self._first + bisect_right(events, revision, key=_revision)

    def at(self, position: int) -> Event:
        return self._events[position - self._first]

    def since(self, position: int) -> Sequence[Event]:
        """All events from `position` on. Readers who stand at the same place share one tuple."""
        if self._slice_start != position or position + len(self._slice) != self._first + len(self._events):
            self._slice = tuple(self._events[position - self._first :])
            self._slice_start = position
        return self._slice

    def newest_first(self, down_to: int) -> Iterator[Event]:
        """The events newer than revision `down_to`, backwards."""
        for event in reversed(self._events):
            if event.record.revision <= down_to:
                return
            yield event

    def prepend(self, events: Sequence[Event], compacted: int) -> None:
        """Reach further back; positions before the first go below zero."""
        self._events[:0] = events
        self._first -= len(events)
        self.compacted = compacted

    def drop_through(self, revision: int) -> Sequence[Event]:
        """Forget the events up to `revision`, and return them."""
        count = self.position_after(revision) - self._first
        if not count:
            return ()
        dropped = self._events[:count]
        del self._events[:count]
        self._first += count
        self._slice = ()
        self._slice_start = self._first
        self.compacted = dropped[-1].record.revision
        return dropped

    def excess(self, keep: int) -> int:
        """Up to which revision to drop so that `keep` events or fewer stay; 0 while there is not enough to drop.

        Some slack lets the head be dropped in large pieces, so that an append costs the same however long the
        history is.
        """
        surplus = len(self._events) - keep
        return self._events[surplus - 1].record.revision if surplus > keep // 4 else 0


def _revision(event: Event) -> int:
    return event.record.revision
