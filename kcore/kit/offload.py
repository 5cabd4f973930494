"""Computations that take longer the more they are given: the large ones are done beside the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio.to_thread

__all__ = ["beside", "is_much"]

T = TypeVar("T")

_LARGE = 64 * 1024


def is_much(size: int) -> bool:
    return size >= _LARGE


async def beside(size: int, work: Callable[[], T]) -> T:
    """`size`: how many bytes `work` has to look at."""
    return await anyio.to_thread.run_sync(work) if is_much(size) else work()
