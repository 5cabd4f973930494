"""How watch channels behave, one sentence at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import anyio.lowlevel
import pytest

from kcore.store.embedded import EmbeddedStore
from kcore.store.history import Window
from kcore.store.log import MemoryLog
from kcore.store.store import Channel, Compacted, Event
from tests.sim.virtual_loop import VirtualLoop
from tests.store.objects import TreeCodec, delete, put


@pytest.fixture
def store() -> EmbeddedStore:
    return EmbeddedStore(TreeCodec(), MemoryLog(), history=Window(events=8))


def shown(batch: Sequence[Event]) -> list[tuple[str, str, int]]:
    return [(event.type.value, event.record.key, event.revision) for event in batch]


async def test_watch_begins_after_its_revision(store: EmbeddedStore) -> None:
    (first,) = await store.commit(put("pods/a/x"))
    await store.commit(put("pods/a/y"))
    channel = store.watch("pods/", since=first.revision)
    assert shown(channel.take_nowait()) == [("ADDED", "pods/a/y", 3)]


async def test_narrow_prefix_hides_other_namespaces(store: EmbeddedStore) -> None:
    channel = store.watch("pods/a/", since=1)
    await store.commit(put("pods/b/x"), put("pods/a/x"))
    assert shown(channel.take_nowait()) == [("ADDED", "pods/a/x", 2)]


async def test_channel_tells_of_a_commit_before_its_writer_goes_on(store: EmbeddedStore) -> None:
    told: list[str] = []
    channel = store.watch("pods/a/", since=1)
    channel.on_published(lambda: told.append("a"))
    await store.commit(put("pods/b/x"))
    assert told == []
    await store.commit(put("pods/a/x"), put("pods/a/y"))
    assert told == ["a", "a"]
    channel.close()
    await store.commit(put("pods/a/x"))
    assert told == ["a", "a"]


async def test_indexed_watch_sees_objects_come_and_go(store: EmbeddedStore) -> None:
    channel = store.watch("pods/", since=1, index=("node", "one"))
    await store.commit(put("pods/a/x", node="two"))
    await store.commit(put("pods/a/x", node="one"))
    await store.commit(put("pods/a/x", node="two"))
    await store.commit(put("pods/a/x", node="two", color="red"))
    await store.commit(put("pods/a/y", node="one"))
    await store.commit(delete("pods/a/y", node="one"))
    assert [revision for _, _, revision in shown(channel.take_nowait())] == [3, 4, 6, 7]


async def test_event_is_looked_up_once_for_any_number_of_indexed_watches() -> None:
    class CountingCodec(TreeCodec):
        lookups = 0

        def index(self, key: str, obj: Any) -> Sequence[tuple[str, str]]:
            self.lookups += 1
            return super().index(key, obj)

    codec = CountingCodec()
    store = EmbeddedStore(codec, MemoryLog())
    channels = [store.watch("pods/", since=1, index=("node", f"node-{n}")) for n in range(5_000)]
    for n in range(10):
        await store.commit(put(f"pods/a/{n}", node=f"node-{n}"))
    assert codec.lookups == 10
    assert [len(channel.take_nowait()) for channel in channels[:12]] == [1] * 10 + [0] * 2


async def test_later_watcher_of_a_namespace_may_begin_earlier(store: EmbeddedStore) -> None:
    for name in "uvw":
        await store.commit(put(f"pods/a/{name}"))
    late = store.watch("pods/a/", since=3)
    assert [revision for *_, revision in shown(late.take_nowait())] == [4]
    early = store.watch("pods/a/", since=1)
    await store.commit(put("jobs/a/x"))
    assert late.revision == 5
    await store.commit(put("pods/a/x"))
    assert [revision for *_, revision in shown(late.take_nowait())] == [6]
    assert [revision for *_, revision in shown(early.take_nowait())] == [2, 3, 4, 6]


async def test_readers_at_the_same_place_share_one_batch(store: EmbeddedStore) -> None:
    channels = [store.watch("pods/a/", since=1) for _ in range(3)]
    await store.commit(put("pods/a/x"))
    batches = [channel.take_nowait() for channel in channels]
    assert batches[0] is batches[1] is batches[2]


async def test_watch_from_the_future_waits_for_it(store: EmbeddedStore) -> None:
    channels = [store.watch(prefix, since=3) for prefix in ("pods/", "pods/a/")]
    await store.commit(put("pods/a/x"))
    beside = store.watch("pods/a/", since=1)
    for name in "yz":
        await store.commit(put(f"pods/a/{name}"))
    assert [shown(channel.take_nowait()) for channel in channels] == [[("ADDED", "pods/a/z", 4)]] * 2
    assert len(beside.take_nowait()) == 3


@pytest.mark.parametrize("prefix", ["pods/", "pods/a/"])
async def test_slow_watcher_falls_off_and_harms_nobody_else(store: EmbeddedStore, prefix: str) -> None:
    slow, quick = store.watch(prefix, since=1), store.watch(prefix, since=1)
    for n in range(50):
        await store.commit(put(f"pods/a/{n}"))
        assert len(quick.take_nowait()) == 1
    with pytest.raises(Compacted):
        slow.take_nowait()
    with pytest.raises(Compacted):
        store.watch(prefix, since=1)


async def test_busy_bucket_does_not_shorten_the_history_of_another(store: EmbeddedStore) -> None:
    await store.commit(put("pods/a/x"))
    for n in range(50):
        await store.commit(put("leases/a/x", n=n))
    assert len(store.watch("pods/", since=1).take_nowait()) == 1
    assert store.range("pods/", at=1).records == []


async def test_bookmark_follows_events_that_do_not_concern_the_watch(store: EmbeddedStore) -> None:
    channel = store.watch("pods/a/", since=1)
    await store.commit(put("jobs/a/x"))
    assert channel.revision == 2
    await store.commit(put("pods/a/x"))
    assert channel.revision == 2
    channel.take_nowait()
    assert channel.revision == 3


async def test_taskless_reader_is_called_once_a_turn(store: EmbeddedStore) -> None:
    calls: list[int] = []
    channel = store.watch("pods/", since=1)
    channel.on_ready(lambda: calls.append(len(channel.take_nowait())))
    for name in "xyz":
        await store.commit(put(f"pods/a/{name}"))
    assert calls == []
    await anyio.lowlevel.checkpoint()
    assert calls == [3]


async def test_taskless_reader_is_called_for_what_was_there_before(store: EmbeddedStore) -> None:
    calls: list[None] = []
    await store.commit(put("pods/a/x"))
    store.watch("pods/", since=1).on_ready(lambda: calls.append(None))
    await anyio.lowlevel.checkpoint()
    assert len(calls) == 1


async def test_failing_reader_does_not_keep_others_from_being_woken(store: EmbeddedStore) -> None:
    calls: list[None] = []
    store.watch("pods/", since=1).on_ready(lambda: 1 / 0)  # type: ignore[arg-type]
    store.watch("pods/", since=1).on_ready(lambda: calls.append(None))
    await store.commit(put("pods/a/x"))
    await anyio.lowlevel.checkpoint()
    assert len(calls) == 1


async def test_waiting_reader_gets_what_comes(store: EmbeddedStore) -> None:
    channel = store.watch("pods/", since=1)
    async with asyncio.TaskGroup() as tasks:
        reader = tasks.create_task(_next(channel))
        await anyio.lowlevel.checkpoint()
        await store.commit(put("pods/a/x"))
    assert shown(reader.result()) == [("ADDED", "pods/a/x", 2)]


async def test_cancelled_reader_loses_nothing(store: EmbeddedStore) -> None:
    channel = store.watch("pods/", since=1)
    with anyio.move_on_after(0):
        await channel.next_batch()
    await store.commit(put("pods/a/x"))
    assert len(await channel.next_batch()) == 1


async def test_closing_ends_the_wait(store: EmbeddedStore) -> None:
    channel = store.watch("pods/a/", since=1)
    async with asyncio.TaskGroup() as tasks:
        reader = tasks.create_task(_closed(channel))
        await anyio.lowlevel.checkpoint()
        channel.close()
        channel.close()
    assert reader.result()


def test_history_ages_though_nothing_happens() -> None:
    async def scenario() -> None:
        store = EmbeddedStore(TreeCodec(), MemoryLog(), history=Window(seconds=300))
        async with anyio.create_task_group() as tasks:
            await tasks.start(store.run)
            await store.commit(put("pods/a/x"))
            await anyio.sleep(299)
            assert store.oldest_revision == 1
            await anyio.sleep(100)
            assert store.oldest_revision == 2
            with pytest.raises(Compacted):
                store.range("pods/", at=1)
            assert store.get("pods/a/x")
            tasks.cancel_scope.cancel()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scenario())


async def _next(channel: Channel) -> Sequence[Event]:
    return await channel.next_batch()


async def _closed(channel: Channel) -> bool:
    with pytest.raises(anyio.ClosedResourceError):
        await channel.next_batch()
    return True
