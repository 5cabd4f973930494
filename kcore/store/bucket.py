"""One bucket: everything whose key starts with the same segment, which is to say one kind of object."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from kcore.store.history import History, Window
from kcore.store.index import Index
from kcore.store.store import Codec, Compacted, Event, EventType, Forms, FutureRevision, Page, Record
from kcore.store.watch import Demux, Progress, Watch

__all__ = ["Bucket", "bucket_of"]

FRESH = 4000
"""So many of the newest events keep their objects in both forms: those that watchers may not have taken yet."""
LIGHTEST = 100
"""So many events are kept, whatever they weigh."""


def bucket_of(key: str) -> str:
    """The name of the bucket that a key or a prefix belongs to."""
    name, slash, _ = key.partition("/")
    if not slash:
        raise ValueError(f"no bucket in {key!r}: keys and prefixes start with one, and a slash")
    return name


class Bucket:
    """The folds over one bucket's events: what stands, what happened lately, and who is told."""

    def __init__(
        self,
        name: str,
        codec: Codec,
        progress: Progress,
        compacted: int = 0,
        records: dict[str, Record] | None = None,
    ) -> None:
        self._progress = progress
        self._codec = codec
        self._sizes: deque[int] = deque()
        """Of the objects of the history's events."""
        self._bytes = 0
        self._rested = 0
        """The position of the first event whose records have not been put to rest."""
        self._index = Index(records)
        self._history = History(compacted)
        self._demux = Demux(f"{name}/", self._history, codec, progress)
        self.get = self._index.get

    def __len__(self) -> int:
        return len(self._index)

    @property
    def compacted(self) -> int:
        """The oldest revision that can be read, or watched from."""
        return self._history.compacted

    def restore(self, record: Record, *, deleted: bool) -> None:
        """Take over what was written before the history begins."""
        if not deleted:
            self._index.put(record)
        elif record.key in self._index:
            self._index.remove(record.key)

    def apply(self, event: Event) -> None:
        if event.type is EventType.DELETED:
            self._index.remove(event.record.key)
        else:
            self._index.put(event.record)
        self._demux.publish(event)
        size = len(event.record.data)
        self._sizes.append(size)
        self._bytes += size
        if self._history.end - self._rested > FRESH:
            self._rest()

    def range(self, prefix: str, at: int | None, after: str, limit: int) -> Page:
        current = self._progress.revision
        if at is None or at == current:
            return Page(*self._found(prefix, after, limit, {}, current))
        if at > current:
            raise FutureRevision(at, current)
        if at < self.compacted:
            raise Compacted(at, self.compacted)
        # Undo the newer events, the newest first, so that the oldest of a key has the last word.
        past = {
            event.record.key: event.previous
            for event in self._history.newest_first(down_to=at)
            if event.record.key.startswith(prefix)
        }
        return Page(*self._found(prefix, after, limit, past, at))

    def _found(
        self, prefix: str, after: str, limit: int, past: dict[str, Record | None], revision: int
    ) -> tuple[Sequence[Record], int, int]:
        records, remaining = self._index.range(prefix, after, limit, past)
        return records, revision, remaining

    def watch(self, prefix: str, since: int, index: tuple[str, str] | None) -> Watch:
        return self._demux.watch(prefix, since, index)

    def trim(self, window: Window) -> Sequence[Event]:
        """Drop what exceeds the window; returns what was dropped."""
        revision = self._history.excess(window.events)
        if not revision and self._bytes > window.bytes // 4 * 5:
            revision = self._heavy(window.bytes)
        return self.drop_through(revision) if revision else ()

    def _heavy(self, keep: int) -> int:
        """Up to which revision to drop so that objects of `keep` bytes stay, and a few events in any case."""
        heavy, first = self._bytes - keep, self._history.first
        revision = 0
        for number, size in enumerate(islice(self._sizes, max(0, len(self._sizes) - LIGHTEST))):
            if heavy <= 0:
                break
            heavy -= size
            revision = self._history.at(first + number).revision
        return revision

    def drop_through(self, revision: int) -> Sequence[Event]:
        dropped = self._history.drop_through(revision)
        if dropped:
            for _ in dropped:
                self._bytes -= self._sizes.popleft()
            self._demux.drop_through(self.compacted)
            self._rested = max(self._rested, self._history.first)
        return dropped

    def rest_through(self, revision: int, most: int) -> bool:
        """Put the records of events up to `revision` to rest, `most` at once; False: there are no more."""
        for _ in range(min(most, self._history.position_after(revision) - self._rested)):
            self._rest()
        return self._rested < self._history.position_after(revision)

    def _rest(self) -> None:
        """Have the records that an event of some age is about keep one form: those that were replaced, their bytes."""
        event = self._history.at(self._rested)
        self._rested += 1
        if event.previous is not None:
            event.previous.rest(self._codec, Forms.BYTES)
        record = event.record
        if event.type is EventType.DELETED:
            record.rest(self._codec, Forms.BYTES)
        elif self._index.get(record.key) is record:  # no later event is about it
            record.rest(self._codec, self._codec.rest(record.key, record.obj))
