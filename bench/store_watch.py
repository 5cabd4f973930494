"""What does the store spend on handing one event to one watcher, next to a queue for each watcher?

200 creates reach 1,000 watchers of one namespace, who take their batches without a task of their own, as the HTTP
server does; then 5,000 watches narrowed to a node each, of which every event concerns one. The reference puts the same
events into 1,000 deques and takes them out again. Time is the loop's CPU, less that of the commits with nobody
watching. (goal: 0.5 us a delivered event)
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
import anyio.lowlevel

from bench.serving import report
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog
from kcore.store.store import Event, Forms, Put

WATCHERS = 1_000
KUBELETS = 5_000
CREATES = 200
ROUNDS = 5


class NodeCodec:
    def stamp(self, key: str, obj: Any, revision: int) -> tuple[Any, bytes]:
        return obj, b"{}"

    def encode(self, obj: Any) -> bytes:
        return b"{}"

    def decode(self, key: str, data: bytes) -> Any:
        return data

    def rest(self, key: str, obj: Any) -> Forms:
        return Forms.BOTH

    def index(self, key: str, obj: Any) -> Sequence[tuple[str, str]]:
        return (("spec.nodeName", obj),)


class Reader:
    """Takes what is ready whenever it is told to."""

    def __init__(self, store: EmbeddedStore, prefix: str, index: tuple[str, str] | None = None) -> None:
        self.taken = 0
        self.channel = store.watch(prefix, since=store.revision, index=index)
        self.channel.on_ready(self.take)

    def take(self) -> None:
        self.taken += len(self.channel.take_nowait())


async def creates(store: EmbeddedStore, per_turn: int) -> float:
    """CPU seconds for all creates and what they set off, with so many of them in each turn of the loop."""
    start = time.process_time()
    for number in range(CREATES):
        await store.commit(Put(f"pods/a/{number}", f"node-{number}"))
        if number % per_turn == per_turn - 1:
            await anyio.lowlevel.checkpoint()
    await anyio.lowlevel.checkpoint()
    return time.process_time() - start


async def watched(readers: int, per_turn: int, *, by_node: bool = False) -> float:
    store = EmbeddedStore(NodeCodec(), MemoryLog())
    await creates(store, per_turn)
    alone = await creates(store, per_turn)
    index = [("spec.nodeName", f"node-{n}") if by_node else None for n in range(readers)]
    listeners = [Reader(store, "pods/a/", value) for value in index]
    seconds = await creates(store, per_turn)
    assert sum(listener.taken for listener in listeners) == (CREATES if by_node else CREATES * readers)
    return max(seconds - alone, 1e-9)


async def queued(per_turn: int) -> float:
    store = EmbeddedStore(NodeCodec(), MemoryLog())
    await creates(store, 1)
    events = store.watch("pods/", since=1).take_nowait()
    queues: list[deque[Event]] = [deque() for _ in range(WATCHERS)]
    taken = 0
    start = time.process_time()
    for first in range(0, CREATES, per_turn):
        for event in events[first : first + per_turn]:
            for queue in queues:
                queue.append(event)
        for queue in queues:
            while queue:
                queue.popleft()
                taken += 1
    assert taken == CREATES * WATCHERS
    return time.process_time() - start


async def median(measure: Callable[[], Awaitable[float]]) -> float:
    return statistics.median([await measure() for _ in range(ROUNDS)])


async def main() -> None:
    delivered = CREATES * WATCHERS
    batched = await median(lambda: watched(WATCHERS, 10))
    single = await median(lambda: watched(WATCHERS, 1))
    queues = await median(lambda: queued(10))
    kubelets = await median(lambda: watched(KUBELETS, 1, by_node=True))
    report(
        "store_watch",
        us_per_delivered_event=round(batched / delivered * 1e6, 4),
        queue_us_per_event=round(queues / delivered * 1e6, 4),
        ratio=round(queues / batched, 2),
        unbatched_us_per_delivered_event=round(single / delivered * 1e6, 4),
        us_per_event_for_5000_kubelets=round(kubelets / CREATES * 1e6, 2),
        goal_us=0.5,
    )


if __name__ == "__main__":
    anyio.run(main)
