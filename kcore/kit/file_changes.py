"""Being told at once when something changes in a folder, where the system can (Linux: inotify)."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

__all__ = ["FolderChanges", "watching"]

# IN_CLOSE_WRITE, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE: whatever may change what a reader finds.
_EVENTS = 0x8 | 0x40 | 0x80 | 0x100 | 0x200
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC


class FolderChanges:
    """What `watching` gives: `wait` returns when something has changed since the last wait, or after so long."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    async def wait(self, at_most: float) -> None:
        if self._fd is None:
            await anyio.sleep(at_most)
            return
        with anyio.move_on_after(at_most):
            await anyio.wait_readable(self._fd)
            os.read(self._fd, 65536)


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[FolderChanges]:
    """Notice changes in a folder for as long as the context lasts."""
    fd = _watch(folder)
    try:
        yield FolderChanges(fd)
    finally:
        if fd is not None:
            anyio.notify_closing(fd)
            os.close(fd)


def _watch(folder: Path) -> int | None:
    """An inotify descriptor; None where there is no such thing, or no such folder."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    fd: int = libc.inotify_init1(_NONBLOCK_CLOEXEC)
    if fd < 0:
        return None
    if libc.inotify_add_watch(fd, os.fsencode(folder), _EVENTS) < 0:
        os.close(fd)
        return None
    return fd
