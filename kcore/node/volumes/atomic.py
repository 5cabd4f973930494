"""Files that change all at once: readers see the old set or the new one, never some of each.

..2026_11_28_09_00_00.123456789/   the files themselves
..data -> ..2026_11_28_...         replaced by one rename
app.conf -> ..data/app.conf        what a container opens
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["File", "write_atomically"]

DATA = "..data"


class File(NamedTuple):
    data: bytes
    mode: int = 0o644


def write_atomically(folder: Path, files: Mapping[str, File], group: int | None = None) -> bool:
    """Make `files`, by their path in `folder`, all that is there. False: they were already. Blocks."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / DATA
    if link.is_symlink() and _holds(link, files):
        return False
    now = time.time_ns()
    stamp = time.strftime("..%Y_%m_%d_%H_%M_%S", time.gmtime(now // 10**9))
    fresh = folder / f"{stamp}.{now % 10**9:09d}"
    fresh.mkdir(mode=0o755)
    for path, file in files.items():
        _write(fresh / path, file, group)
    old = folder / os.readlink(link) if link.is_symlink() else None
    temporary = folder / "..data_tmp"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(fresh.name)
    temporary.rename(link)
    _show(folder, {path.split("/")[0] for path in files})
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
    return True


def _holds(link: Path, files: Mapping[str, File]) -> bool:
    found = {str(path.relative_to(link)): path for path in link.rglob("*") if path.is_file()}
    return found.keys() == files.keys() and all(
        path.read_bytes() == files[name].data and path.stat().st_mode & 0o777 == files[name].mode & 0o777
        for name, path in found.items()
    )


def _write(path: Path, file: File, group: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.data)
    mode = file.mode
    if group is not None and os.geteuid() == 0:
        os.chown(path, -1, group)
        mode |= 0o040
    path.chmod(mode)


def _show(folder: Path, names: set[str]) -> None:
    """Links to what is there, and none to what is not."""
    for name in names:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"{DATA}/{name}")
    for entry in folder.iterdir():
        if entry.is_symlink() and entry.name not in names and not entry.name.startswith(".."):
            entry.unlink()
