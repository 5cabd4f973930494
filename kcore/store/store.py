"""What a store promises. `embedded.py` keeps the promise in memory and on SQLite; another may do so with etcd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple, Protocol

import msgspec

_set = msgspec.structs.force_setattr

__all__ = [
    "Channel",
    "Codec",
    "Compacted",
    "Delete",
    "Event",
    "EventType",
    "Forms",
    "FutureRevision",
    "Op",
    "Page",
    "Put",
    "Record",
    "RecordTooLarge",
    "RevisionMismatch",
    "Store",
    "StoreError",
    "StoreUnavailable",
]


class Forms(Enum):
    """What a record keeps."""

    BOTH = 0
    OBJECT = 1
    BYTES = 2


class Record(msgspec.Struct, frozen=True, gc=False):
    """One object at one revision, decoded and encoded; shared by everyone who reads it.

    A record of some age is at rest: it keeps one of the two forms, and makes the other whenever it is asked for.
    """

    key: str
    revision: int
    decoded: Any
    encoded: bytes | None
    codec: Codec | None = None
    """What makes the form that a record at rest does not keep."""

    @property
    def obj(self) -> Any:
        if self.decoded is not None or self.codec is None:
            return self.decoded
        assert self.encoded is not None
        return self.codec.decode(self.key, self.encoded)

    @property
    def data(self) -> bytes:
        """JSON without `kind` and `apiVersion`, which lists leave out; `revision` is in it, as
        `metadata.resourceVersion`."""
        if self.encoded is not None:
            return self.encoded
        assert self.codec is not None
        return self.codec.encode(self.decoded)

    def rest(self, codec: Codec, forms: Forms) -> None:
        """Keep what `forms` says."""
        if forms is Forms.BOTH:
            return
        if forms is Forms.BYTES:
            _set(self, "encoded", self.data)
        _set(self, "decoded" if forms is Forms.BYTES else "encoded", None)
        _set(self, "codec", codec)


class EventType(Enum):
    """BOOKMARK never comes from a channel; the watches that the registry makes of channels add it."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


class Event(msgspec.Struct, frozen=True, gc=False):
    """One committed change. For DELETED, `record` is the last state stamped with the deletion's revision."""

    type: EventType
    record: Record
    previous: Record | None = None

    @property
    def revision(self) -> int:
        return self.record.revision


class Put(NamedTuple):
    """Write `obj` at `key`. `expected`: 0, must not exist; n, must stand at revision n; None, whatever stands.

    `obj` must be unshared: the codec stamps the new revision into it.
    """

    key: str
    obj: Any
    expected: int | None = None


class Delete(NamedTuple):
    """Remove `key`; `obj` is its final state, which watchers are shown. `expected` as in Put.

    `farewell`: a state in which the object stands for one revision before the next one removes it. Such a Delete is a
    commit's only op.
    """

    key: str
    obj: Any
    expected: int | None = None
    farewell: Any = None


Op = Put | Delete


class Page(NamedTuple):
    """A range at one revision. `remaining` counts what follows the last record."""

    records: Sequence[Record]
    revision: int
    remaining: int = 0


class Codec(Protocol):
    """All that the store needs to know of objects; the registry provides it."""

    def stamp(self, key: str, obj: Any, revision: int) -> tuple[Any, bytes]:
        """The object with `revision` as its resourceVersion, and its encoding."""

    def encode(self, obj: Any) -> bytes:
        """The encoding of an object that has its revision."""

    def decode(self, key: str, data: bytes) -> Any:
        """The object of a recovered record."""

    def index(self, key: str, obj: Any) -> Sequence[tuple[str, str]]:
        """The indexed fields of an object, as (name, value): what watches may be narrowed by."""

    def rest(self, key: str, obj: Any) -> Forms:
        """Make an object small that has stood for a while, and say what of its record is worth keeping."""


class StoreError(Exception):
    """The base of what a store raises."""


class RecordTooLarge(StoreError):
    """An object is larger, encoded, than the store takes; nothing of its commit was done."""


class RevisionMismatch(StoreError):
    """An op's `expected` did not hold; nothing of its commit was done. `current` is what stands (None: nothing)."""

    def __init__(self, key: str, current: Record | None) -> None:
        super().__init__(key)
        self.key = key
        self.current = current


class Compacted(StoreError):
    """The revision asked for is older than the history kept. `oldest` is the oldest that can be read."""

    def __init__(self, revision: int, oldest: int) -> None:
        super().__init__(f"revision {revision} has been compacted, the oldest is {oldest}")
        self.revision = revision
        self.oldest = oldest


class FutureRevision(StoreError):
    """The revision asked for has not been reached yet."""

    def __init__(self, revision: int, current: int) -> None:
        super().__init__(f"revision {revision} is beyond the current {current}")
        self.revision = revision
        self.current = current


class StoreUnavailable(StoreError):
    """The log can not be written or read (disk full, read-only, corrupt); the message says why."""


class Channel(Protocol):
    """A cursor over committed events of one prefix, in revision order, each exactly once."""

    @property
    def revision(self) -> int:
        """Every matching event up to this revision has been handed out: what a bookmark may say."""

    async def next_batch(self) -> Sequence[Event]:
        """Wait for events and take all that are ready (never empty).

        Raises Compacted once the cursor has fallen off the ring; raises anyio.ClosedResourceError after `close`.
        """

    def take_nowait(self) -> Sequence[Event]:
        """What is ready now, perhaps nothing. Raises as `next_batch`."""

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Call `wake` (once per loop turn at most) when events become ready: for readers that run no task."""

    def on_published(self, note: Callable[[], None]) -> None:
        """Call `note` within each commit of events for this channel, before anybody hears of it: it may look at
        nothing, and only remember that there is something to take."""

    def close(self) -> None: ...


class Store(Protocol):
    """Everything but `commit` is synchronous and sees durable (acknowledged) state only."""

    @property
    def revision(self) -> int:
        """The newest durable revision."""

    @property
    def oldest_revision(self) -> int:
        """The oldest revision that `range(at=...)` and `watch(since=...)` still serve."""

    def get(self, key: str) -> Record | None: ...

    def head(self, key: str) -> Record | None:
        """The newest state, though its commit may still be on its way to disk: the base of read-modify-write.

        Whoever builds on it is answered only after its own commit, which is ordered behind.
        """

    def range(self, prefix: str, *, at: int | None = None, after: str = "", limit: int = 0) -> Page:
        """Records under `prefix` in key order, at revision `at` (None: now), beyond key `after`, `limit` at most.

        Raises Compacted or FutureRevision where `at` can not be served.
        """

    async def commit(self, *ops: Op) -> Sequence[Record]:
        """Do all ops at one revision or none; returns when they are durable.

        For a Delete the record returned is the tombstone's (final state at the new revision). Check and append
        happen without awaiting. Raises RevisionMismatch, RecordTooLarge, StoreUnavailable.
        """

    def watch(self, prefix: str, *, since: int, index: tuple[str, str] | None = None) -> Channel:
        """Events under `prefix` with revision > `since`; with `index`, only those whose object has (or, before the
        event, had) that indexed value. Raises Compacted where `since` is older than the history."""
