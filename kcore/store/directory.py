"""The data directory: one process at a time, and a note of how far its log must reach."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from kcore.store.store import StoreUnavailable

__all__ = ["DataDirectory"]


class DataDirectory:
    """Locked from construction to `close`; a killed process lets go of the lock by itself.

    What it holds is for its owner's eyes only: the log has every Secret in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark = -1
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = self._private("lock")
        except OSError as error:
            raise self._unusable(error) from error
        try:
            self._take()
            self._mark = self._private(self.mark.name)
            os.close(self._private(self.log.name))
        except OSError as error:
            self.close()
            raise self._unusable(error) from error
        except StoreUnavailable:
            self.close()
            raise

    @property
    def log(self) -> Path:
        return self.path / "log.db"

    @property
    def mark(self) -> Path:
        """The file with the newest revision whose durability anyone was told of.

        It is written without a flush, hence may lag behind after a power cut, but never runs ahead of the log: a log
        that ends before it has been damaged from outside, even if what is left of it looks sound.
        """
        return self.path / "acknowledged"

    def acknowledged(self) -> int:
        digits = os.pread(self._mark, 32, 0)
        return int(digits) if digits.isdigit() else 0  # a power cut may leave a file of zero bytes

    def acknowledge(self, revision: int) -> None:
        with suppress(OSError):  # the log is what counts
            os.pwrite(self._mark, b"%020d" % revision, 0)

    def close(self) -> None:
        for descriptor in (self._mark, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._mark = self._lock = -1

    def _take(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._lock, 32, 0).decode() or "unknown"
            raise StoreUnavailable(
                f"the data directory {self.path} is in use by process {owner}: stop that, or choose another directory"
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)

    def _private(self, name: str) -> int:
        return os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _unusable(self, error: OSError) -> StoreUnavailable:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "Free some space" if full else "Make it a directory that this user may write to"
        return StoreUnavailable(
            f"the data directory {self.path} can not be used: {error.strerror}. {advice}, or choose another one"
        )
