"""The file system of a container: the machine's own under a writable layer, with volumes mounted at their paths.

overlay   lower: /           what the machine has, read-only
          upper: LAYER/upper what the container writes
/proc     of the container's PID namespace
/dev /sys the machine's
other mounts of the machine, as they are
volumes, /etc/hosts, ...     bind mounts, made last
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from kcore.node.process.shim import linux
from kcore.node.process.shim.spec import Mount

__all__ = ["enter_new_root", "supported"]

MOST_LINKS = 40
_KERNELS_OWN = {"proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "mqueue", "tracefs", "debugfs", "bpf"}
_KERNELS_OWN |= {
    "securityfs",
    "pstore",
    "configfs",
    "fusectl",
    "hugetlbfs",
    "binfmt_misc",
    "autofs",
    "nsfs",
    "efivarfs",
}


def enter_new_root(layer: str, mounts: Iterable[Mount], read_only: bool) -> None:
    """Make the root of this process's mount namespace that of a container. The namespace must be its own."""
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    others = _other_mounts()
    root = _overlay(Path(layer))
    for path in others:
        _bind(path, f"{root}{path}", recursive=True)
    linux.mount("proc", f"{root}/proc", "proc")
    _bind("/sys", f"{root}/sys", recursive=True)
    _bind("/dev", f"{root}/dev", recursive=True)
    targets = [(mount, _target(root, mount)) for mount in sorted(mounts, key=lambda mount: mount.target.count("/"))]
    for mount, target in targets:
        _bind(mount.source, target)
        if mount.read_only:
            linux.mount("none", target, flags=linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY)
    if read_only:
        linux.mount("none", root, flags=linux.MS_REMOUNT | linux.MS_RDONLY)
    os.chdir(root)
    linux.pivot_root(".", ".")
    linux.umount(".", linux.MNT_DETACH)
    os.chdir("/")


def supported(folder: str) -> str:
    """Why containers cannot have file systems of their own with layers in `folder`; empty: they can."""
    reader, writer = os.pipe()
    try:
        with linux.new_pid_namespace():
            pid = os.fork()
            if pid == 0:
                _try_out(folder, writer)
    except OSError as error:
        return str(error)
    finally:
        os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader, "rb") as why:
        return why.read().decode()


def _try_out(folder: str, writer: int) -> NoReturn:
    try:
        linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC)
        enter_new_root(folder, (), read_only=False)
    except (OSError, KeyError) as error:
        os.write(writer, (str(error) or "?").encode())
    os._exit(0)


def _overlay(layer: Path) -> str:
    """Mount the writable layer over the machine's root; where its own disk cannot carry one, in memory."""
    for name in ("upper", "work", "root"):
        (layer / name).mkdir(parents=True, exist_ok=True)
    root = str(layer / "root")
    try:
        _mount_overlay(layer, root)
    except OSError:
        linux.mount("tmpfs", str(layer), "tmpfs")
        for name in ("upper", "work", "root"):
            (layer / name).mkdir()
        _mount_overlay(layer, root)
    return root


def _mount_overlay(layer: Path, root: str) -> None:
    linux.mount("overlay", root, "overlay", options=f"lowerdir=/,upperdir={layer}/upper,workdir={layer}/work")


def _other_mounts() -> list[str]:
    """Where the machine has file systems of its own beside the root: outermost ones only."""
    found: list[str] = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        path = before.split()[4].encode().decode("unicode_escape")
        if path != "/" and after.split()[0] not in _KERNELS_OWN and not path.startswith(("/proc/", "/sys/", "/dev/")):
            found.append(path)
    found.sort()
    return [p for p in found if not any(p != q and p.startswith(f"{q}/") for q in found)]


def _target(root: str, mount: Mount) -> str:
    """The place of a mount in the new root, made if it is not there: a folder for a folder, a file for a file."""
    target = _within(Path(root), mount.target)
    if Path(mount.source).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    return str(target)


def _within(root: Path, path: str) -> Path:
    """Where a path of the container is, with links followed as the container will: none leads out of its root."""
    place, left, links = root, [part for part in path.split("/") if part], 0
    while left:
        part = left.pop(0)
        if part == "..":
            place = place if place == root else place.parent
            continue
        place = place / part
        if place.is_symlink() and (links := links + 1) < MOST_LINKS:
            to = os.readlink(place)
            place = root if to.startswith("/") else place.parent
            left = [part for part in to.split("/") if part not in ("", ".")] + left
    return place


def _bind(source: str, target: str, *, recursive: bool = False) -> None:
    linux.mount(source, target, flags=linux.MS_BIND | (linux.MS_REC if recursive else 0))
