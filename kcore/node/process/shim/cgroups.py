"""Limits that the kernel keeps: one cgroup a container, of whichever version the machine has, where we may write.

Version 2 has one tree: root uses its top, others the nearest cgroup above their own that was given to them (as systemd
gives each user one). One that has processes in it cannot pass its controllers on, so their own as a rule is none.
"""

from __future__ import annotations

import contextlib
import os
import sys
from functools import lru_cache
from pathlib import Path

__all__ = ["Cgroup", "unified_parent", "usable"]

ROOT = Path("/sys/fs/cgroup")
PARENT = "kcore"
PERIOD_MICROSECONDS = 100_000


def _unified() -> bool:
    return (ROOT / "cgroup.controllers").exists()


def unified_parent(root: Path, own: str) -> Path | None:
    """The folder for cgroups of version 2 with memory and cpu to limit, if this process, which is in `own`, may have
    one in the tree at `root`."""
    here = root / own.strip("/")
    above = [folder for folder in (here, *here.parents) if folder.is_relative_to(root)]
    return next((folder / PARENT for folder in (root, *above) if _passes_on(folder)), None)


def _passes_on(folder: Path) -> bool:
    """Whether a cgroup has given its controllers to a folder of ours and to what will be in there."""
    ours = folder / PARENT
    try:
        passed = (folder / "cgroup.subtree_control").read_text().split()
        if not {"memory", "cpu"} <= {*passed}:
            (folder / "cgroup.subtree_control").write_text("+memory +cpu")
        ours.mkdir(exist_ok=True)
        (ours / "cgroup.subtree_control").write_text("+memory +cpu")
        # Who moves a process has to be allowed to write where the ways of both cgroups part.
        return os.access(folder / "cgroup.procs", os.W_OK)
    except OSError:
        return False


@lru_cache(maxsize=1)
def _parent() -> Path | None:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            return unified_parent(ROOT, line[3:])
    return None


def _folders(name: str) -> list[Path]:
    if _unified():
        parent = _parent()
        return [parent / name] if parent is not None else []
    return [ROOT / controller / PARENT / name for controller in ("memory", "cpu")]


def usable() -> bool:
    """Whether cgroups can be made here."""
    try:
        folders = _folders("probe")
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / "cgroup.procs").exists():
                return False
            folder.rmdir()
    except OSError:
        return False
    return bool(folders)


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
        if _unified():
            _write(self._folders[0] / "memory.max", str(memory or "max"))
            _write(self._folders[0] / "cpu.max", f"{quota or 'max'} {PERIOD_MICROSECONDS}")
        else:
            _write(self._folders[0] / "memory.limit_in_bytes", str(memory or -1))
            _write(self._folders[1] / "cpu.cfs_quota_us", str(quota or -1))

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


def _write(file: Path, text: str) -> None:
    """A limit that the kernel does not take does not hold up the others, but is told of."""
    try:
        file.write_text(text)
    except OSError as error:
        sys.stderr.write(f"limit {text!r} is not kept: {error}\n")
