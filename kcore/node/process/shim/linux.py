"""The system calls that Python has no names for."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "CLONE_NEWIPC",
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUTS",
    "MNT_DETACH",
    "MS_BIND",
    "MS_PRIVATE",
    "MS_RDONLY",
    "MS_REC",
    "MS_REMOUNT",
    "adopt_orphans",
    "children_of",
    "die_with_parent",
    "forbid_new_privileges",
    "mount",
    "new_pid_namespace",
    "pivot_root",
    "set_hostname",
    "setns",
    "umount",
    "unshare",
]

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID = 0x20000, 0x4000000, 0x8000000, 0x20000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    _check(_libc.setns(fd, kind), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    encoded = (source.encode(), target.encode(), kind.encode() or None)
    _check(_libc.mount(*encoded, ctypes.c_ulong(flags), options.encode() or None), f"mount {source} on {target}")


def umount(target: str, flags: int = 0) -> None:
    _check(_libc.umount2(target.encode(), flags), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    number = _SYS_PIVOT_ROOT[os.uname().machine]
    _check(_libc.syscall(number, new.encode(), old.encode()), "pivot_root")


@contextmanager
def new_pid_namespace() -> Iterator[None]:
    """Have the next fork be process 1 of a namespace, and those after it not."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    try:
        unshare(CLONE_NEWPID)
        yield
        setns(own, CLONE_NEWPID)
    finally:
        os.close(own)


def set_hostname(name: str) -> None:
    encoded = name.encode()
    _check(_libc.sethostname(encoded, len(encoded)), "sethostname")


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process a signal when its parent is gone."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal_number), "prctl")


def adopt_orphans() -> None:
    """Become the parent of whatever loses its parent below this process."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1), "prctl")


def forbid_new_privileges() -> None:
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def children_of(pid: int | str = "self") -> list[int]:
    """The processes that have `pid` for a parent, zombies included."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    except OSError:
        pass
    return found
