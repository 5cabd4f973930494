"""The kubelet of every node in the process: one engine, one informer on nodes and one on pods, a few workers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskStatus

from kcore.api.core_v1 import Node, Pod
from kcore.client.client import Client
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informer, Informers
from kcore.kit.clock import Chance, Clock
from kcore.kit.service import Service
from kcore.node.addresses import AddressRange, NodeRanges, SoleAddress
from kcore.node.api import KubeletApi
from kcore.node.nodes import NodeKeeper
from kcore.node.options import NodeOptions, parse_labels, parse_taints
from kcore.node.pods import PodKeeper
from kcore.node.registration import NodeProfile, NodeShape
from kcore.node.runtime import Runtime
from kcore.node.runtimes import ProcessOptions, new_runtime
from kcore.node.sources.files import FileSource
from kcore.node.sources.urls import UrlSource
from kcore.node.stages.engine import StageEngine
from kcore.node.usage import UsageMeter

__all__ = ["LOOPBACK_HOSTS", "KubeletEngine", "KubeletOptions", "api_server_variables"]

LOOPBACK_HOSTS = "127.127.0.0/16"
"""Where nodes get their addresses whose pods are processes of this machine."""


STATIC_PODS_WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class KubeletOptions:
    """How many nodes to register, what they are, and where their addresses come from."""

    nodes: int = 3
    name_prefix: str = "node-"
    shape: NodeShape = field(default_factory=NodeShape)
    cluster_cidr: str = "10.244.0.0/16"
    host_cidr: str = "172.18.0.0/16"
    node: NodeOptions = field(default_factory=NodeOptions)
    host_address: str = ""
    """What nodes that have the process to themselves say is theirs."""
    start_seconds: float = 0.0
    """How long a fake container takes to start."""
    process: ProcessOptions | None = None
    """With them, nodes may have the runtime `process` as well."""
    stand_alone: bool = False
    """Whether these nodes have the process to themselves: it leaves all others alone."""

    @property
    def node_selector(self) -> str:
        """Which nodes concern this process."""
        return f"metadata.name={self.name_prefix}" if self.stand_alone else ""

    @property
    def pod_selector(self) -> str:
        """Which pods concern this process."""
        return f"spec.nodeName={self.name_prefix}" if self.stand_alone else ""

    def names(self) -> Sequence[str]:
        """Of the nodes that this process brings along."""
        if self.stand_alone:
            return [self.name_prefix]
        return [f"{self.name_prefix}{number}" for number in range(self.nodes)]

    def profile(self) -> NodeProfile:
        node = self.node
        shape = NodeShape.of_machine() if node.runtime == "process" else self.shape
        return NodeProfile(
            shape.with_capacity(node.capacity()),
            parse_labels(node.node_labels),
            parse_taints(node.register_with_taints),
            node.cloud_provider,
            annotated=not self.stand_alone,
        )

    def for_processes(self, process: ProcessOptions) -> KubeletOptions:
        """The same for nodes whose pods are processes of this machine."""
        return replace(self, process=process, host_cidr=LOOPBACK_HOSTS)


def api_server_variables(host: str, port: int) -> Mapping[str, str]:
    """Where programs in pods look for the API server."""
    number = str(port)
    return {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": number,
        "KUBERNETES_SERVICE_PORT_HTTPS": number,
    }


class KubeletEngine:
    """Serves all nodes that it registers, and all that carry an annotation naming one of its runtimes."""

    def __init__(
        self,
        client: Client,
        informers: Informers,
        events: EventBroadcaster,
        clock: Clock,
        chance: Chance,
        options: KubeletOptions | None = None,
        runtimes: Mapping[str, Runtime] | None = None,
    ) -> None:
        self._options = options = options or KubeletOptions()
        names = ("fake",) if options.process is None else ("fake", "process")
        self._runtimes = runtimes or {
            name: new_runtime(
                name,
                client,
                informers,
                events,
                clock,
                chance,
                start_seconds=options.start_seconds,
                process=options.process,
                node=options.name_prefix if options.stand_alone else "",
            )
            for name in names
        }
        ranges = NodeRanges(options.cluster_cidr)
        if options.nodes > ranges.capacity:
            raise ValueError(
                f"the cluster CIDR {options.cluster_cidr} has room for {ranges.capacity} nodes, not {options.nodes}"
            )
        self._node_informer = informers.of(Node, field_selector=options.node_selector)
        self._pod_informer = informers.of(Pod, field_selector=options.pod_selector)
        hosts = AddressRange(options.host_cidr) if not options.host_address else SoleAddress(options.host_address)
        self.nodes = NodeKeeper(
            client,
            self._node_informer,
            events,
            clock,
            self._runtimes,
            options.profile(),
            ranges,
            hosts,
            status_seconds=options.node.node_status_update_frequency,
            own=dict.fromkeys(options.names(), options.node.runtime) if options.stand_alone else None,
        )
        self.pods = PodKeeper(client, self._pod_informer, events, clock, self.nodes)
        self.nodes.on_shortage = self.pods.node_short
        self.nodes.on_found = self.pods.node_found
        self._sources = list(self._static_sources(clock))
        self._unread = {"file" if isinstance(source, FileSource) else "http" for source in self._sources}
        self.pods.static.complete = not self._sources
        objects: Mapping[str, Informer[Any]] = {"Node": self._node_informer, "Pod": self._pod_informer}
        self.stages = StageEngine(client, informers, events, clock, chance, self.nodes, objects)
        self.nodes.is_scripted = lambda: self.stages.drives("Node")
        self.pods.is_scripted = lambda: self.stages.drives("Pod")
        self.stages.on_change = self.pods.look_at_all
        self.usage = UsageMeter(self._node_informer, self.nodes, self.pods, clock)
        self.api = KubeletApi(self.nodes, self.pods, self._node_informer, clock)
        """What its kubelets can be asked."""

    def _static_sources(self, clock: Clock) -> Iterator[Service]:
        """Where the first node gets static pods from."""
        node, names = self._options.node, self._options.names()
        if not names:
            return
        if node.pod_manifest_path is not None:
            take = partial(self._take, "file")
            yield FileSource(node.pod_manifest_path, names[0], node.file_check_frequency, clock, take)
        if node.manifest_url:
            take = partial(self._take, "http")
            url, every = node.manifest_url, node.http_check_frequency
            yield UrlSource(url, node.headers(), names[0], every, clock, take)

    def _take(self, source: str, pods: Sequence[Pod]) -> None:
        self.pods.static.take(source, pods)
        self._unread.discard(source)
        self.pods.static.complete = not self._unread

    async def _await_server(self) -> None:
        """Wait until the API server has told of nodes and pods. Static pods wait for it no longer than a moment."""
        if self._options.stand_alone and self._sources:
            with anyio.move_on_after(STATIC_PODS_WAIT_SECONDS):
                await self._wait_synced()
                return
            for name in self._options.names():
                self.pods.node_served(self.nodes.serve_alone(name, self._options.node.runtime))
        await self._wait_synced()

    async def _wait_synced(self) -> None:
        await self._node_informer.wait_synced()
        await self._pod_informer.wait_synced()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Serve until cancelled. Started once its own nodes are registered."""
        options = self._options
        async with anyio.create_task_group() as tasks:
            for runtime in self._runtimes.values():
                await tasks.start(runtime.run, self.pods.runtime_changed)
            self.pods.start(tasks)
            for source in self._sources:
                await tasks.start(source.run)
            await self._await_server()
            self.nodes.start(tasks, self.pods.node_served, self.pods.node_dropped)
            self.pods.follow()
            if options.node.register_node:
                await self.nodes.register(options.names(), options.node.runtime)
            await tasks.start(self.stages.run)
            await tasks.start(self.usage.run)
            task_status.started()
