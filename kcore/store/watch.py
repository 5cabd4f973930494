"""Watch channels: cursors over the history, never queues of their own.

An event is appended once for each *topic* that it concerns, however many channels watch that topic: a publish
costs the same for one watcher and for a thousand. A topic is a bucket, or a bucket narrowed to a prefix (a namespace)
or to an indexed value (`spec.nodeName=node-1`). The topics of an event are found by looking up its key and its
indexed values, not by asking each topic whether it likes the event: five thousand kubelets, each watching its
own node, cost two lookups an event.

A channel is a topic and a position. It takes whatever stands between its position and the end in one batch, and
channels at the same position are handed the very same tuple, so that a server may encode it once for all of them.
A channel that does not take holds nothing up and holds nothing but references; when the history drops events
beyond its position, its next take ends in Compacted.

Channels are woken once per turn of the event loop, after everything committed in that turn was appended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import anyio
import structlog

from kcore.store.history import History
from kcore.store.store import Codec, Compacted, Event, Record

__all__ = ["Demux", "Progress", "Watch"]

log = structlog.get_logger(__name__)


class Progress:
    """How far the store has got, and the topics whose watchers are to hear of it at the end of this loop turn."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self._topics: list[Topic] = []

    def notify_soon(self, topic: Topic) -> None:
        if not self._topics:
            asyncio.get_running_loop().call_soon(self._notify)
        self._topics.append(topic)

    def _notify(self) -> None:
        topics, self._topics = self._topics, []
        for topic in topics:
            topic.notify()


class Topic:
    """What a number of channels watch, and the history they share."""

    __slots__ = ("_progress", "_rung", "channels", "history", "notes", "prefix")

    def __init__(self, prefix: str, history: History, progress: Progress) -> None:
        self.prefix = prefix
        self.history = history
        self.channels: dict[Watch, None] = {}
        self.notes: dict[Watch, Callable[[], None]] = {}
        self._progress = progress
        self._rung = False

    def ring(self) -> None:
        for note in self.notes.values():
            note()
        if not self._rung:
            self._rung = True
            self._progress.notify_soon(self)

    def notify(self) -> None:
        self._rung = False
        for channel in tuple(self.channels):
            channel.wake()


class Watch:
    """The `Channel` of the embedded store."""

    __slots__ = ("_close", "_floor", "_on_ready", "_position", "_progress", "_topic", "_waiter")

    def __init__(self, topic: Topic, since: int, progress: Progress, close: Callable[[Watch], None]) -> None:
        self._topic = topic
        self._floor = since
        self._position = topic.history.position_after(since)
        self._progress = progress
        self._close: Callable[[Watch], None] | None = close
        self._waiter: asyncio.Future[None] | None = None
        self._on_ready: Callable[[], None] | None = None

    @property
    def revision(self) -> int:
        history = self._topic.history
        if self._position >= history.end:
            return max(self._floor, self._progress.revision)
        if self._position < history.first:
            return self._floor
        return max(self._floor, history.at(self._position).revision - 1)

    async def next_batch(self) -> Sequence[Event]:
        while not (batch := self.take_nowait()):
            assert self._waiter is None, "two tasks wait on one channel"
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return batch

    def take_nowait(self) -> Sequence[Event]:
        if self._close is None:
            raise anyio.ClosedResourceError
        history = self._topic.history
        if self._position == history.end:
            return ()
        if self._position < history.first:
            raise Compacted(self._floor, history.compacted)
        batch = history.since(self._position)
        self._position = history.end
        if batch[0].record.revision <= self._floor:  # the watch began in the future
            batch = tuple(event for event in batch if event.record.revision > self._floor)
        if batch:
            self._floor = batch[-1].record.revision
        return batch

    def on_ready(self, wake: Callable[[], None]) -> None:
        self._on_ready = wake
        if self._position != self._topic.history.end:
            self._topic.ring()

    def on_published(self, note: Callable[[], None]) -> None:
        self._topic.notes[self] = note

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._on_ready is not None:
            try:
                self._on_ready()
            except Exception:  # one reader's fault must not keep the others from being woken
                log.exception("watch_reader_failed", prefix=self._topic.prefix)

    def close(self) -> None:
        if self._close is not None:
            self._close(self)
            self._close = None
            self._topic.notes.pop(self, None)
            self._on_ready = None
            self.wake()


class Demux:
    """The topics of one bucket, and the way from an event to those it concerns."""

    def __init__(self, prefix: str, history: History, codec: Codec, progress: Progress) -> None:
        self._codec = codec
        self._progress = progress
        self._history = history
        self._whole = Topic(prefix, history, progress)
        self._by_prefix: dict[str, Topic] = {}
        self._lengths: tuple[int, ...] = ()
        self._by_value: dict[tuple[str, str], dict[str, Topic]] = {}

    def publish(self, event: Event) -> None:
        self._history.append(event)
        if self._whole.channels:
            self._whole.ring()
        key = event.record.key
        for length in self._lengths:
            topic = self._by_prefix.get(key[:length])
            if topic is not None:
                topic.history.append(event)
                topic.ring()
        if self._by_value:
            for value in self._values(event):
                for prefix, topic in self._by_value.get(value, {}).items():
                    if key.startswith(prefix):
                        topic.history.append(event)
                        topic.ring()

    def watch(self, prefix: str, since: int, index: tuple[str, str] | None) -> Watch:
        if since < self._history.compacted:
            raise Compacted(since, self._history.compacted)
        if index is None and prefix == self._whole.prefix:
            channel = Watch(self._whole, since, self._progress, self._leave_whole)
            self._whole.channels[channel] = None
            return channel
        topics = self._by_prefix if index is None else self._by_value.setdefault(index, {})
        topic = topics.get(prefix)
        if topic is None:
            start = min(since, self._progress.revision)
            recent = History(start, self._narrowed(prefix, index, start))
            topic = topics[prefix] = Topic(prefix, recent, self._progress)
            self._measure_prefixes()
        elif since < topic.history.compacted:
            older = self._narrowed(prefix, index, since, topic.history.compacted)
            topic.history.prepend(older, since)
        channel = Watch(topic, since, self._progress, lambda channel: self._leave(channel, topic, topics, index))
        topic.channels[channel] = None
        return channel

    def drop_through(self, revision: int) -> None:
        """Follow the bucket's history in what it has dropped."""
        for topics in (self._by_prefix, *self._by_value.values()):
            for topic in topics.values():
                topic.history.drop_through(revision)

    def _narrowed(
        self, prefix: str, index: tuple[str, str] | None, since: int, until: int | None = None
    ) -> Sequence[Event]:
        """What a topic would have been offered after `since`, had it been there."""
        events = self._history.since(self._history.position_after(since))
        return [
            event
            for event in events
            if (until is None or event.record.revision <= until)
            and event.record.key.startswith(prefix)
            and (index is None or index in self._values(event))
        ]

    def _values(self, event: Event) -> set[tuple[str, str]]:
        """The indexed values of the object after the event and before it."""
        values = set(self._index(event.record))
        if event.previous is not None:
            values.update(self._index(event.previous))
        return values

    def _index(self, record: Record) -> Sequence[tuple[str, str]]:
        return self._codec.index(record.key, record.obj)

    def _leave_whole(self, channel: Watch) -> None:
        del self._whole.channels[channel]

    def _leave(self, channel: Watch, topic: Topic, topics: dict[str, Topic], index: tuple[str, str] | None) -> None:
        del topic.channels[channel]
        if not topic.channels:
            del topics[topic.prefix]
            if index is not None and not topics:
                del self._by_value[index]
            self._measure_prefixes()

    def _measure_prefixes(self) -> None:
        self._lengths = tuple({len(prefix) for prefix in self._by_prefix})
