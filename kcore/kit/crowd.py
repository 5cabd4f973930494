"""Many like things done side by side, by few tasks: a task costs more than many a thing that it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

import anyio

__all__ = ["for_each"]

T = TypeVar("T")

AT_ONCE = 64
"""Enough to share a group commit, few enough not to hold the loop up."""


async def for_each(items: Collection[T], do: Callable[[T], Awaitable[object]], at_once: int = AT_ONCE) -> None:
    """Do something for every item, for `at_once` at a time. What it raises ends them all."""
    left = iter(items)

    async def take() -> None:
        for item in left:
            await do(item)

    async with anyio.create_task_group() as tasks:
        for _ in range(min(at_once, len(items))):
            tasks.start_soon(take)
