"""How many durable creates does the store take, next to SQLite fed the same rows in transactions of a hundred?

500 concurrent callers create objects of 1.5 kB through the store alone; each is answered when its object is on disk.
Also how long one caller alone waits, and what remains on a loop that spends 150 us of its own on every create, as the
API server does: there the writer thread competes for the interpreter. (goal: 5,000 a second)
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio

from bench.serving import report
from kcore.store.embedded import EmbeddedStore
from kcore.store.sqlite import SqliteLog
from kcore.store.store import Forms, Put

CREATES = 20_000
CALLERS = 500
BODY = os.urandom(740).hex().encode()


class BytesCodec:
    """Objects are bytes already: what is measured is the store."""

    def stamp(self, key: str, obj: Any, revision: int) -> tuple[Any, bytes]:
        return obj, b'{"rv":%d,"body":"%b"}' % (revision, obj)

    def encode(self, obj: Any) -> bytes:
        return bytes(obj)

    def decode(self, key: str, data: bytes) -> Any:
        return data

    def rest(self, key: str, obj: Any) -> Forms:
        return Forms.BOTH

    def index(self, key: str, obj: Any) -> Sequence[tuple[str, str]]:
        return ()


def nothing() -> None:
    pass


def spin() -> None:
    end = time.perf_counter() + 150e-6
    while time.perf_counter() < end:
        pass


async def load(
    store: EmbeddedStore, namespace: str, creates: int, callers: int, work: Callable[[], None]
) -> list[float]:
    """Latencies of all creates; the last entry is the time that all took together."""
    numbers = iter(range(creates))
    latencies: list[float] = []

    async def call() -> None:
        for number in numbers:
            work()
            start = time.perf_counter()
            await store.commit(Put(f"pods/{namespace}/{number * 7919 % creates:05}", BODY, 0))
            latencies.append(time.perf_counter() - start)

    start = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(callers):
            tasks.start_soon(call)
    return [*latencies, time.perf_counter() - start]


def reference(directory: Path) -> float:
    """Rows a second into a bare table."""
    database = sqlite3.connect(directory / "bare.db", isolation_level=None)
    database.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE rows (key TEXT, data BLOB)"
    )
    start = time.perf_counter()
    for first in range(0, CREATES, 100):
        database.execute("BEGIN")
        database.executemany("INSERT INTO rows VALUES (?, ?)", [(f"pods/a/{first + n}", BODY) for n in range(100)])
        database.execute("COMMIT")
    seconds = time.perf_counter() - start
    database.close()
    return CREATES / seconds


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        store = EmbeddedStore(BytesCodec(), SqliteLog(directory / "store"))
        async with anyio.create_task_group() as tasks:
            await tasks.start(store.run)
            *single, _ = await load(store, "single", 500, 1, nothing)
            *many, many_seconds = await load(store, "many", CREATES, CALLERS, nothing)
            *busy, busy_seconds = await load(store, "busy", CREATES // 4, 32, spin)
            tasks.cancel_scope.cancel()
        bare = reference(directory)
    report(
        "store_commit",
        creates_per_second=round(CREATES / many_seconds),
        sqlite_rows_per_second=round(bare),
        ratio=round(CREATES / many_seconds / bare, 3),
        p99_ms=round(statistics.quantiles(many, n=100)[98] * 1e3, 1),
        alone_p50_us=round(statistics.median(single) * 1e6),
        busy_loop_creates_per_second=round(CREATES // 4 / busy_seconds),
        busy_loop_p50_ms=round(statistics.median(busy) * 1e3, 2),
        goal_creates_per_second=5_000,
    )


if __name__ == "__main__":
    anyio.run(main)
