"""Where events go, and the buffer before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any, Protocol

import anyio
import structlog
from anyio.abc import TaskStatus

__all__ = ["Buffered", "Sink"]

log = structlog.get_logger(__name__)


class Sink(Protocol):
    """Takes events away; may be slow."""

    async def write(self, events: Sequence[dict[str, Any]]) -> None: ...


class Buffered:
    """A sink with a buffer in front, so that no request waits for a disk or another host.

    Events are taken in batches: at once where `wait` is 0, else when there are `batch` of them or the oldest has waited
    for so long. Where the buffer is full, new events are lost, which is logged.
    """

    def __init__(self, sink: Sink, *, capacity: int, batch: int, wait: float = 0) -> None:
        self._sink = sink
        self._capacity = capacity
        self._batch = batch
        self._wait = wait
        self._events: deque[dict[str, Any]] = deque()
        self._lost = 0
        self._ready = anyio.Event()
        self._full = anyio.Event()

    def put(self, event: dict[str, Any]) -> None:
        if len(self._events) >= self._capacity:
            self._lost += 1
            return
        self._events.append(event)
        if not self._ready.is_set():
            self._ready.set()
        if len(self._events) >= self._batch and not self._full.is_set():
            self._full.set()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Until cancelled; what is left then is still written."""
        task_status.started()
        try:
            while True:
                await self._ready.wait()
                if self._wait:
                    with anyio.move_on_after(self._wait):
                        await self._full.wait()
                await self._drain()
        finally:
            with anyio.move_on_after(5, shield=True):
                await self._drain()

    async def _drain(self) -> None:
        self._ready, self._full = anyio.Event(), anyio.Event()
        while self._events:
            batch = list(islice(self._events, self._batch))
            await self._sink.write(batch)
            for _ in batch:  # only now, so that nothing is lost to a cancellation
                self._events.popleft()
        if self._lost:
            log.warning("audit events lost", count=self._lost)
            self._lost = 0
