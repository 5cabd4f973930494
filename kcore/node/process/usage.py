"""What trees of processes use, and the machine as a whole, read from /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kcore.node.process.shim.linux import children_of
from kcore.node.runtime import ContainerUsage, NodeUsage

__all__ = ["Rates", "machine_usage", "tree_usage"]

_TICK_NANOSECONDS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
SHORTEST_SPAN = 1.0


def tree_usage(pid: int, started_at: float) -> ContainerUsage:
    """What a process and all below it use. CPU of those that have ended is in their parents' figures."""
    ticks = pages = count = 0
    for one in _tree(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            pages += int(Path(f"/proc/{one}/statm").read_text().split()[1])
        except OSError:
            continue
        # utime, stime, cutime, cstime: fields 14 to 17 of proc(5), of which the first two stand before what we split
        ticks += sum(int(field) for field in fields[11:15])
        count += 1
    memory = pages * _PAGE
    return ContainerUsage(0, memory, ticks * _TICK_NANOSECONDS, memory, processes=count, started_at=started_at)


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for child in children_of(pid):
        yield from _tree(child)


class Rates:
    """CPU per second from counters that only grow: what was used since the last look, a second ago or more."""

    class _Look(NamedTuple):
        at: float
        nanoseconds: int
        rate: int

    def __init__(self) -> None:
        self._looks: dict[str, Rates._Look] = {}

    def rate(self, key: str, nanoseconds: int, since: float) -> int:
        """Nanoseconds of CPU a second that `key`, which began at `since`, uses just now."""
        now = time.time()
        last = self._looks.get(key) or self._Look(since, 0, 0)
        if now - last.at < SHORTEST_SPAN and key in self._looks:
            return last.rate
        rate = max(0, round((nanoseconds - last.nanoseconds) / max(now - last.at, 0.01)))
        self._looks[key] = self._Look(now, nanoseconds, rate)
        return rate

    def forget(self, key: str) -> None:
        self._looks.pop(key, None)


def machine_usage(folder: Path) -> NodeUsage:
    """What this machine uses; disks are those that `folder` is on."""
    memory = {
        name: int(rest.split()[0]) * 1024
        for name, _, rest in (line.partition(":") for line in Path("/proc/meminfo").read_text().splitlines())
    }
    stat = {line.split()[0]: line.split()[1:] for line in Path("/proc/stat").read_text().splitlines() if line}
    busy = sum(int(stat["cpu"][index]) for index in (0, 1, 2, 5, 6, 7))
    disk = os.statvfs(folder)
    return NodeUsage(
        cpu_nanoseconds=busy * _TICK_NANOSECONDS,
        memory_bytes=memory["MemTotal"] - memory["MemAvailable"],
        memory_available_bytes=memory["MemAvailable"],
        disk_bytes=(disk.f_blocks - disk.f_bfree) * disk.f_frsize,
        disk_capacity_bytes=disk.f_blocks * disk.f_frsize,
        disk_available_bytes=disk.f_bavail * disk.f_frsize,
        processes=sum(1 for entry in os.scandir("/proc") if entry.name.isdigit()),
        booted_at=float(stat["btime"][0]),
    )
