"""Programs of commits, watches, reads and restarts, invented by hypothesis; every promise holds in all of them."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcore.store.embedded import EmbeddedStore
from kcore.store.history import Window
from kcore.store.log import Log, MemoryLog
from kcore.store.sqlite import SqliteLog
from kcore.store.store import (
    Channel,
    Compacted,
    Delete,
    EventType,
    FutureRevision,
    Op,
    RevisionMismatch,
)
from tests.store.guarantees import Bookmark, Change, Seen, check_all
from tests.store.objects import TreeCodec, delete, put

T = TypeVar("T")

WINDOW = Window(events=8)
KEYS = [f"{bucket}/{namespace}/{name}" for bucket in ("pods", "jobs") for namespace in "ab" for name in ("x", "y")]
PREFIXES = ["pods/", "jobs/", "pods/a/", "pods/b/", "pods/a/x"]
NODES = ["one", "two", ""]


class Write(NamedTuple):
    key: str
    node: str
    deletes: bool
    expects: str


class Commit(NamedTuple):
    writes: Sequence[Write]


class Open(NamedTuple):
    prefix: str
    node: str
    back: int


class Take(NamedTuple):
    watch: int


class Mark(NamedTuple):
    watch: int


class Resume(NamedTuple):
    watch: int


class Read(NamedTuple):
    prefix: str
    back: int
    after: str
    limit: int


class Restart(NamedTuple):
    pass


Step = Commit | Open | Take | Mark | Resume | Read | Restart

writes = st.builds(
    Write,
    st.sampled_from(KEYS),
    st.sampled_from(NODES),
    st.sampled_from([False, False, True]),
    st.sampled_from(["anything", "right", "right", "wrong"]),
)
commits = st.lists(writes, min_size=1, max_size=3, unique_by=lambda write: write.key).map(Commit)
watches = st.integers(0, 5)
steps = st.one_of(
    commits,
    commits,
    commits,
    st.builds(Open, st.sampled_from(PREFIXES), st.sampled_from(NODES), st.integers(0, 12)),
    st.builds(Take, watches),
    st.builds(Mark, watches),
    st.builds(Resume, watches),
    st.builds(Read, st.sampled_from(PREFIXES), st.integers(-1, 12), st.sampled_from(["", *KEYS]), st.integers(0, 3)),
)


@dataclass
class Watcher:
    open: Open
    channel: Channel
    seen: Seen


class Machine:
    """A store beside a model of it: plain dicts, one for each revision."""

    def __init__(self, make_log: Callable[[], Log]) -> None:
        self.make_log = make_log
        self.store = EmbeddedStore(TreeCodec(), make_log(), history=WINDOW)
        self.written: list[Change] = []
        self.nodes: dict[tuple[int, str], set[str]] = {}
        self.states: dict[int, dict[str, tuple[int, str]]] = {1: {}}
        self.watchers: list[Watcher] = []

    @property
    def current(self) -> dict[str, tuple[int, str]]:
        return self.states[self.store.revision]

    async def do(self, step: Step) -> None:
        match step:
            case Commit():
                await self.commit(step)
            case Open():
                self.open(step)
            case Take():
                self.take(step)
            case Mark():
                self.mark(step)
            case Resume():
                self.resume(step)
            case Read():
                self.read(step)

    async def commit(self, step: Commit) -> None:
        ops = [self._op(write) for write in step.writes]
        fails = any(not self._holds(op) for op in ops)
        revision, before = self.store.revision, self.current
        mismatch: RevisionMismatch | None = None
        try:
            records = await self.store.commit(*ops)
        except RevisionMismatch as refusal:
            mismatch = refusal
        assert fails == (mismatch is not None)
        if mismatch is not None:
            assert self.store.revision == revision
            assert (mismatch.current.revision if mismatch.current else 0) == before.get(mismatch.key, (0, ""))[0]
            return
        assert {record.revision for record in records} == {self.store.revision}
        after = dict(before)
        for op, record in zip(ops, records, strict=True):
            type_ = _type(op, before)
            self.written.append(Change(record.revision, record.key, type_, record.data))
            node = op.obj["node"]
            self.nodes[record.revision, op.key] = {node, before.get(op.key, (0, node))[1]}
            if isinstance(op, Delete):
                del after[op.key]
            else:
                after[op.key] = (record.revision, node)
        self.states[self.store.revision] = after

    def _op(self, write: Write) -> Op:
        standing = self.current.get(write.key, (0, ""))[0]
        expected = {"anything": None, "right": standing, "wrong": standing + 1}[write.expects]
        make = delete if write.deletes else put
        return make(write.key, expected=expected, node=write.node)

    def _holds(self, op: Op) -> bool:
        standing = self.current.get(op.key, (0, ""))[0]
        return op.expected in (None, standing) and not (isinstance(op, Delete) and not standing)

    def open(self, step: Open) -> None:
        since = max(0, self.store.revision - step.back)
        with contextlib.suppress(Compacted):
            channel = self._watch(step, since)
            self.watchers.append(Watcher(step, channel, Seen(since, self._wants(step))))

    def _watch(self, step: Open, since: int) -> Channel:
        return self.store.watch(step.prefix, since=since, index=("node", step.node) if step.node else None)

    def _wants(self, step: Open) -> Callable[[Change], bool]:
        def wants(change: Change) -> bool:
            if not change.key.startswith(step.prefix):
                return False
            return not step.node or step.node in self.nodes[change.revision, change.key]

        return wants

    def take(self, step: Take) -> None:
        if not (watcher := self._watcher(step.watch)):
            return
        try:
            batch = watcher.channel.take_nowait()
        except Compacted:
            self._fallen_off(watcher)
            return
        watcher.seen.batches.append([Change.of(event) for event in batch])

    def mark(self, step: Mark) -> None:
        if watcher := self._watcher(step.watch):
            watcher.seen.batches.append(Bookmark(watcher.channel.revision))

    def resume(self, step: Resume) -> None:
        """The client goes away and comes back with the last revision it heard of."""
        if watcher := self._watcher(step.watch):
            watcher.channel.close()
            self._reopen(watcher)

    def _reopen(self, watcher: Watcher) -> None:
        since = watcher.seen.since
        for batch in watcher.seen.batches:
            if isinstance(batch, Bookmark):
                since = batch.revision
            elif batch:
                since = batch[-1].revision
        try:
            watcher.channel = self._watch(watcher.open, since)
        except Compacted:
            self._fallen_off(watcher)
        else:
            watcher.seen.resume(since)

    def _fallen_off(self, watcher: Watcher) -> None:
        assert watcher.channel.revision < self.store.oldest_revision
        self.watchers.remove(watcher)
        check_all(self.written, watcher.seen)

    def _watcher(self, number: int) -> Watcher | None:
        return self.watchers[number % len(self.watchers)] if self.watchers else None

    def read(self, step: Read) -> None:
        at = max(1, self.store.revision - step.back)
        try:
            page = self.store.range(step.prefix, at=at, after=step.after, limit=step.limit)
        except FutureRevision:
            assert step.back < 0
            return
        except Compacted:
            assert at < self.store.oldest_revision
            return
        state = self.states[max(revision for revision in self.states if revision <= at)]
        expected = sorted(
            (key, revision) for key, (revision, _) in state.items() if key.startswith(step.prefix) and key > step.after
        )
        limit = step.limit or len(expected)
        assert [(record.key, record.revision) for record in page.records] == expected[:limit]
        assert page.remaining == max(0, len(expected) - limit)
        assert page.revision == at

    def restart(self) -> None:
        """A second store over the same log serves the same objects, revisions and recent history."""
        revision, oldest = self.store.revision, self.store.oldest_revision
        records = [record for bucket in ("pods/", "jobs/") for record in self.store.range(bucket).records]
        self.store = EmbeddedStore(TreeCodec(), self.make_log(), history=WINDOW)
        assert self.store.revision == revision
        assert self.store.oldest_revision <= oldest
        assert [r for bucket in ("pods/", "jobs/") for r in self.store.range(bucket).records] == records
        for watcher in tuple(self.watchers):
            self._reopen(watcher)

    def finish(self) -> None:
        for watcher in tuple(self.watchers):
            self.take(Take(self.watchers.index(watcher)))
        for number, watcher in enumerate(self.watchers):
            self.mark(Mark(number))
            check_all(self.written, watcher.seen)
            assert watcher.channel.revision == self.store.revision


def _type(op: Op, before: dict[str, tuple[int, str]]) -> EventType:
    if isinstance(op, Delete):
        return EventType.DELETED
    return EventType.MODIFIED if op.key in before else EventType.ADDED


@contextlib.asynccontextmanager
async def running(store: EmbeddedStore) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        await tasks.start(store.run)
        yield
        tasks.cancel_scope.cancel()


async def execute(program: Sequence[Step], make_log: Callable[[], Log]) -> None:
    machine = Machine(make_log)
    todo = iter(program)
    while True:
        async with running(machine.store):
            for step in itertools.takewhile(lambda step: not isinstance(step, Restart), todo):
                await machine.do(step)
            rest = list(todo)
        if not rest:
            break
        machine.restart()
        todo = iter(rest)
    machine.finish()


@given(st.lists(steps, min_size=10, max_size=80))
@settings(max_examples=200, deadline=None)
def test_memory_keeps_every_promise(program: list[Step]) -> None:
    anyio.run(lambda: execute(program, MemoryLog))


@given(st.lists(steps | st.just(Restart()), min_size=10, max_size=60))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_disk_keeps_every_promise_through_restarts(program: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        anyio.run(lambda: execute(program, lambda: SqliteLog(directory)))
