"""File descriptors as byte streams: pipes, terminals, whatever the loop can wait for."""

from __future__ import annotations

import contextlib
import os

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream

__all__ = ["PipeReader", "PipeWriter"]


class PipeReader(ByteReceiveStream):
    """Owns `fd` and reads from it."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd

    async def receive(self, max_bytes: int = 65536) -> bytes:
        while self._fd >= 0:
            try:
                data = os.read(self._fd, max_bytes)
            except BlockingIOError:
                await anyio.wait_readable(self._fd)
                continue
            except OSError as error:  # a terminal that everybody has left
                raise anyio.EndOfStream from error
            if not data:
                raise anyio.EndOfStream
            return data
        raise anyio.ClosedResourceError

    async def aclose(self) -> None:
        self._fd = _close(self._fd)


class PipeWriter(ByteSendStream):
    """Owns `fd` and writes to it. `end_of_input`, for a terminal, is what closing it types."""

    def __init__(self, fd: int, end_of_input: bytes = b"") -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._end_of_input = end_of_input

    async def send(self, item: bytes) -> None:
        while item:
            if self._fd < 0:
                raise anyio.ClosedResourceError
            try:
                item = item[os.write(self._fd, item) :]
            except BlockingIOError:
                await anyio.wait_writable(self._fd)
            except OSError as error:
                raise anyio.BrokenResourceError from error

    async def aclose(self) -> None:
        if self._fd >= 0 and self._end_of_input:
            with contextlib.suppress(OSError):
                os.write(self._fd, self._end_of_input)
        self._fd = _close(self._fd)


def _close(fd: int) -> int:
    """Close a descriptor after whoever waits for it was told. Gives what stands for a closed one."""
    if fd >= 0:
        anyio.notify_closing(fd)
        os.close(fd)
    return -1
