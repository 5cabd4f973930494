"""Where containers cannot have a file system of their own: mounts under a folder, and paths rewritten to lead there.

The container's root is a folder that holds a symbolic link for each mount, at the mount's path. Its name is in the
environment as CONTAINER_SANDBOX_MOUNT_POINT, as in Windows' host process containers, and command, arguments, working
directory and environment that name a mount's path are rewritten. What a program has built in, it does not find.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from kcore.node.cri import ContainerConfig, Mount

__all__ = ["MOUNT_POINT", "link_mounts", "relocate", "relocate_command"]

MOUNT_POINT = "CONTAINER_SANDBOX_MOUNT_POINT"


def relocate(config: ContainerConfig, root: Path) -> ContainerConfig:
    """`config` with every mention of a mount's path led into `root`."""
    moved = _mover([mount.container_path for mount in config.mounts], root)
    return config._replace(
        command=[moved(word) for word in config.command],
        env={**{name: moved(value) for name, value in config.env.items()}, MOUNT_POINT: str(root)},
        working_dir=moved(config.working_dir),
        mounts=(),
    )


def relocate_command(command: Sequence[str], paths: Sequence[str], root: Path) -> Sequence[str]:
    """The same for a command inside a container whose mounts are at `paths`."""
    moved = _mover(paths, root)
    return [moved(word) for word in command]


def _mover(paths: Sequence[str], root: Path) -> Callable[[str], str]:
    longest_first = sorted((path.rstrip("/") for path in paths), key=len, reverse=True)
    if not longest_first:
        return lambda text: text
    pattern = re.compile(r"(?<![\w./-])({})(?![\w.-])".format("|".join(map(re.escape, longest_first))))
    return lambda text: pattern.sub(lambda found: f"{root}{found[1]}", text)


def link_mounts(mounts: Sequence[Mount], root: Path) -> None:
    """Make the folder of a container. Of mounts inside one another, the outer one is a folder of links itself."""
    for mount in sorted(mounts, key=lambda mount: mount.container_path.count("/")):
        place = root / mount.container_path.strip("/")
        for parent in reversed(place.relative_to(root).parents):
            if (root / parent).is_symlink():
                _unfold(root / parent)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_symlink() and not place.exists():
            place.symlink_to(mount.host_path)


def _unfold(link: Path) -> None:
    """Turn a link to a folder into a folder of links to what is in it."""
    target = link.resolve()
    link.unlink()
    link.mkdir()
    for child in target.iterdir():
        (link / child.name).symlink_to(child)
