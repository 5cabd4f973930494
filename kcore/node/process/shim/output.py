"""What a container writes: into its log file, rotated, and to everybody who is attached."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from kcore.node.log_format import log_lines, log_prefix

__all__ = ["LogFile", "Output"]

CHUNK = 65536
LONGEST_PIECE = 16384


class LogFile:
    """One attempt's log. Full, it is renamed to `NAME.TIME`, of which the newest few are kept."""

    def __init__(self, path: str, max_bytes: int, max_files: int) -> None:
        self._path = Path(path)
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("ab", buffering=0)
        self._size = self._path.stat().st_size
        self._rest: dict[str, bytes] = {}

    def write(self, stream: str, data: bytes) -> None:
        """Add output: whole lines at once; the beginning of one waits for its end, unless it is very long."""
        data = self._rest.pop(stream, b"") + data
        end = data.rfind(b"\n") + 1
        now = time.time()
        if end:
            self._append(log_lines(now, stream, data[:end]))
        rest = data[end:]
        while len(rest) > LONGEST_PIECE:
            self._append(log_prefix(now, stream) + b"P " + rest[:LONGEST_PIECE] + b"\n")
            rest = rest[LONGEST_PIECE:]
        if rest:
            self._rest[stream] = rest

    def close(self) -> None:
        for stream, rest in self._rest.items():
            self._append(log_lines(time.time(), stream, rest + b"\n"))
        self._file.close()

    def _append(self, data: bytes) -> None:
        self._size += len(data)
        while data:
            data = data[self._file.write(data) or 0 :]
        if self._size >= self._max_bytes:
            self._rotate()

    def _rotate(self) -> None:
        self._file.close()
        self._path.rename(f"{self._path}.{time.strftime('%Y%m%d-%H%M%S')}.{time.time_ns() % 10**9:09d}")
        self._file = self._path.open("ab", buffering=0)
        self._size = 0
        older = sorted(self._path.parent.glob(f"{self._path.name}.*"))
        for path in older[: max(0, len(older) - self._max_files + 1)]:
            path.unlink()


class Output:
    """One stream of a container, on its way from a pipe or terminal."""

    def __init__(self, fd: int, stream: str, log: LogFile | None) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.stream = stream
        self._log = log
        self._listeners: list[int] = []

    def listen(self) -> int:
        """A new pipe into which everything is copied from now on; the end to read from."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        self._listeners.append(writer)
        return reader

    def pump(self) -> bool:
        """Pass on what is there. False: there was nothing just now. Raises EOFError once nothing can come any more."""
        try:
            data = os.read(self.fd, CHUNK)
        except BlockingIOError:
            return False
        except OSError as error:  # a terminal that everybody has left
            raise EOFError from error
        if not data:
            raise EOFError
        try:
            if self._log is not None:
                self._log.write(self.stream, data)
        except OSError:  # a full disk must not stop the container
            self._log = None
        for listener in list(self._listeners):
            self._copy(listener, data)
        return True

    def drain(self) -> None:
        """Pass on what was written before the last writer ended."""
        with contextlib.suppress(EOFError):
            while self.pump():
                pass

    def close(self) -> None:
        for listener in self._listeners:
            os.close(listener)
        self._listeners.clear()
        os.close(self.fd)

    def _copy(self, listener: int, data: bytes) -> None:
        try:
            os.write(listener, data)
        except BlockingIOError:
            pass  # who does not read misses something, as with a terminal that was stopped; the container goes on
        except OSError:
            self._listeners.remove(listener)
            with contextlib.suppress(OSError):
                os.close(listener)
