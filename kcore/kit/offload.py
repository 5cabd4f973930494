"""Computations that take longer the more they are given: the large ones are done beside the loop.

The threads share the interpreter with the loop, which gets its turn at every switch interval: it becomes slower
meanwhile, and is not held up. What is worked on belongs to the work alone until that is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.lowlevel import RunVar

__all__ = ["TooMuch", "beside", "is_awaited", "is_much", "on_loop"]

T = TypeVar("T")

_LARGE = 64 * 1024
_AT_ONCE = 2

_limiter: RunVar[anyio.CapacityLimiter] = RunVar("limiter")


class TooMuch(Exception):
    """What work raises that finds out on its way that others wait for it too long. It begins anew beside the loop, so
    it must not mind having been done in part."""


def is_much(size: int) -> bool:
    """Whether so many bytes are to be looked at beside the loop."""
    return size >= _LARGE


def is_awaited() -> bool:
    """Whether the caller is on a loop, so that others wait for it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def beside(size: int, work: Callable[[], T]) -> T:
    """Do at once what is little, and the rest beside the loop. `size`: how many bytes `work` has to look at."""
    if size < _LARGE:
        try:
            return work()
        except TooMuch:
            pass
    limiter = _limiter.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        _limiter.set(limiter)
    return await anyio.to_thread.run_sync(work, limiter=limiter)


def on_loop(ask: Callable[[], T]) -> T:
    """What work has to ask of those who live on the loop: answered there, wherever it is done."""
    return ask() if is_awaited() else anyio.from_thread.run_sync(ask)
