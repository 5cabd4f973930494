"""How long the turns of an event loop are."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["TURN_SECONDS_MAX", "Turns", "watched_loop"]

TURN_SECONDS_MAX = 0.05


class Turns:
    """How much CPU time the longest turn of the loop took: other programs, and other threads, do not count."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = time.thread_time()
        self._going = True

    def turn(self) -> None:
        now = time.thread_time()
        self.longest = max(self.longest, now - self._last)
        self._last = now
        if self._going:
            asyncio.get_running_loop().call_soon(self.turn)

    def stop(self) -> None:
        self._going = False

    def take(self) -> float:
        longest, self.longest = self.longest, 0.0
        return longest


@contextmanager
def watched_loop() -> Iterator[Turns]:
    """What stands already is left out of collections, as in a server once it has started."""
    gc.freeze()
    turns = Turns()
    turns.turn()
    try:
        yield turns
    finally:
        turns.stop()
        gc.unfreeze()
