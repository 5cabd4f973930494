"""What the door needs of the kubelets behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from anyio.abc import ByteStream

from kcore.api.core_v1 import Node, Pod
from kcore.registry.connecting.log_options import PodLogOptions

if TYPE_CHECKING:
    from kcore.server.streaming.remote_command import Execution

__all__ = ["Kubelets"]


class Kubelets(Protocol):
    """The kubelets of one process, each for its node. What can not be had raises an ApiError."""

    def nodes(self) -> Collection[str]:
        """The names of their nodes."""

    def node(self, name: str) -> Node | None:
        """The object of one of their nodes."""

    def pods(self, node: str) -> Sequence[Pod]:
        """The pods that a node is to run, static ones included."""

    def running_pods(self, node: str) -> Sequence[Pod]:
        """The pods that its runtime has containers of, with nothing but those."""

    def pod(self, namespace: str, name: str) -> Pod | None:
        """One of the pods of all their nodes."""

    def logs(self, pod: Pod, container: str, options: PodLogOptions) -> AsyncIterator[bytes]:
        """A container's log in chunks."""

    async def exec(self, pod: Pod, container: str, command: Sequence[str], *, stdin: bool, tty: bool) -> Execution:
        """Start a command in a container."""

    async def attach(self, pod: Pod, container: str, *, stdin: bool) -> Execution:
        """Join a container that runs."""

    async def dial(self, pod: Pod, port: int) -> ByteStream:
        """Connect to a port of a pod. Raises OSError as well."""

    async def summary(self, node: str) -> dict[str, Any]:
        """What a node and its pods use: the document of `/stats/summary`."""

    def probed(self, node: str) -> Iterable[tuple[Pod, tuple[str, str, bool], int]]:
        """How many answers probes were given: by pod, container, kind of probe, and whether they were good."""
