"""The queue between what changed and who mends it.

Its contract is that of client-go's workqueue: a key waits at most once however often it was added; two workers
never hold the same key; a key added while it is being worked on comes again afterwards; and what failed comes back
later and later. One thing is added: a key that was much work may be given a rest before it comes again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, NamedTuple, TypeVar

from kcore.kit.histogram import Histogram, exponential

__all__ = ["QueueStatistics", "WorkQueue"]

K = TypeVar("K")

FIRST_DELAY = 0.005
LONGEST_DELAY = 1000.0
BUCKETS = exponential(1e-8, 10, 12)
"""Upstream's, for both durations."""


class QueueStatistics(NamedTuple):
    """`waiting` are ready, `working` with a worker, `delayed` not due yet; `adds` and `retries` count since the start.
    `unfinished_seconds` is for how long the workers have been at it all together, `longest_seconds` the longest."""

    waiting: int
    working: int
    delayed: int
    adds: int
    retries: int
    unfinished_seconds: float
    longest_seconds: float


class WorkQueue(Generic[K]):
    """Keys to work on. `add*` may be called from anywhere on the loop; `get` and `done` are for workers."""

    def __init__(self, first_delay: float = FIRST_DELAY, longest_delay: float = LONGEST_DELAY) -> None:
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._ready: deque[tuple[K, float]] = deque()
        self._dirty: set[K] = set()
        self._working: dict[K, float] = {}
        """When a worker took each."""
        self._resting: dict[K, asyncio.TimerHandle] = {}
        self._delayed: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._idle: deque[asyncio.Future[None]] = deque()
        self._adds = 0
        self._retries = 0
        self.waited = Histogram(BUCKETS)
        """For how many seconds keys were ready before a worker took them."""
        self.worked = Histogram(BUCKETS)
        """How many seconds the workers took."""

    def add(self, key: K) -> None:
        """Have `key` worked on soon."""
        if key in self._dirty:
            return
        self._adds += 1
        self._dirty.add(key)
        if key not in self._working and key not in self._resting:
            self._enqueue(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Have `key` worked on in `seconds`; of several delays of a key the earliest holds."""
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        earlier = self._delayed.get(key)
        if earlier is not None:
            if earlier.when() <= due:
                return
            earlier.cancel()
        self._delayed[key] = loop.call_at(due, self._due, key)

    def add_rate_limited(self, key: K) -> None:
        """Have `key` worked on again after a failure: 5 ms, 10 ms, 20 ms, ... until `forget`."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self._retries += 1
        self.add_after(key, min(self._first_delay * 2.0 ** min(failures, 60), self._longest_delay))

    def forget(self, key: K) -> None:
        """`key` went well: its next failure is its first."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """How often `key` failed in a row."""
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """Wait for a key and take it; `done` must follow."""
        while not self._ready:
            waiter = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                self._pass_on(waiter)
                raise
        key, since = self._ready.popleft()
        now = asyncio.get_running_loop().time()
        self.waited.observe(now - since)
        self._dirty.discard(key)
        self._working[key] = now
        return key

    def done(self, key: K, rest: float = 0.0) -> None:
        """The worker has finished with `key`, which is to be left alone for `rest` seconds whatever is added."""
        loop = asyncio.get_running_loop()
        self.worked.observe(loop.time() - self._working.pop(key))
        if rest > 0:
            self._resting[key] = loop.call_later(rest, self._rested, key)
        elif key in self._dirty:
            self._enqueue(key)

    def statistics(self) -> QueueStatistics:
        now = asyncio.get_running_loop().time()
        under_way = [now - since for since in self._working.values()]
        return QueueStatistics(
            waiting=len(self._ready),
            working=len(under_way),
            delayed=len(self._delayed) + len(self._dirty & self._resting.keys()),
            adds=self._adds,
            retries=self._retries,
            unfinished_seconds=sum(under_way),
            longest_seconds=max(under_way, default=0.0),
        )

    def _due(self, key: K) -> None:
        del self._delayed[key]
        self.add(key)

    def _rested(self, key: K) -> None:
        del self._resting[key]
        if key in self._dirty:
            self._enqueue(key)

    def _enqueue(self, key: K) -> None:
        self._ready.append((key, asyncio.get_running_loop().time()))
        self._wake_one()

    def _wake_one(self) -> None:
        while self._idle:
            waiter = self._idle.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _pass_on(self, waiter: asyncio.Future[None]) -> None:
        """A worker that is cancelled after it was woken wakes another in its place."""
        if waiter.done() and not waiter.cancelled() and self._ready:
            self._wake_one()
