"""What runs containers: the Protocol between the kubelet and a runtime, and what a runtime reports.

The shape follows the CRI and the kubelet's event generator. Commands return at once; the runtime does the work in
its own time, keeps a `RuntimeState` for each pod, and calls back whenever that has changed. So one kubelet serves a
runtime whose containers are records in memory, processes of this machine, or containers of a Docker daemon.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from anyio.abc import ByteReceiveStream, ByteSendStream, TaskStatus

from kcore.api.core_v1 import Container, EphemeralContainer, Pod

__all__ = [
    "NOTHING",
    "AnyContainer",
    "ContainerRecord",
    "ContainerUsage",
    "Execution",
    "Image",
    "OnRuntimeChange",
    "Runtime",
    "RuntimeState",
    "Sandbox",
    "UnsupportedByRuntime",
]

AnyContainer = Container | EphemeralContainer


class Sandbox(NamedTuple):
    """What a pod's containers share: a network namespace and its address."""

    id: str
    ip: str
    created_at: float


class Image(NamedTuple):
    """An image as a pod asked for it. `id` is empty while it is pulled, and after a pull that failed with `error`."""

    id: str = ""
    size_bytes: int = 0
    was_present: bool = False
    started_at: float = 0.0
    finished_at: float = 0.0
    error: str = ""
    failures: int = 0


class ContainerRecord(NamedTuple):
    """One attempt at a container: created, then running from `started_at`, then exited at `finished_at`.

    `crashes` counts the exits that the back-off of the next start goes by; `stop_by` is when it will be killed, set
    once it was told to stop.
    """

    name: str
    id: str
    image_id: str
    restart_count: int = 0
    crashes: int = 0
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    signal: int = 0
    message: str = ""
    stop_by: float | None = None

    @property
    def running(self) -> bool:
        return bool(self.started_at) and not self.finished_at

    @property
    def exited(self) -> bool:
        return bool(self.finished_at)


class RuntimeState(NamedTuple):
    """All that a runtime knows of a pod: images by their name in the pod, the last attempt at each container, and
    the attempt before it."""

    sandbox: Sandbox | None = None
    images: Mapping[str, Image] = {}
    containers: Mapping[str, ContainerRecord] = {}
    previous: Mapping[str, ContainerRecord] = {}


NOTHING = RuntimeState()


class ContainerUsage(NamedTuple):
    cpu_nanocores: int
    memory_bytes: int


OnRuntimeChange = Callable[[str], None]
"""Called with the uid of a pod whose state has changed."""


class UnsupportedByRuntime(Exception):
    """The runtime has no such thing; the message says why."""


class Execution(Protocol):
    """A command on its way."""

    async def wait(self) -> int:
        """The exit code."""

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has changed its size."""


class Runtime(Protocol):
    """One way to run containers, for all nodes that use it."""

    version: str
    """What nodes report as `containerRuntimeVersion`, and the scheme of container IDs before `://`."""

    editable: bool
    """Whether what others write into a pod's status stands until there is something new to report. A runtime that
    knows better writes over it, as a kubelet does; one that only pretends lets users play with readiness."""

    async def run(self, on_change: OnRuntimeChange, *, task_status: TaskStatus[None]) -> None:
        """Do the work that commands ask for, until cancelled."""

    def state(self, uid: str) -> RuntimeState:
        """What there is of a pod; `NOTHING` for one it has not heard of."""

    def recover(self, pod: Pod) -> None:
        """Find again what an earlier process left of a pod that has been started before."""

    def run_sandbox(self, pod: Pod, ip: str) -> None:
        """Make the sandbox of a pod, at `ip` where the runtime does not choose addresses itself."""

    def pull_image(self, pod: Pod, container: AnyContainer) -> None:
        """Have a container's image on the node, by its pull policy."""

    def start_container(self, pod: Pod, container: AnyContainer, restart_count: int, crashes: int) -> None:
        """Create and start a new attempt at a container whose image is there."""

    def stop_container(self, uid: str, name: str, by: float) -> None:
        """Ask a container to end, and kill it at the time `by`."""

    def stop_sandbox(self, uid: str) -> None:
        """Take down the sandbox of a pod none of whose containers runs."""

    def forget(self, uid: str) -> None:
        """Remove all that is left of a pod, running or not."""

    def exec(
        self,
        uid: str,
        container: str,
        command: Sequence[str],
        stdin: ByteReceiveStream | None,
        stdout: ByteSendStream,
        stderr: ByteSendStream | None,
    ) -> Execution:
        """A command inside a running container."""

    def logs(self, uid: str, container: str, *, previous: bool = False, follow: bool = False) -> AsyncIterator[bytes]:
        """What a container has written, a line at a time, each with its time in front."""

    def stats(self, uid: str) -> Mapping[str, ContainerUsage]:
        """What the running containers of a pod use just now."""
