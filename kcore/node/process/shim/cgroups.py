"""Limits that the kernel keeps: one cgroup a container, of whichever version the machine has, where we may write."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["Cgroup", "usable"]

ROOT = Path("/sys/fs/cgroup")
PARENT = "kcore"
PERIOD_MICROSECONDS = 100_000


def _unified() -> bool:
    return (ROOT / "cgroup.controllers").exists()


def _folders(name: str) -> list[Path]:
    if _unified():
        return [ROOT / PARENT / name]
    return [ROOT / controller / PARENT / name for controller in ("memory", "cpu")]


def usable() -> bool:
    """Whether cgroups can be made here."""
    try:
        for folder in _folders("probe"):
            folder.mkdir(parents=True, exist_ok=True)
            if _unified():
                (folder.parent / "cgroup.subtree_control").write_text("+memory +cpu")
            elif not (folder / "cgroup.procs").exists():
                return False
            folder.rmdir()
    except OSError:
        return False
    return True


class Cgroup:
    """The cgroup called `name`. Limits: `memory` in bytes, `cpu_millis` in thousandths of a core."""

    def __init__(self, name: str) -> None:
        self._folders = _folders(name)
        for folder in self._folders:
            folder.mkdir(parents=True, exist_ok=True)

    def enter(self) -> None:
        """Move this process in, and with it whatever it forks."""
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def limit(self, limits: dict[str, int]) -> None:
        memory, millis = limits.get("memory"), limits.get("cpu_millis")
        quota = millis * PERIOD_MICROSECONDS // 1000 if millis else None
        with contextlib.suppress(OSError):
            if _unified():
                (self._folders[0] / "memory.max").write_text(str(memory or "max"))
                (self._folders[0] / "cpu.max").write_text(f"{quota or 'max'} {PERIOD_MICROSECONDS}")
            else:
                (self._folders[0] / "memory.limit_in_bytes").write_text(str(memory or -1))
                (self._folders[1] / "cpu.cfs_quota_us").write_text(str(quota or -1))

    def out_of_memory(self) -> bool:
        """Whether the kernel has killed something in here for lack of memory."""
        file = self._folders[0] / ("memory.events" if _unified() else "memory.oom_control")
        try:
            counts = dict(line.split() for line in file.read_text().splitlines())
        except (OSError, ValueError):
            return False
        return int(counts.get("oom_kill", 0)) > 0

    def remove(self) -> None:
        for folder in self._folders:
            with contextlib.suppress(OSError):
                folder.rmdir()
