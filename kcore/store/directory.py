"""The data directory: one process at a time, and a note of how far its log must reach."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from kcore.store.store import StoreUnavailable

__all__ = ["DataDirectory"]


class DataDirectory:
    """Locked from construction to `close`; a killed process lets go of the lock by itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mark = -1
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            self._take()
            self._mark = os.open(self.mark, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self.close()
            raise self._unusable(error) from error
        except StoreUnavailable:
            self.close()
            raise

    @property
    def mark(self) -> Path:
        """The file with the newest revision whose durability anyone was told of.

        It is written without a flush, hence may lag behind after a power cut, but never runs ahead of the log: a log
        that ends before it has been damaged from outside, even if what is left of it looks sound.
        """
        return self.path / "acknowledged"

    def acknowledged(self) -> int:
        return int(os.pread(self._mark, 32, 0) or b"0")

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

    def _unusable(self, error: OSError) -> StoreUnavailable:
        return StoreUnavailable(
            f"the data directory {self.path} can not be used: {error.strerror}. "
            "Make it a directory that this user may write to, or choose another one"
        )
