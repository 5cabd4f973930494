from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from kcore.kit.effort import Effort


class Stopwatch:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time


async def test_effort_is_what_happens_between_waits() -> None:
    watch = Stopwatch()

    async def work() -> str:
        watch.time += 2
        await anyio.lowlevel.checkpoint()
        watch.time += 3
        return "done"

    async def meanwhile() -> None:
        watch.time += 100

    effort = Effort(work(), watch)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(meanwhile)
        assert await effort == "done"
    assert effort.seconds == 5


async def test_effort_counts_what_failed_and_lets_the_failure_through() -> None:
    watch = Stopwatch()

    async def work() -> None:
        watch.time += 2
        raise ValueError("oops")

    effort = Effort(work(), watch)
    with pytest.raises(ValueError, match="oops"):
        await effort
    assert effort.seconds == 2


async def test_work_that_is_cancelled_can_clean_up() -> None:
    cleaned = False

    async def work() -> None:
        nonlocal cleaned
        try:
            await anyio.sleep_forever()
        finally:
            cleaned = True

    with anyio.move_on_after(0.01) as scope:
        await Effort(work(), Stopwatch())
    assert scope.cancelled_caught
    assert cleaned
