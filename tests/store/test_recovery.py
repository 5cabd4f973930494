"""What is found again after the process was killed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest

from kcore.store.embedded import EmbeddedStore
from kcore.store.history import Window
from kcore.store.sqlite import SqliteLog
from kcore.store.store import Compacted, Event, EventType
from tests.store.guarantees import Change, Seen, check_all
from tests.store.objects import TreeCodec, delete, put
from tests.store.test_histories import running

KILLS = 20


class Acknowledged(NamedTuple):
    revision: int
    state: Any


def parse(line: str) -> tuple[str, Acknowledged]:
    key, revision, data = line.rstrip().split(" ", 2)
    return key, Acknowledged(int(revision), None if data == "-" else json.loads(data))


def write_and_kill(directory: Path, number: int, chance: random.Random) -> list[str]:
    """Let the writer run for a while, kill it in the middle of its work; returns what it said in whole lines."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.writer", str(directory), str(number)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with process, process.stdout as pipe:
        lines = [pipe.readline() for _ in range(chance.randrange(50, 1_500))]
        process.send_signal(signal.SIGKILL)
        lines += pipe.readlines()
    assert process.returncode == -signal.SIGKILL
    return [line.decode() for line in lines if line.endswith(b"\n")]


def check_nothing_lost(store: EmbeddedStore, acknowledged: dict[str, Acknowledged]) -> None:
    """Each key stands as it was acknowledged, or as the one write left that was on its way when the end came."""
    for key, last in acknowledged.items():
        record = store.get(key)
        if record is not None:
            assert record.revision >= last.revision, key
        if record is None:
            assert last.state is None or _deleted_after(store, key, last.revision), f"{key} is gone"
        elif record.revision == last.revision:
            assert record.obj == last.state


def _deleted_after(store: EmbeddedStore, key: str, revision: int) -> bool:
    since = max(revision, store.oldest_revision)
    events = [event for event in store.watch(key, since=since).take_nowait() if event.record.key == key]
    return [event.type for event in events] == [EventType.DELETED]


def check_history(store: EmbeddedStore, events: list[Event]) -> None:
    """The recovered history is a sound one and leads from the state at its beginning to the present one."""
    seen = Seen(store.oldest_revision, batches=[[Change.of(event)] for event in events])
    check_all([Change.of(event) for event in events], seen)
    state = {record.key: record for record in store.range("pods/", at=store.oldest_revision).records}
    for event in events:
        assert state.get(event.record.key) == event.previous
        state[event.record.key] = event.record
        if event.type is EventType.DELETED:
            del state[event.record.key]
    assert sorted(state.values(), key=lambda record: record.key) == store.range("pods/").records


def test_every_acknowledged_write_survives_sigkill(tmp_path: Path) -> None:
    chance = random.Random(20)
    acknowledged: dict[str, Acknowledged] = {}
    highest = 0
    for number in range(KILLS):
        lines = write_and_kill(tmp_path, number, chance)
        acknowledged.update(parse(line) for line in lines)
        log = SqliteLog(tmp_path)
        store = EmbeddedStore(TreeCodec(), log, history=Window(events=500))
        newest = max(last.revision for last in acknowledged.values())
        assert store.revision >= newest >= highest
        highest = store.revision
        check_nothing_lost(store, acknowledged)
        check_history(store, list(store.watch("pods/", since=store.oldest_revision).take_nowait()))
        # A write that was not acknowledged may have happened: from here on it counts as what the next run found.
        gone = Acknowledged(highest, None)
        found = {record.key: Acknowledged(record.revision, record.obj) for record in store.range("pods/").records}
        acknowledged = {key: found.get(key, gone) for key in {*acknowledged, *found}}
        log.close()


async def test_watch_resumes_across_a_restart(tmp_path: Path) -> None:
    store = EmbeddedStore(TreeCodec(), SqliteLog(tmp_path))
    async with running(store):
        await store.commit(put("pods/a/x", color="red"), put("jobs/a/x"))
        await store.commit(put("pods/a/x", color="blue"))
        await store.commit(delete("pods/a/x", color="blue"))
        before = store.watch("pods/", since=1).take_nowait()
    again = EmbeddedStore(TreeCodec(), SqliteLog(tmp_path))
    async with running(again):
        assert again.watch("pods/", since=1).take_nowait() == before
        assert [record.obj["color"] for record in again.range("pods/", at=2).records] == ["red"]
        assert again.revision == 4


async def test_revision_does_not_go_back_when_its_objects_and_history_are_gone(tmp_path: Path) -> None:
    store = EmbeddedStore(TreeCodec(), SqliteLog(tmp_path), history=Window(events=0))
    async with running(store):
        await store.commit(put("pods/a/x"))
        await store.commit(delete("pods/a/x"))
    again = EmbeddedStore(TreeCodec(), SqliteLog(tmp_path))
    async with running(again):
        assert again.revision == again.oldest_revision == 3
        with pytest.raises(Compacted):
            again.watch("pods/", since=2)


async def test_compacted_store_begins_its_history_anew_and_remembers_that(tmp_path: Path) -> None:
    store = EmbeddedStore(TreeCodec(), SqliteLog(tmp_path))
    async with running(store):
        await store.commit(put("pods/a/x"))
        await store.commit(put("pods/a/x"))
        store.compact()
        await store.commit(put("pods/a/y"))
    again = EmbeddedStore(TreeCodec(), SqliteLog(tmp_path))
    async with running(again):
        for present in (store, again):
            assert present.oldest_revision == 3
            for prefix in ("pods/", "jobs/"):
                with pytest.raises(Compacted):
                    present.watch(prefix, since=2)
                with pytest.raises(Compacted):
                    present.range(prefix, at=2)
            assert [event.revision for event in present.watch("pods/", since=3).take_nowait()] == [4]
            assert [record.revision for record in present.range("pods/", at=3).records] == [3]


async def test_compaction_leaves_the_state_and_the_history_and_nothing_else(tmp_path: Path) -> None:
    store = EmbeddedStore(TreeCodec(), SqliteLog(tmp_path), history=Window(events=8))
    async with running(store):
        for n in range(100):
            await store.commit(put(f"pods/a/{n % 3}", n=n))
            await store.commit(put("pods/a/passing"))
            await store.commit(delete("pods/a/passing"))
    log = SqliteLog(tmp_path)
    entries = list(log.entries())
    log.close()
    oldest = store.oldest_revision
    needed = {record.revision for record in store.range("pods/", at=oldest).records}
    assert {entry.revision for entry in entries} == needed | set(range(oldest + 1, 302))


async def test_commit_larger_than_a_statement_is_still_one(tmp_path: Path) -> None:
    store = EmbeddedStore(TreeCodec(), SqliteLog(tmp_path))
    async with running(store):
        await store.commit(*(put(f"pods/a/{n}") for n in range(5_000)))
    again = EmbeddedStore(TreeCodec(), SqliteLog(tmp_path))
    async with running(again):
        assert [record.data for record in again.range("pods/").records] == [
            record.data for record in store.range("pods/").records
        ]
        assert again.revision == 2


def test_stores_of_two_loops_may_follow_each_other(tmp_path: Path) -> None:
    async def once(number: int) -> int:
        store = EmbeddedStore(TreeCodec(), SqliteLog(tmp_path))
        async with running(store):
            await store.commit(put(f"pods/a/{number}"))
            return store.revision

    assert [anyio.run(once, number) for number in range(3)] == [2, 3, 4]
