"""Where time and chance come from: nothing else in kcore asks the machine for either.

Sleeping needs no method of its own: `anyio.sleep` and every timeout follow the event loop's time, so a loop
whose time is virtual (`tests/sim`) moves everything at once, and `LoopClock` tells wall time by the same loop.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Protocol

__all__ = ["Chance", "Clock", "LoopClock", "SystemClock", "ticks"]


# Where version and variant stand in the 128 bits, and what they say (RFC 9562).
_UUID_MASK = (0xF << 76) | (0b11 << 62)
_UUID_4 = (4 << 76) | (0b10 << 62)


def ticks() -> float:
    """A running count of seconds, fine enough for microseconds: for durations that are told and never acted on."""
    return time.perf_counter()


class Clock(Protocol):
    """Wall time."""

    def now(self) -> float:
        """Seconds since the epoch."""


class SystemClock:
    """The machine's wall time."""

    def now(self) -> float:
        return time.time()


class LoopClock:
    """Wall time that starts at `epoch` and runs with the event loop: virtual where the loop is."""

    def __init__(self, epoch: float = 1_700_000_000.0) -> None:
        self._epoch = epoch
        self._start: float | None = None

    def now(self) -> float:
        loop_time = asyncio.get_running_loop().time()
        if self._start is None:
            self._start = loop_time
        return self._epoch + loop_time - self._start


class Chance:
    """Seeded randomness: the same seed gives the same uids, name suffixes and jitter."""

    # No vowels and no look-alikes, so that no suffix spells a word (upstream's apimachinery `util/rand`).
    _ALPHABET = "bcdfghjklmnpqrstvwxz2456789"

    def __init__(self, seed: int | None = None) -> None:
        self.random = random.Random(seed)

    def uid(self) -> str:
        """A version 4 UUID, as `uuid.UUID(int=..., version=4)` would write it, in a quarter of the time."""
        digits = f"{self.random.getrandbits(128) & ~_UUID_MASK | _UUID_4:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def suffix(self, length: int = 5) -> str:
        """What `generateName` appends."""
        alphabet, size, number = self._ALPHABET, len(self._ALPHABET), self.random.getrandbits(64)
        text = ""
        for _ in range(length):
            number, place = divmod(number, size)
            text += alphabet[place]
        return text

    def jitter(self, base: float, factor: float) -> float:
        """`base` to `base * (1 + factor)`."""
        return base + self.random.random() * factor * base
