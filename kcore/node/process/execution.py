"""A command in a container, or a container somebody is attached to, as streams over the shim's descriptors."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from collections.abc import Awaitable, Callable

from anyio.abc import ByteReceiveStream, ByteSendStream

from kcore.kit.pipes import PipeReader, PipeWriter

__all__ = ["ShimExecution"]

END_OF_INPUT = b"\x04"


class _Input(PipeWriter):
    """Standard input, whose end others may have to know as well."""

    def __init__(self, fd: int, *, tty: bool, at_end: Callable[[], Awaitable[None]] | None) -> None:
        super().__init__(fd, END_OF_INPUT if tty else b"")
        self._at_end = at_end

    async def aclose(self) -> None:
        await super().aclose()
        if self._at_end is not None:
            at_end, self._at_end = self._at_end, None
            await at_end()


class ShimExecution:
    """`fds` are those the shim gave: output, errors (without a terminal), input if there is any, the terminal."""

    def __init__(
        self,
        fds: list[int],
        *,
        stdin: bool,
        tty: bool,
        wait: Callable[[], Awaitable[int]],
        close: Callable[[], Awaitable[None]],
        end_input: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        given = iter(fds)
        self.stdout: ByteReceiveStream = PipeReader(next(given))
        self.stderr: ByteReceiveStream | None = None if tty else PipeReader(next(given))
        fd = next(given) if stdin else None
        self.stdin: ByteSendStream | None = _Input(fd, tty=tty, at_end=end_input) if fd is not None else None
        self._terminal = next(given) if tty else None
        self._wait = wait
        self._close = close

    async def wait(self) -> int:
        return await self._wait()

    def resize(self, columns: int, rows: int) -> None:
        if self._terminal is not None:
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    async def aclose(self) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                await stream.aclose()
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None
        await self._close()
