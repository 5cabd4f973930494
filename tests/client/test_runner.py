from __future__ import annotations

import asyncio

import anyio
import pytest

from kcore.client.figures import Figures
from kcore.client.runner import Result, work
from kcore.client.workqueue import WorkQueue


class BusyClock:
    """The loop's time, and what `work` took on top of it: virtual time passes only while nobody works."""

    def __init__(self) -> None:
        self.worked = 0.0

    def now(self) -> float:
        return asyncio.get_running_loop().time() + self.worked


async def looks(effort: float, seconds: float) -> int:
    """How often a key that takes `effort` is looked at in `seconds` if something changes all the time."""
    queue: WorkQueue[str] = WorkQueue()
    clock = BusyClock()
    seen = 0

    async def reconcile(key: str) -> Result | None:
        nonlocal seen
        seen += 1
        clock.worked += effort
        return None

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work, Figures("widget-controller", queue), queue, reconcile, clock)
        with anyio.move_on_after(seconds):
            while True:
                queue.add("a")
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    return seen


@pytest.mark.parametrize(("effort", "expected"), [(0.0, 100), (0.0005, 100), (0.02, 6), (10.0, 1)])
async def test_key_that_is_much_work_takes_a_tenth_of_the_time_however_often_it_changes(
    effort: float, expected: int
) -> None:
    assert await looks(effort, 0.995) == expected
