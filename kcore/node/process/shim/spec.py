"""What a container is, as the shim is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["Command", "Container", "Mount"]


class Mount(NamedTuple):
    """`source` of the machine appears at `target` in the container."""

    source: str
    target: str
    read_only: bool = False


class Command(NamedTuple):
    """What to execute, as whom and where. `uid` None: as the shim itself."""

    argv: Sequence[str]
    env: Mapping[str, str]
    rlimits: Mapping[str, Sequence[int]]
    cwd: str = ""
    uid: int | None = None
    gid: int | None = None
    groups: Sequence[int] = ()
    no_new_privileges: bool = False


class Container(NamedTuple):
    """`layer` is the folder for what the container writes outside its volumes; `labels` are the caller's own notes."""

    id: str
    command: Command
    layer: str = ""
    mounts: Sequence[Mount] = ()
    hostname: str = ""
    read_only_root: bool = False
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    log_path: str = ""
    log_max_bytes: int = 10 * 2**20
    log_max_files: int = 5
    cgroup: str = ""
    moved: Sequence[str] = ()
    """Paths that were rewritten, for whoever asks; see the kubelet's `relocation.py`."""
    labels: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def of(cls, tree: dict[str, Any]) -> Container:
        """From what came over the socket."""
        fields = {**tree, "command": Command(**tree["command"])}
        return cls(**{**fields, "mounts": [Mount(*mount) for mount in tree.get("mounts", [])]})
