from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest

from kcore.client.workqueue import WorkQueue


async def take(queue: WorkQueue[str]) -> str | None:
    """A key that is ready now."""
    with anyio.move_on_after(0.0001):
        return await queue.get()
    return None


async def test_key_added_twice_comes_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.add("b")
    queue.add("a")
    assert [await take(queue), await take(queue), await take(queue)] == ["a", "b", None]


async def test_key_in_work_is_given_to_nobody_else_and_comes_again_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    assert await take(queue) is None
    queue.done("a")
    assert await take(queue) == "a"


async def test_delayed_key_comes_when_it_is_due_and_the_earliest_delay_holds() -> None:
    queue: WorkQueue[str] = WorkQueue()
    loop = asyncio.get_running_loop()
    queue.add_after("a", 60)
    queue.add_after("a", 10)
    queue.add_after("a", 30)
    assert await queue.get() == "a"
    assert loop.time() == pytest.approx(10)
    queue.done("a")
    with anyio.move_on_after(120) as waited:
        await queue.get()
    assert waited.cancelled_caught


async def test_failures_delay_more_and_more_until_forgotten() -> None:
    queue: WorkQueue[str] = WorkQueue()
    loop = asyncio.get_running_loop()
    waits = []
    for _ in range(4):
        before = loop.time()
        queue.add_rate_limited("a")
        await queue.get()
        queue.done("a")
        waits.append(loop.time() - before)
    assert waits == pytest.approx([0.005, 0.01, 0.02, 0.04])
    assert queue.failures("a") == 4
    queue.forget("a")
    assert queue.failures("a") == 0


async def test_cancelled_worker_passes_the_key_it_was_woken_for_on() -> None:
    queue: WorkQueue[str] = WorkQueue()
    first = asyncio.create_task(queue.get())
    second = asyncio.create_task(queue.get())
    await anyio.lowlevel.checkpoint()
    queue.add("a")
    first.cancel()
    assert await second == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_statistics_tell_what_waits_and_what_was_done() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.add("b")
    queue.add_rate_limited("c")
    await queue.get()
    assert queue.statistics()[:5] == (1, 1, 1, 2, 1)


async def test_key_that_rests_comes_once_afterwards_however_often_it_was_added() -> None:
    queue: WorkQueue[str] = WorkQueue()
    loop = asyncio.get_running_loop()
    queue.add("a")
    queue.done(await queue.get(), rest=5)
    queue.add("a")
    queue.add_after("a", 1)
    assert await take(queue) is None
    assert queue.statistics().delayed == 2
    assert await queue.get() == "a"
    assert loop.time() == pytest.approx(5)
    queue.done("a")
    assert await take(queue) is None


async def test_key_that_rested_in_peace_comes_at_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.done(await queue.get(), rest=5)
    assert queue.statistics().delayed == 0
    await anyio.sleep(6)
    queue.add("a")
    assert await take(queue) == "a"
