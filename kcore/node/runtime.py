"""What runs containers: the Protocol between the kubelet and a runtime, and what a runtime reports.

The shape follows the CRI and the kubelet's event generator. Commands return at once; the runtime does the work in
its own time, keeps a `RuntimeState` for each pod, and calls back whenever that has changed. So one kubelet serves a
runtime whose containers are records in memory, processes of this machine, or containers of a Docker daemon.

What somebody waits for (exec, attach, logs, a connection, figures) is asked with `await` instead, and raises
`NotRunning` or `UnsupportedByRuntime` where there is nothing to give.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from anyio.abc import ByteReceiveStream, ByteSendStream, ByteStream, TaskStatus

from kcore.api.core_v1 import Container, EphemeralContainer, Pod, ResourceRequirements, Volume

__all__ = [
    "HEALTHY",
    "NOTHING",
    "AnyContainer",
    "ContainerRecord",
    "ContainerUsage",
    "Execution",
    "Health",
    "Image",
    "LogOptions",
    "NodeUsage",
    "NotRunning",
    "OnRuntimeChange",
    "Runtime",
    "RuntimeState",
    "Sandbox",
    "UnsupportedByRuntime",
]

AnyContainer = Container | EphemeralContainer


class Sandbox(NamedTuple):
    """What a pod's containers share: a network namespace and its address. It can be used once it is `ready`."""

    id: str
    ip: str
    created_at: float
    ready: bool = True


class Image(NamedTuple):
    """An image as a pod asked for it. `id` is empty while it is pulled, and after a pull that failed with `error`;
    `reason` is what a container that waits for it reports then."""

    id: str = ""
    size_bytes: int = 0
    was_present: bool = False
    started_at: float = 0.0
    finished_at: float = 0.0
    error: str = ""
    failures: int = 0
    reason: str = "ErrImagePull"


class Health(NamedTuple):
    """What the probes of a running container say. `live` False asks for its end; `message` tells why."""

    started: bool = True
    ready: bool = True
    live: bool = True
    message: str = ""


HEALTHY = Health()
"""A container without probes: started, ready and alive for as long as it runs."""


class ContainerRecord(NamedTuple):
    """One attempt at a container: created, then running from `started_at`, then exited at `finished_at`.

    `crashes` counts the exits that the back-off of the next start goes by; `stop_by` is when it will be killed, set
    once it was told to stop. `reason` is empty where the exit code says it all. An attempt that failed before it could
    run has `finished_at` and a reason, but no `started_at`.
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
    image: str = ""
    reason: str = ""
    health: Health = HEALTHY
    resources: ResourceRequirements | None = None
    """With which it runs; None: those of its container."""

    @property
    def running(self) -> bool:
        return bool(self.started_at) and not self.finished_at

    @property
    def exited(self) -> bool:
        return bool(self.started_at and self.finished_at)

    @property
    def failed_to_start(self) -> bool:
        return bool(self.finished_at) and not self.started_at


class RuntimeState(NamedTuple):
    """All that a runtime knows of a pod: images by their name in the pod, the last attempt at each container, and the
    attempt before it."""

    sandbox: Sandbox | None = None
    images: Mapping[str, Image] = {}
    containers: Mapping[str, ContainerRecord] = {}
    previous: Mapping[str, ContainerRecord] = {}
    volumes: Mapping[str, Image] = {}
    """The images that volumes show, by their names in the pod."""
    evicted: str = ""
    """Why the pod may not go on, if it has used more than it may."""


NOTHING = RuntimeState()


class ContainerUsage(NamedTuple):
    """What a running container uses: CPU just now and since it started, and memory that it could not give back."""

    cpu_nanocores: int
    memory_bytes: int
    cpu_nanoseconds: int = 0
    resident_bytes: int = 0
    disk_bytes: int = 0
    log_bytes: int = 0
    processes: int = 1
    started_at: float = 0.0


class NodeUsage(NamedTuple):
    """What a whole node uses, and what there is."""

    cpu_nanocores: int = 0
    cpu_nanoseconds: int = 0
    memory_bytes: int = 0
    memory_available_bytes: int = 0
    disk_bytes: int = 0
    disk_capacity_bytes: int = 0
    disk_available_bytes: int = 0
    processes: int = 0
    booted_at: float = 0.0


class LogOptions(NamedTuple):
    """What of a log is wanted; times in seconds since the epoch."""

    follow: bool = False
    previous: bool = False
    since: float | None = None
    tail_lines: int | None = None
    limit_bytes: int | None = None
    timestamps: bool = False
    stream: str = "All"
    """`All`, `Stdout` or `Stderr`."""


OnRuntimeChange = Callable[[str], None]
"""Called with the uid of a pod whose state has changed."""


class UnsupportedByRuntime(Exception):
    """The runtime has no such thing; the message says why."""


class NotRunning(Exception):
    """The container that this needs is not there or does not run; the message says which."""


class Execution(Protocol):
    """A command on its way inside a container, or the container itself where somebody is attached to it.

    Whoever asked for it closes it: that ends a command, and leaves an attached container alone.
    """

    @property
    def stdin(self) -> ByteSendStream | None:
        """Where to write; None if nobody asked for it. Closing it is the end of the input."""

    @property
    def stdout(self) -> ByteReceiveStream:
        """What comes out; with a terminal, errors as well."""

    @property
    def stderr(self) -> ByteReceiveStream | None:
        """None with a terminal."""

    async def wait(self) -> int:
        """The exit code, once there is one; 128 and the signal for one that was killed."""

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has changed its size; nothing happens where there is none."""

    async def aclose(self) -> None:
        """Let go of the streams, and kill the command if it still runs."""


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

    def uids(self) -> Collection[str]:
        """The pods that there is something of, those that an earlier process left included."""

    def recover(self, pod: Pod) -> None:
        """Find again what an earlier process left of a pod that has been started before."""

    def run_sandbox(self, pod: Pod, ip: str) -> None:
        """Make the sandbox of a pod, at `ip` where the runtime does not choose addresses itself."""

    def pull_image(self, pod: Pod, container: AnyContainer) -> None:
        """Have a container's image on the node, by its pull policy."""

    def pull_volume(self, pod: Pod, volume: Volume) -> None:
        """Have the image on the node that a volume shows, by the volume's pull policy."""

    def start_container(self, pod: Pod, container: AnyContainer, restart_count: int, crashes: int) -> None:
        """Create and start a new attempt at a container whose image is there."""

    def stop_container(self, uid: str, name: str, by: float) -> None:
        """Ask a container to end, and kill it at the time `by`."""

    def stop_sandbox(self, uid: str) -> None:
        """Take down the sandbox of a pod none of whose containers runs."""

    def forget(self, uid: str) -> None:
        """Remove all that is left of a pod, running or not."""

    def update_pod(self, pod: Pod) -> None:
        """A newer version of a pod that has a sandbox: what may change while it runs (resources, mounted data)."""

    def images(self, node: str) -> Sequence[tuple[str, Image]]:
        """The images that a node has, by name."""

    async def exec(
        self, uid: str, container: str, command: Sequence[str], *, stdin: bool = False, tty: bool = False
    ) -> Execution:
        """Start a command inside a running container."""

    async def attach(self, uid: str, container: str, *, stdin: bool = False) -> Execution:
        """Listen to a running container, and speak to it if it was made with `stdin`."""

    def logs(self, uid: str, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        """What a container has written, in chunks of whole lines. Raises NotRunning if there never was one."""

    async def dial(self, uid: str, port: int) -> ByteStream:
        """A connection to a port of a pod. Raises OSError as connecting does."""

    async def stats(self, uid: str) -> Mapping[str, ContainerUsage]:
        """What the running containers of a pod use."""

    def probed(self, uid: str) -> Mapping[tuple[str, str, bool], int]:
        """How many answers a pod's probes were given: by container, kind of probe, and whether they were good."""

    async def node_stats(self, node: str) -> NodeUsage:
        """What a node uses as a whole."""
