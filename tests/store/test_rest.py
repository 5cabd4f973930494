"""Records of some age keep one of their two forms, and nobody can tell."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import anyio
import pytest

from kcore.store.bucket import FRESH, LIGHTEST
from kcore.store.embedded import EmbeddedStore
from kcore.store.history import Window
from kcore.store.log import MemoryLog
from kcore.store.sqlite import SqliteLog
from kcore.store.store import Compacted, Record
from tests.sim.virtual_loop import VirtualLoop
from tests.store.objects import TreeCodec, delete, put
from tests.store.test_histories import running

KILOBYTE = "x" * 1000


@pytest.fixture
def store() -> EmbeddedStore:
    return EmbeddedStore(TreeCodec(), MemoryLog())


async def age(store: EmbeddedStore, bucket: str) -> None:
    """Let so much happen in a bucket that what happened before is no longer fresh."""
    for n in range(FRESH):
        await store.commit(put(f"{bucket}/other/{n % 3}"))


def standing(store: EmbeddedStore, key: str) -> Record:
    record = store.get(key)
    assert record is not None
    return record


async def test_what_stands_for_a_while_keeps_its_object(store: EmbeddedStore) -> None:
    (record,) = await store.commit(put("pods/a/x", color="red"))
    await age(store, "pods")
    assert record.encoded is None
    assert standing(store, "pods/a/x") is record
    assert json.loads(record.data) == record.obj == {"color": "red", "rv": 2}


async def test_what_nobody_follows_keeps_its_bytes(store: EmbeddedStore) -> None:
    (record,) = await store.commit(put("notes/a/x", color="red"))
    await age(store, "notes")
    assert record.decoded is None
    assert record.obj == json.loads(record.data) == {"color": "red", "rv": 2}


async def test_what_is_unlike_others_keeps_both(store: EmbeddedStore) -> None:
    (record,) = await store.commit(put("jobs/a/x", color="red"))
    await age(store, "jobs")
    assert (record.decoded, record.encoded) == (record.obj, record.data)


async def test_what_was_replaced_keeps_its_bytes(store: EmbeddedStore) -> None:
    (old,) = await store.commit(put("pods/a/x", color="red"))
    (new,) = await store.commit(put("pods/a/x", color="blue"))
    await age(store, "pods")
    assert (old.decoded, new.encoded) == (None, None)
    assert (old.obj["color"], new.obj["color"]) == ("red", "blue")


async def test_what_stood_before_it_was_replaced_keeps_its_bytes(store: EmbeddedStore) -> None:
    (old,) = await store.commit(put("pods/a/x", color="red"))
    await age(store, "pods")
    await store.commit(put("pods/a/x", color="blue"))
    await age(store, "pods")
    assert old.decoded is None
    assert json.loads(old.data) == old.obj == {"color": "red", "rv": 2}


async def test_what_is_gone_keeps_its_bytes(store: EmbeddedStore) -> None:
    await store.commit(put("pods/a/x", color="red"))
    (last,) = await store.commit(delete("pods/a/x", color="red"))
    await age(store, "pods")
    assert last.decoded is None
    assert last.obj == {"color": "red", "rv": 3}


async def test_late_watcher_is_shown_what_an_early_one_saw(store: EmbeddedStore) -> None:
    early = store.watch("pods/", since=1, index=("node", "one"))
    for node in ("two", "one", "two"):
        await store.commit(put("pods/a/x", node=node))
    seen = [(event.revision, event.record.obj, event.record.data) for event in early.take_nowait()]
    await age(store, "pods")
    late = store.watch("pods/", since=1, index=("node", "one"))
    assert [(event.revision, event.record.obj, event.record.data) for event in late.take_nowait()] == seen


async def test_older_revision_is_read_back_from_what_is_kept(store: EmbeddedStore) -> None:
    (old,) = await store.commit(put("pods/a/x", color="red"))
    await store.commit(put("pods/a/x", color="blue"))
    await age(store, "pods")
    (found,) = store.range("pods/a/", at=old.revision).records
    assert found.obj["color"] == "red"


def test_quiet_bucket_comes_to_rest_with_time() -> None:
    async def live() -> None:
        store = EmbeddedStore(TreeCodec(), MemoryLog(), history=Window(seconds=100))
        async with running(store):
            records = [(await store.commit(put(f"pods/a/{n}")))[0] for n in range(120)]
            await anyio.sleep(50)
            assert all(record.encoded is not None for record in records)
            await anyio.sleep(200)
            assert all(record.encoded is None for record in records)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(live())


async def test_history_is_bounded_by_what_its_objects_weigh() -> None:
    store = EmbeddedStore(TreeCodec(), MemoryLog(), history=Window(bytes=200_000))
    for n in range(1000):
        await store.commit(put(f"pods/a/{n}", body=KILOBYTE))
    with pytest.raises(Compacted):
        store.watch("pods/", since=700)
    assert len(store.watch("pods/", since=store.revision - 190).take_nowait()) == 190


async def test_few_events_are_kept_however_heavy() -> None:
    store = EmbeddedStore(TreeCodec(), MemoryLog(), history=Window(bytes=1000))
    for n in range(3 * LIGHTEST):
        await store.commit(put(f"pods/a/{n}", body=KILOBYTE))
    assert len(store.watch("pods/", since=store.revision - LIGHTEST).take_nowait()) == LIGHTEST


async def test_what_came_to_rest_is_on_disk(tmp_path: Path) -> None:
    store = EmbeddedStore(TreeCodec(), SqliteLog(tmp_path))
    async with running(store):
        await store.commit(put("pods/a/x", color="red"))
        await age(store, "pods")
    again = EmbeddedStore(TreeCodec(), SqliteLog(tmp_path))
    async with running(again):
        assert standing(again, "pods/a/x").obj["color"] == "red"
