"""The store inside the process: folds in memory over a log, which is SQLite on disk or nothing at all.

A commit is checked, given its revision and appended without awaiting in between, so no lock exists. With a durable
log there are two states at any moment: the durable one, which readers and watchers see, and the head, which has the
commits on their way to disk as well and against which preconditions are checked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import attrgetter

import anyio
import anyio.lowlevel
from anyio.abc import TaskStatus

from kcore.store.bucket import Bucket, bucket_of
from kcore.store.group_commit import GroupCommit
from kcore.store.history import WINDOW, Window
from kcore.store.log import Entry, Log
from kcore.store.store import (
    Channel,
    Codec,
    Delete,
    Event,
    EventType,
    Op,
    Page,
    Put,
    Record,
    RecordTooLarge,
    RevisionMismatch,
    StoreUnavailable,
)
from kcore.store.watch import Progress

__all__ = ["EmbeddedStore"]

# The first revision, as etcd has it: an empty store is at 1, because "0" has a meaning of its own in requests.
FIRST_REVISION = 1

# Stands for all buckets, also those to come, where the log keeps what has been compacted.
EVERY_BUCKET = ""

# The age of history is measured in so many steps of its window.
AGE_STEPS = 10

# How many events are put to rest before others get their turn.
AT_REST_AT_ONCE = 50

RECORD_BYTES_MAX = 1536 * 1024
"""The largest object, encoded: as much as etcd takes in one request."""


class EmbeddedStore:
    """`Store` over a `Log`. The constructor recovers what the log holds; `run` keeps it going.

    With a log that is not durable, commits work without `run`, which then only ages the history.
    """

    def __init__(self, codec: Codec, log: Log, *, history: Window = WINDOW) -> None:
        self._codec = codec
        self._window = history
        self._progress = Progress(FIRST_REVISION)
        self._buckets: dict[str, Bucket] = {}
        self._records: dict[str, Record] = {}
        """What stands in any of the buckets."""
        self.get: Callable[[str], Record | None] = self._records.get
        self._beginning = FIRST_REVISION
        self._oldest = FIRST_REVISION
        self._pending: dict[str, Event] = {}
        self._group = GroupCommit(log, self._apply, self._pending.clear) if log.durable else None
        try:
            self._recover(log)
        except BaseException:
            log.close()
            raise
        self._assigned = self._progress.revision

    @property
    def revision(self) -> int:
        return self._progress.revision

    @property
    def oldest_revision(self) -> int:
        return self._oldest

    def head(self, key: str) -> Record | None:
        event = self._pending.get(key)
        if event is None:
            return self._records.get(key)
        return None if event.type is EventType.DELETED else event.record

    def range(self, prefix: str, *, at: int | None = None, after: str = "", limit: int = 0) -> Page:
        bucket = self._bucket(bucket_of(prefix))
        if at is None and not bucket:  # most of the kinds that admission asks for have no objects
            return Page([], self.revision, 0)
        return bucket.range(prefix, at, after, limit)

    def watch(self, prefix: str, *, since: int, index: tuple[str, str] | None = None) -> Channel:
        return self._bucket(bucket_of(prefix)).watch(prefix, since, index)

    def compact(self) -> None:
        """Begin the history anew: what led to the present state can be neither watched nor read back any more."""
        self._oldest = self._beginning = self.revision
        for bucket in self._buckets.values():
            if dropped := bucket.drop_through(self.revision):
                self._forget(dropped)
        if self._group is not None:
            self._group.forget((), {EVERY_BUCKET: self._beginning})

    async def commit(self, *ops: Op) -> Sequence[Record]:
        steps = list(map(self._begin, _steps(ops)))
        if self._group is not None:
            await self._group.commit(*steps)
        return list(map(_record, steps[-1]))

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Write the log and age the history, until cancelled."""
        async with anyio.create_task_group() as tasks:
            if self._group is not None:
                await tasks.start(self._group.run)
            task_status.started()
            await self._age()

    def _begin(self, ops: Sequence[Op]) -> Sequence[Event]:
        """Check and append what is done at one revision."""
        events = self._prepare(ops)
        if self._group is None:
            self._apply(events)
        else:
            for event in events:
                self._pending[event.record.key] = event
        return events

    def _prepare(self, ops: Sequence[Op]) -> Sequence[Event]:
        """The events of a commit, if all its preconditions hold."""
        if not ops:
            raise ValueError("a commit has at least one operation")
        revision = self._assigned + 1
        if len(ops) > 1 and len({op.key for op in ops}) < len(ops):
            raise ValueError("a commit may change a key only once")
        standing = list(map(self._check, ops))  # all of them, before the first object is stamped
        events = list(map(self._event, ops, standing, repeat(revision)))
        self._assigned = revision
        return events

    def _check(self, op: Op) -> Record | None:
        """What stands at the op's key, if it is what the op expects."""
        current = self.head(op.key)
        met = op.expected is None or op.expected == (0 if current is None else current.revision)
        if not met or (current is None and isinstance(op, Delete)):
            raise RevisionMismatch(op.key, current)
        return current

    def _event(self, op: Op, current: Record | None, revision: int) -> Event:
        deleted = isinstance(op, Delete)
        obj, data = self._codec.stamp(op.key, op.obj, revision)
        if len(data) > RECORD_BYTES_MAX and not deleted:
            raise RecordTooLarge(op.key)
        return Event(_type(current, deleted), Record(op.key, revision, obj, data), current)

    def _apply(self, events: Sequence[Event]) -> None:
        """Make a commit visible: fold its events into the indexes, histories and topics."""
        revision = events[0].record.revision
        assert revision > self._progress.revision
        self._progress.revision = revision
        buckets, pending = [], self._pending
        for event in events:
            key = event.record.key
            bucket = self._bucket(bucket_of(key))
            bucket.apply(event)
            buckets.append(bucket)
            if pending.get(key) is event:
                del pending[key]
        for bucket in buckets:  # only now, so that no history begins in the middle of a commit
            if dropped := bucket.trim(self._window):
                self._forget(dropped)

    async def _age(self) -> None:
        """Drop events that have been in the history for longer than the window."""
        revisions: deque[int] = deque()
        while True:
            revisions.append(self.revision)
            await anyio.sleep(self._window.seconds / AGE_STEPS)
            if len(revisions) > AGE_STEPS:
                horizon = revisions.popleft()
                for bucket in list(self._buckets.values()):
                    while bucket.rest_through(horizon, AT_REST_AT_ONCE):
                        await anyio.lowlevel.checkpoint()
                    if dropped := bucket.drop_through(horizon):
                        self._forget(dropped)

    def _forget(self, dropped: Sequence[Event]) -> None:
        """Follow a bucket's history in what it has dropped."""
        last = dropped[-1].record
        self._oldest = max(self._oldest, last.revision)
        if self._group is not None:
            self._group.forget(dropped, {bucket_of(last.key): last.revision})

    def _recover(self, log: Log) -> None:
        """Fold what the log holds."""
        compacted = dict(log.compacted())
        self._beginning = compacted.pop(EVERY_BUCKET, FIRST_REVISION)
        for name, revision in compacted.items():
            self._buckets[name] = self._new_bucket(name, max(self._beginning, revision))
        self._progress.revision = self._oldest = max(self._beginning, *compacted.values(), 0)
        for entry in log.entries():
            self._replay(entry)
        for bucket in self._buckets.values():
            if dropped := bucket.trim(self._window):
                self._forget(dropped)

    def _replay(self, entry: Entry) -> None:
        bucket = self._bucket(bucket_of(entry.key))
        previous = bucket.get(entry.key)
        try:
            obj = self._codec.decode(entry.key, entry.data)
        except Exception as error:
            raise StoreUnavailable(
                f"the store holds an object that can not be read, {entry.key} at revision {entry.revision}: {error}"
            ) from error
        record = Record(entry.key, entry.revision, obj, entry.data)
        self._progress.revision = max(self._progress.revision, entry.revision)
        if entry.revision > bucket.compacted:
            bucket.apply(Event(_type(previous, entry.deleted), record, previous))
        else:
            bucket.restore(record, deleted=entry.deleted)

    def _bucket(self, name: str) -> Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = self._new_bucket(name, self._beginning)
        return bucket

    def _new_bucket(self, name: str, compacted: int) -> Bucket:
        return Bucket(name, self._codec, self._progress, compacted, self._records)


_record = attrgetter("record")


def _steps(ops: Sequence[Op]) -> Sequence[Sequence[Op]]:
    """What is done at one revision each."""
    last = ops[-1] if ops else None
    if not isinstance(last, Delete) or last.farewell is None:
        return (ops,)
    if len(ops) > 1:
        raise ValueError("a farewell is a commit of its own")
    return (Put(last.key, last.farewell, last.expected),), (Delete(last.key, last.obj),)


def _type(previous: Record | None, deleted: bool) -> EventType:
    if deleted:
        return EventType.DELETED
    return EventType.ADDED if previous is None else EventType.MODIFIED
