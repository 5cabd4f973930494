"""Reading log files while they are written: from the end, by chunks, following over rotations."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
from anyio.to_thread import run_sync

from kcore.node.logs import LogFilter
from kcore.node.runtime import LogOptions

__all__ = ["read_log"]

CHUNK = 1 << 18
PAUSE = 0.05
"""How long a follower rests at the end of a file."""


class _Reader:
    """One open log file. Only whole lines are read."""

    def __init__(self, path: Path, tail_lines: int | None) -> None:
        self._path = path
        self._file = path.open("rb", buffering=0)
        if tail_lines is not None:
            self._file.seek(_tail_offset(self._file.fileno(), tail_lines))
        self._rest = b""

    def read(self) -> bytes:
        data = self._file.read(CHUNK) or b""
        end = data.rfind(b"\n") + 1
        if not end:
            self._rest += data
            return b""
        lines, self._rest = self._rest + data[:end], data[end:]
        return lines

    def was_rotated(self) -> bool:
        """Whether the file of that name is another one by now."""
        try:
            return os.fstat(self._file.fileno()).st_ino != self._path.stat().st_ino
        except FileNotFoundError:
            return False  # between two files; the next look will tell

    def close(self) -> None:
        self._file.close()


async def read_log(path: Path, options: LogOptions, still_written: Callable[[], bool]) -> AsyncIterator[bytes]:
    """What was asked for of a log. A follower stops when nobody writes any more. Raises FileNotFoundError."""
    narrowed = LogFilter(options)
    reader = await run_sync(_Reader, path, options.tail_lines)
    try:
        while not narrowed.full:
            ended = not still_written()
            if lines := await run_sync(reader.read):
                if chunk := narrowed(lines):
                    yield chunk
            elif await run_sync(reader.was_rotated):
                reader.close()
                reader = await run_sync(_Reader, path, None)
            elif not options.follow or ended:
                return
            else:
                await anyio.sleep(PAUSE)
    finally:
        reader.close()


def _tail_offset(fd: int, lines: int) -> int:
    """Where the last `lines` lines of a file begin."""
    position = os.fstat(fd).st_size
    if lines <= 0:
        return position
    wanted = lines + 1  # the newline that ends the line before them
    while position > 0:
        size = min(CHUNK, position)
        block = os.pread(fd, size, position - size)
        found = block.count(b"\n")
        if found >= wanted:
            for _ in range(wanted):
                end = block.rindex(b"\n")
                block = block[:end]
            return position - size + len(block) + 1
        wanted -= found
        position -= size
    return 0
