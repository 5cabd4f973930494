"""A program at a terminal: what a person types, and what stands on the screen."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Terminal", "at_terminal"]


class Terminal:
    def __init__(self, pid: int, fd: int) -> None:
        self.screen = ""
        self._pid = pid
        self._fd = fd

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self._pid, signal.SIGWINCH)

    def expect(self, text: str, seconds: float = 60) -> None:
        """Read until the screen shows the text."""
        deadline = time.monotonic() + seconds
        while text not in self.screen:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} is not on the screen: {self.screen!r}"
            assert self._read(left), f"the program ended without {text!r}: {self.screen!r}"

    def exit_code(self, seconds: float = 60) -> int:
        """Read to the end."""
        deadline = time.monotonic() + seconds
        while self._read(deadline - time.monotonic()):
            assert time.monotonic() < deadline, f"the program goes on: {self.screen!r}"
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _read(self, seconds: float) -> bool:
        if not select.select([self._fd], [], [], max(0.0, seconds))[0]:
            return True
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # how Linux tells that the other side of a terminal is closed
            return False
        self.screen += data.decode(errors="replace")
        return bool(data)


@contextlib.contextmanager
def at_terminal(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Terminal]:
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(command[0], list(command), dict(environment))
    try:
        yield Terminal(pid, fd)
    finally:
        os.close(fd)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
