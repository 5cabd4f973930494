from __future__ import annotations

import anyio
import pytest

from kcore.kit.crowd import for_each


async def test_every_item_is_done_once_and_only_so_many_at_a_time() -> None:
    done: list[int] = []
    under_way = most = 0

    async def do(item: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await anyio.sleep(0.001 * (item % 3))
        under_way -= 1
        done.append(item)

    await for_each(range(20), do, at_once=4)
    assert sorted(done) == list(range(20))
    assert most == 4


async def test_failure_ends_all() -> None:
    done: list[int] = []

    async def do(item: int) -> None:
        if item == 2:
            raise ValueError("oops")
        await anyio.sleep(0.01)
        done.append(item)

    with pytest.raises(ExceptionGroup):
        await for_each(range(10), do, at_once=3)
    assert not done


async def test_nothing_to_do_is_done_at_once() -> None:
    await for_each((), anyio.sleep)
