"""One bucket: everything whose key starts with the same segment, which is to say one kind of object."""

from __future__ import annotations

from collections.abc import Sequence

from kcore.store.history import History, Window
from kcore.store.index import Index
from kcore.store.store import Codec, Compacted, Event, EventType, FutureRevision, Page, Record
from kcore.store.watch import Demux, Progress, Watch

__all__ = ["Bucket", "bucket_of"]


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
        return self.drop_through(revision) if (revision := self._history.excess(window.events)) else ()

    def drop_through(self, revision: int) -> Sequence[Event]:
        dropped = self._history.drop_through(revision)
        if dropped:
            self._demux.drop_through(self.compacted)
        return dropped
