"""What callers, readers and watchers see while commits are on their way to disk, and when the disk fails them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import anyio.lowlevel
import pytest

from kcore.store.embedded import EmbeddedStore
from kcore.store.log import Entry
from kcore.store.store import Event, EventType, RevisionMismatch, StoreUnavailable
from tests.store.objects import TreeCodec, delete, put


class GatedLog:
    """A durable log whose disk works, or fails, when the test says so."""

    durable = True

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.stepwise = False
        self.failures: list[Exception] = []
        self.batches: list[list[int]] = []
        self.closed = False
        self.compacted_revision = 0
        self.kept: list[Entry] = []

    def compacted(self) -> Mapping[str, int]:
        return {"pods": self.compacted_revision}

    def entries(self) -> Iterable[Entry]:
        return self.kept

    def write(self, events: Sequence[Event]) -> None:
        assert self.gate.wait(10)
        if self.stepwise:
            self.gate.clear()
        if self.failures:
            raise self.failures.pop(0)
        self.batches.append([event.revision for event in events])

    def forget(self, dropped: Sequence[Event], compacted: Mapping[str, int]) -> None: ...

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def log() -> GatedLog:
    return GatedLog()


@pytest.fixture
async def store(log: GatedLog) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore(TreeCodec(), log)
    starting: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run() -> None:
        async with anyio.create_task_group() as tasks:
            await tasks.start(store.run)
            starting.set_result(None)

    task = asyncio.create_task(run())
    await starting
    yield store
    log.gate.set()
    task.cancel()
    await asyncio.wait([task])
    assert log.closed


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await anyio.lowlevel.checkpoint()


async def test_nobody_sees_a_commit_before_it_is_on_disk(store: EmbeddedStore, log: GatedLog) -> None:
    channel = store.watch("pods/", since=1)
    log.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        caller = tasks.create_task(store.commit(put("pods/a/x")))
        await turns()
        assert not caller.done()
        assert store.get("pods/a/x") is None
        assert store.range("pods/").records == []
        assert store.revision == 1
        assert channel.take_nowait() == ()
        assert store.head("pods/a/x") is not None
        log.gate.set()
    assert store.get("pods/a/x") == caller.result()[0] == store.head("pods/a/x")
    assert len(channel.take_nowait()) == 1


async def test_preconditions_are_held_against_what_is_on_its_way(store: EmbeddedStore, log: GatedLog) -> None:
    log.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(store.commit(put("pods/a/x", expected=0)))
        await turns()
        with pytest.raises(RevisionMismatch):
            await store.commit(put("pods/a/x", expected=0))
        tasks.create_task(store.commit(delete("pods/a/x", expected=2)))
        await turns()
        assert store.head("pods/a/x") is None
        tasks.create_task(store.commit(put("pods/a/x", expected=0)))
        await turns()
        log.gate.set()
    record = store.get("pods/a/x")
    assert record is not None
    assert record.revision == store.revision == 4


async def test_commits_of_one_turn_and_those_during_a_flush_share_a_batch(store: EmbeddedStore, log: GatedLog) -> None:
    log.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        for n in range(3):
            tasks.create_task(store.commit(put(f"pods/a/{n}")))
        await turns()
        for n in range(3, 6):
            tasks.create_task(store.commit(put(f"pods/a/{n}")))
            await turns()
        log.gate.set()
    assert log.batches == [[2, 3, 4], [5, 6, 7]]


async def test_head_stays_ahead_while_an_older_batch_lands(store: EmbeddedStore, log: GatedLog) -> None:
    log.gate.clear()
    log.stepwise = True
    first = asyncio.create_task(store.commit(put("pods/a/x")))
    await turns()
    second = asyncio.create_task(store.commit(delete("pods/a/x")))
    await turns()
    log.gate.set()
    await first
    assert store.get("pods/a/x") is not None
    assert store.head("pods/a/x") is None
    log.gate.set()
    await second
    assert store.get("pods/a/x") is None


async def test_failed_batch_takes_along_what_was_built_on_it(store: EmbeddedStore, log: GatedLog) -> None:
    await store.commit(put("pods/a/x"))
    log.failures = [StoreUnavailable("the disk is full")]
    log.gate.clear()
    first = asyncio.create_task(store.commit(put("pods/a/x", expected=2)))
    await turns()
    behind = asyncio.create_task(store.commit(put("pods/a/x", expected=3)))
    await turns()
    log.gate.set()
    for caller in (first, behind):
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            await caller
    assert store.head("pods/a/x") == store.get("pods/a/x")
    assert store.revision == 2
    assert log.batches == [[2]]


async def test_writes_resume_when_the_disk_does_and_revisions_are_not_used_again(
    store: EmbeddedStore, log: GatedLog
) -> None:
    log.failures = [StoreUnavailable("the disk is full")]
    with pytest.raises(StoreUnavailable):
        await store.commit(put("pods/a/x"))
    (record,) = await store.commit(put("pods/a/x", expected=0))
    assert record.revision == 3
    assert store.get("pods/a/x") == record


async def test_unforeseen_failure_reaches_the_callers_too(store: EmbeddedStore, log: GatedLog) -> None:
    log.failures = [MemoryError()]
    with pytest.raises(StoreUnavailable, match="MemoryError"):
        await store.commit(put("pods/a/x"))
    assert await store.commit(put("pods/a/x"))


async def test_cancelled_caller_has_committed_all_the_same(store: EmbeddedStore, log: GatedLog) -> None:
    log.gate.clear()
    caller = asyncio.create_task(store.commit(put("pods/a/x")))
    await turns()
    caller.cancel()
    await asyncio.wait([caller])
    beside = asyncio.create_task(store.commit(put("pods/a/y")))
    await turns()
    log.gate.set()
    await beside
    assert store.get("pods/a/x") is not None


async def test_codec_that_fails_leaves_no_trace(store: EmbeddedStore) -> None:
    with pytest.raises(TypeError):
        await store.commit(put("pods/a/x"), put("pods/a/y", unencodable=object()))
    assert store.head("pods/a/x") is None
    (record,) = await store.commit(put("pods/a/x"))
    assert record.revision == 2


async def test_commit_changes_a_key_only_once(store: EmbeddedStore) -> None:
    with pytest.raises(ValueError, match="only once"):
        await store.commit(put("pods/a/x"), put("pods/a/x"))


async def test_empty_commit_is_refused(store: EmbeddedStore) -> None:
    with pytest.raises(ValueError, match="at least one"):
        await store.commit()


def test_entries_that_were_not_forgotten_in_time_do_no_harm(log: GatedLog) -> None:
    log.compacted_revision = 5
    log.kept = [
        Entry(2, "pods/a/gone", False, b"{}"),
        Entry(3, "pods/a/x", False, b"{}"),
        Entry(4, "pods/a/gone", True, b"{}"),
        Entry(5, "pods/a/x", False, b"{}"),
        Entry(6, "pods/a/y", False, b"{}"),
    ]
    store = EmbeddedStore(TreeCodec(), log)
    assert [(record.key, record.revision) for record in store.range("pods/").records] == [
        ("pods/a/x", 5),
        ("pods/a/y", 6),
    ]
    assert [event.revision for event in store.watch("pods/", since=5).take_nowait()] == [6]


async def test_stopping_finishes_what_was_begun_and_then_refuses(log: GatedLog) -> None:
    store = EmbeddedStore(TreeCodec(), log)
    with pytest.raises(StoreUnavailable, match="does not run"):
        await store.commit(put("pods/a/early"))
    async with anyio.create_task_group() as tasks:
        await tasks.start(store.run)
        log.gate.clear()
        callers = [asyncio.create_task(store.commit(put("pods/a/x")))]
        await turns()
        callers.append(asyncio.create_task(store.commit(put("pods/a/y"))))
        await turns()
        tasks.cancel_scope.cancel()
        asyncio.get_running_loop().call_later(0, log.gate.set)
    assert all(caller.done() and caller.result() for caller in callers)
    assert len(store.range("pods/").records) == 2
    with pytest.raises(StoreUnavailable, match="does not run"):
        await store.commit(put("pods/a/late"))
    assert store.head("pods/a/late") is None


async def test_farewell_stands_for_one_revision_and_reaches_the_disk_with_the_end(
    store: EmbeddedStore, log: GatedLog
) -> None:
    await store.commit(put("pods/a/x"))
    channel = store.watch("pods/", since=store.revision)
    [gone] = await store.commit(delete("pods/a/x", expected=2, going="gone")._replace(farewell={"going": "soon"}))
    changed, ended = channel.take_nowait()
    assert (changed.type, changed.revision, changed.record.obj["going"]) == (EventType.MODIFIED, 3, "soon")
    assert (ended.type, ended.revision, ended.record) == (EventType.DELETED, 4, gone)
    assert ended.previous == changed.record
    assert store.get("pods/a/x") is store.head("pods/a/x") is None
    assert log.batches == [[2], [3, 4]]


async def test_farewell_fails_as_a_whole(store: EmbeddedStore, log: GatedLog) -> None:
    await store.commit(put("pods/a/x"))
    leave = delete("pods/a/x", expected=2)._replace(farewell={})
    with pytest.raises(RevisionMismatch):
        await store.commit(leave._replace(expected=1))
    with pytest.raises(ValueError, match="of its own"):
        await store.commit(put("pods/a/y"), leave)
    log.failures.append(StoreUnavailable("no space"))
    with pytest.raises(StoreUnavailable):
        await store.commit(leave)
    standing = store.head("pods/a/x")
    assert standing is not None
    assert standing.revision == 2
