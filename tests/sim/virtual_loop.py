"""An event loop whose time is virtual: whenever nothing is ready, it jumps to the next timer.

A test that sleeps for a day takes no time, and takes exactly a day. I/O still works: a loop without timers waits for
it as any other. Timers do not: with a socket silent and a timeout set, time flies. So this is for what lives in one
process.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

__all__ = ["VirtualLoop"]


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits when told for how long: moves the loop's clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready and timeout > 0:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at time zero."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now
