"""A process that writes to a store under load and says of every write that it was acknowledged.

`python -m tests.store.writer DIRECTORY ROUND [FILE_BYTES_MAX]`: one line on standard output for each acknowledged
write, `KEY REVISION DATA`, or `KEY REVISION -` for a deletion, written to the pipe before the next write of that key
begins. With FILE_BYTES_MAX, no file may grow beyond it, as on a full disk; the writer stops at the first refusal, says
`refused MESSAGE`, lifts the limit, writes once more and ends.
"""

from __future__ import annotations

import os
import random
import resource
import sys

import anyio
import structlog

from kcore.store.embedded import EmbeddedStore
from kcore.store.history import Window
from kcore.store.sqlite import SqliteLog
from kcore.store.store import Record, StoreUnavailable
from tests.store.objects import TreeCodec, delete, put

WRITERS = 24
KEYS_EACH = 8


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def write(store: EmbeddedStore, key: str, chance: random.Random) -> None:
    standing: Record | None = store.get(key)
    expected = standing.revision if standing else 0
    if standing and chance.random() < 0.2:
        (record,) = await store.commit(delete(key, expected=expected))
        say(f"{key} {record.revision} -")
    else:
        (record,) = await store.commit(put(key, expected=expected, pad="x" * chance.randrange(3_000)))
        say(f"{key} {record.revision} {record.data.decode().replace(' ', '')}")


async def write_forever(store: EmbeddedStore, number: int, chance: random.Random) -> None:
    while True:
        await write(store, f"pods/writer-{number}/{chance.randrange(KEYS_EACH)}", chance)


async def main(directory: str, seed: int, file_bytes_max: int) -> None:
    store = EmbeddedStore(TreeCodec(), SqliteLog(directory), history=Window(events=500))
    if file_bytes_max:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, resource.RLIM_INFINITY))
    async with anyio.create_task_group() as services:
        await services.start(store.run)
        try:
            async with anyio.create_task_group() as writers:
                for number in range(WRITERS):
                    writers.start_soon(write_forever, store, number, random.Random(seed * WRITERS + number))
        except* StoreUnavailable as group:
            say(f"refused {group.exceptions[0]}")
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            await write(store, "pods/afterwards/x", random.Random(seed))
        services.cancel_scope.cancel()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    anyio.run(main, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
