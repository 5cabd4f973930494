"""What runs real containers, as the kubelet asks for it: the Container Runtime Interface with kcore's words.

`KubeRuntime` turns what a pod wants into these plain requests; a runtime knows of images, sandboxes, containers and
nothing of Kubernetes. A Docker daemon's API offers the same verbs. Whatever fails raises `CriError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from anyio.abc import ByteStream, TaskStatus

from kcore.node.runtime import ContainerUsage, Execution, NodeUsage

__all__ = [
    "ContainerConfig",
    "ContainerInfo",
    "CriError",
    "ImageInfo",
    "Limits",
    "Mount",
    "OnExit",
    "RuntimeService",
    "SandboxConfig",
    "User",
]


class CriError(Exception):
    """A request that failed; the message is for the pod's status."""


class ImageInfo(NamedTuple):
    """An image that is here, and what it says of how to run it. Without a `command` it cannot run by itself."""

    id: str
    size_bytes: int = 0
    command: Sequence[str] = ()
    args: Sequence[str] = ()
    env: Mapping[str, str] = MappingProxyType({})
    working_dir: str = ""
    was_present: bool = False
    root: Path | None = None
    """The folder of what it holds, where that can be shown as a volume."""


class Mount(NamedTuple):
    host_path: Path
    container_path: str
    read_only: bool = False


class User(NamedTuple):
    """Whom to run as; None: as the runtime pleases."""

    uid: int | None = None
    gid: int | None = None
    groups: Sequence[int] = ()


class Limits(NamedTuple):
    """What a container may use; None: as much as there is."""

    cpu_millis: int | None = None
    memory_bytes: int | None = None


class SandboxConfig(NamedTuple):
    """What the containers of a pod share. `ip` is where the runtime does not choose addresses itself."""

    uid: str
    namespace: str
    name: str
    hostname: str
    ip: str
    host_network: bool = False


class ContainerConfig(NamedTuple):
    """One attempt at a container. `labels` are kept and given back with it, also to a kubelet that starts later."""

    pod_uid: str
    name: str
    attempt: int
    image: str
    command: Sequence[str]
    env: Mapping[str, str]
    log_path: Path
    working_dir: str = ""
    mounts: Sequence[Mount] = ()
    hostname: str = ""
    user: User = User()
    limits: Limits = Limits()
    limitable: bool = False
    """Whether limits may come while it runs."""
    stdin: bool = False
    stdin_once: bool = False
    """Whether the input ends with the first who was attached to it."""
    tty: bool = False
    read_only_root: bool = False
    no_new_privileges: bool = False
    labels: Mapping[str, str] = MappingProxyType({})


class ContainerInfo(NamedTuple):
    """A container that there is. `finished_at` 0: it runs."""

    id: str
    labels: Mapping[str, str]
    started_at: float
    finished_at: float = 0.0
    exit_code: int = 0
    reason: str = ""


OnExit = Callable[[ContainerInfo], None]


class RuntimeService(Protocol):
    """A runtime on this machine."""

    version: str
    """As nodes report it: `NAME://VERSION`."""

    async def run(self, on_exit: OnExit, *, task_status: TaskStatus[None]) -> None:
        """Serve until cancelled; containers may outlive that. `on_exit` learns of each that ends."""

    async def containers(self) -> Sequence[ContainerInfo]:
        """All that there are, those that an earlier kubelet started included."""

    async def run_sandbox(self, config: SandboxConfig) -> str:
        """Make a pod's sandbox. Gives its address."""

    async def remove_sandbox(self, uid: str) -> None:
        """Take it down, with all containers in it."""

    async def pull_image(self, image: str, *, use_present: bool) -> ImageInfo:
        """Have an image here; with `use_present` whatever is here already will do."""

    async def start_container(self, config: ContainerConfig) -> ContainerInfo:
        """Create and start a container in its pod's sandbox."""

    async def signal_container(self, id: str, signal: int) -> None:
        """Send a signal; nothing happens if the container has ended."""

    async def remove_container(self, id: str) -> None:
        """Forget a container that has ended."""

    async def limit_container(self, id: str, limits: Limits) -> None:
        """Change what a running container may use."""

    async def exec(self, id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> Execution:
        """Start a command in a container."""

    async def attach(self, id: str, *, stdin: bool) -> Execution:
        """Listen to a container, and speak to it."""

    async def dial(self, uid: str, ip: str, port: int) -> ByteStream:
        """Connect to a port in a sandbox. Raises OSError."""

    async def stats(self, ids: Sequence[str]) -> Mapping[str, ContainerUsage]:
        """What running containers use."""

    async def node_stats(self) -> NodeUsage:
        """What the machine uses."""
