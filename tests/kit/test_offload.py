"""Large computations: where they are done."""

from __future__ import annotations

import threading

import anyio
import pytest

from kcore.kit.offload import TooMuch, beside, is_awaited, is_much, on_loop

LARGE = 1 << 20


async def test_little_work_is_done_at_once() -> None:
    assert await beside(100, threading.get_ident) == threading.get_ident()
    assert not is_much(100)


async def test_large_work_is_done_beside_the_loop() -> None:
    assert is_much(LARGE)
    assert await beside(LARGE, threading.get_ident) != threading.get_ident()


async def test_work_that_is_too_much_after_all_begins_anew_beside_the_loop() -> None:
    tries: list[bool] = []

    def work() -> str:
        tries.append(is_awaited())
        if is_awaited():
            raise TooMuch
        return "done"

    assert await beside(0, work) == "done"
    assert tries == [True, False]


async def test_work_beside_the_loop_fails_as_any() -> None:
    def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await beside(LARGE, work)


async def test_what_work_asks_of_the_loop_is_answered_there() -> None:
    assert await beside(LARGE, lambda: on_loop(threading.get_ident)) == threading.get_ident()
    assert on_loop(threading.get_ident) == threading.get_ident()


async def test_few_are_at_work_at_once() -> None:
    """More would leave the loop less of the interpreter."""
    at_work, most, lock = 0, 0, threading.Lock()
    begun = threading.Barrier(2)

    def work() -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        begun.wait(10)
        with lock:
            at_work -= 1

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(beside, LARGE, work)
    assert most == 2
