"""Something to do for each of many keys, once in a period each, spread evenly over it.

The wheel has a fixed number of slots and turns once in a period; a key sits in one slot. One task serves all keys:
it sleeps until the next slot that holds any, so that five thousand keys cost as many wake-ups as there are slots,
and an empty wheel costs none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import anyio

__all__ = ["TimerWheel"]

K = TypeVar("K")


class TimerWheel(Generic[K]):
    """Keys that come due once every `period` seconds."""

    def __init__(self, period: float, slots: int = 100) -> None:
        self._tick = period / slots
        self._slots: list[dict[K, None]] = [{} for _ in range(slots)]
        self._slot_of: dict[K, int] = {}
        self._filled = 0
        self._added = anyio.Event()

    def __len__(self) -> int:
        return len(self._slot_of)

    def __contains__(self, key: K) -> bool:
        return key in self._slot_of

    def add(self, key: K) -> None:
        """Have `key` come due from now on. Keys added one after another go to slots one after another."""
        if key in self._slot_of:
            return
        # A stride that has no factor in common with the number of slots reaches all of them, far apart at first.
        self._filled = (self._filled + 37) % len(self._slots)
        self._slots[self._filled][key] = None
        self._slot_of[key] = self._filled
        self._added.set()

    def remove(self, key: K) -> None:
        """`key` comes due no more."""
        slot = self._slot_of.pop(key, None)
        if slot is not None:
            del self._slots[slot][key]

    async def run(self, on_due: Callable[[Iterable[K]], None]) -> None:
        """Call `on_due` with the keys of each slot when its time comes, until cancelled."""
        turn = int(anyio.current_time() / self._tick)
        while True:
            while not self._slot_of:
                self._added = anyio.Event()
                await self._added.wait()
            turn = self._next_turn(turn)
            await anyio.sleep_until(turn * self._tick)
            on_due(list(self._slots[turn % len(self._slots)]))

    def _next_turn(self, turn: int) -> int:
        """The first turn after `turn` whose slot holds a key."""
        count = len(self._slots)
        return next(turn + step for step in range(1, count + 1) if self._slots[(turn + step) % count])
