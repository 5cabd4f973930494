"""What kubelets can be asked: their pods, logs and figures, and the way into containers.

The HTTP door stands before it. Words and codes are those of upstream's kubelet, so that clients read what they know.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from typing import Any

from anyio.abc import ByteStream

from kcore.api.core_v1 import ContainerStatus, Node, Pod, PodSpec, PodStatus
from kcore.api.errors import BadRequest, InternalError
from kcore.api.field import quote
from kcore.api.meta_v1 import ObjectMeta
from kcore.client.informer import Informer
from kcore.kit.clock import Clock
from kcore.node.local_pod import LocalPod
from kcore.node.nodes import NodeKeeper
from kcore.node.pods import PodKeeper
from kcore.node.runtime import Execution, LogOptions, NotRunning, UnsupportedByRuntime
from kcore.node.summary import summary
from kcore.registry.connecting.log_options import PodLogOptions

__all__ = ["KubeletApi", "why_no_log"]

_NO_IMAGE = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


class KubeletApi:
    """Of all the kubelets of a process."""

    def __init__(self, nodes: NodeKeeper, pods: PodKeeper, node_informer: Informer[Node], clock: Clock) -> None:
        self._nodes = nodes
        self._pods = pods
        self._node_informer = node_informer
        self._clock = clock

    def nodes(self) -> Collection[str]:
        return self._nodes.names()

    def node(self, name: str) -> Node | None:
        return self._node_informer.get(name) if self._nodes.get(name) is not None else None

    def pods(self, node: str) -> Sequence[Pod]:
        return self._pods.on_node(node)

    def running_pods(self, node: str) -> Sequence[Pod]:
        return [bare for pod in self._pods.on_node(node) if (bare := self._running(pod)) is not None]

    def pod(self, namespace: str, name: str) -> Pod | None:
        return self._pods.object(namespace, name)

    def logs(self, pod: Pod, container: str, options: PodLogOptions) -> AsyncIterator[bytes]:
        if why := why_no_log(pod, container, previous=options.previous):
            raise BadRequest(why)
        local = self._local(pod, container)
        wanted = LogOptions(
            follow=options.follow,
            previous=options.previous,
            since=self._since(options),
            tail_lines=options.tail_lines,
            limit_bytes=options.limit_bytes,
            timestamps=options.timestamps,
        )
        return _told(local.node.runtime.logs(local.uid, container, wanted))

    async def exec(self, pod: Pod, container: str, command: Sequence[str], *, stdin: bool, tty: bool) -> Execution:
        local = self._local(pod, container)
        if not command:
            raise BadRequest("a command must be specified")
        try:
            return await local.node.runtime.exec(local.uid, container, command, stdin=stdin, tty=tty)
        except (NotRunning, UnsupportedByRuntime) as error:
            raise InternalError(str(error)) from error

    async def attach(self, pod: Pod, container: str, *, stdin: bool) -> Execution:
        local = self._local(pod, container)
        try:
            return await local.node.runtime.attach(local.uid, container, stdin=stdin)
        except (NotRunning, UnsupportedByRuntime) as error:
            raise InternalError(str(error)) from error

    async def dial(self, pod: Pod, port: int) -> ByteStream:
        local = self._local(pod, "")
        try:
            return await local.node.runtime.dial(local.uid, port)
        except (NotRunning, UnsupportedByRuntime) as error:
            raise InternalError(str(error)) from error

    async def summary(self, node: str) -> dict[str, Any]:
        served = self._nodes[node]
        pods = [pod for pod in self._pods.on_node(node) if self._pods.local(pod.metadata.uid) is not None]
        usage = {pod.metadata.uid: await served.runtime.stats(pod.metadata.uid) for pod in pods}
        return summary(node, pods, usage, await served.runtime.node_stats(node), self._clock.now())

    def probed(self, node: str) -> Iterator[tuple[Pod, tuple[str, str, bool], int]]:
        for pod in self._pods.on_node(node):
            counts = self._nodes[node].runtime.probed(pod.metadata.uid)
            yield from ((pod, answered, count) for answered, count in counts.items())

    def _local(self, pod: Pod, container: str) -> LocalPod:
        local = self._pods.local(pod.metadata.uid)
        if local is None:
            raise InternalError(f"container not found ({quote(container)})" if container else "pod not found")
        return local

    def _since(self, options: PodLogOptions) -> float | None:
        if options.since_seconds is not None:
            return self._clock.now() - options.since_seconds
        return options.since_time

    def _running(self, pod: Pod) -> Pod | None:
        """A pod as its runtime knows it: who it is, and which containers there are."""
        local = self._pods.local(pod.metadata.uid)
        if local is None:
            return None
        known = local.node.runtime.state(local.uid).containers
        containers = tuple(
            type(c)(name=c.name, image=c.image)
            for c in pod.spec.containers
            if c.name in known and known[c.name].running
        )
        metadata = ObjectMeta(name=pod.metadata.name, namespace=pod.metadata.namespace, uid=pod.metadata.uid)
        return Pod(metadata=metadata, spec=PodSpec(containers=containers), status=PodStatus()) if containers else None


def why_no_log(pod: Pod, container: str, *, previous: bool) -> str:
    """Why there is no log of a container, by what its status says; empty where there should be one."""
    named = f"container {quote(container)} in pod {quote(pod.metadata.name)}"
    status = _status(pod.status, container)
    if status is None:
        return f"{named} is not available"
    last, state = status.last_state.terminated, status.state
    if previous:
        return "" if last is not None and last.container_id else f"previous terminated {named} not found"
    if state.running is not None:
        return ""
    ended = [ended for ended in (state.terminated, last) if ended is not None]
    if ended:
        return "" if any(e.container_id for e in ended) else f"{named} is terminated"
    if state.waiting is not None:
        reason = state.waiting.reason
        return f"{named} is waiting to start: {_NO_IMAGE.get(reason, reason)}"
    return f"{named} is waiting to start - no logs yet"


def _status(status: PodStatus, container: str) -> ContainerStatus | None:
    lists = (status.container_statuses, status.init_container_statuses, status.ephemeral_container_statuses)
    return next((s for statuses in lists for s in statuses if s.name == container), None)


async def _told(log: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A log whose absence is an answer."""
    try:
        async for piece in log:
            yield piece
    except (NotRunning, UnsupportedByRuntime) as error:
        raise BadRequest(str(error)) from error
