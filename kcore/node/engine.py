"""The kubelet of every node in the process: one engine, one informer on nodes and one on pods, a few workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
from anyio.abc import TaskStatus

from kcore.api.core_v1 import Node, Pod
from kcore.client.client import Client
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers
from kcore.kit.clock import Chance, Clock
from kcore.node.addresses import AddressRange, NodeRanges
from kcore.node.api import KubeletApi
from kcore.node.nodes import NodeKeeper
from kcore.node.options import NodeOptions
from kcore.node.pods import PodKeeper
from kcore.node.registration import NodeShape
from kcore.node.runtime import Runtime
from kcore.node.runtimes import ProcessOptions, new_runtime
from kcore.node.usage import UsageMeter

__all__ = ["LOOPBACK_HOSTS", "KubeletEngine", "KubeletOptions", "api_server_variables"]

LOOPBACK_HOSTS = "127.127.0.0/16"
"""Where nodes get their addresses whose pods are processes of this machine."""


@dataclass(frozen=True, slots=True)
class KubeletOptions:
    """How many nodes to register, what they are, and where their addresses come from."""

    nodes: int = 3
    name_prefix: str = "node-"
    shape: NodeShape = field(default_factory=NodeShape)
    cluster_cidr: str = "10.244.0.0/16"
    host_cidr: str = "172.18.0.0/16"
    node: NodeOptions = field(default_factory=NodeOptions)
    start_seconds: float = 0.05
    """How long a fake container takes to start."""
    process: ProcessOptions | None = None
    """With them, nodes may have the runtime `process` as well."""

    def for_processes(
        self, folder: Path, *, linger_seconds: float, stop_at_end: bool = True, variables: Mapping[str, str]
    ) -> KubeletOptions:
        """The same for nodes whose pods are processes of this machine."""
        process = ProcessOptions(folder, self.node.images_file, linger_seconds, stop_at_end, variables)
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
            )
            for name in names
        }
        ranges = NodeRanges(options.cluster_cidr)
        if options.nodes > ranges.capacity:
            raise ValueError(
                f"the cluster CIDR {options.cluster_cidr} has room for {ranges.capacity} nodes, not {options.nodes}"
            )
        self._node_informer = informers.of(Node)
        self._pod_informer = informers.of(Pod)
        hosts = AddressRange(options.host_cidr)
        self.nodes = NodeKeeper(
            client, self._node_informer, events, clock, self._runtimes, options.shape, ranges, hosts
        )
        self.pods = PodKeeper(client, self._pod_informer, events, clock, self.nodes)
        self.usage = UsageMeter(self._node_informer, self.nodes, self.pods, clock)
        self.api = KubeletApi(self.nodes, self.pods, self._node_informer, clock)
        """What its kubelets can be asked."""

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Serve until cancelled. Started once its own nodes are registered."""
        options = self._options
        async with anyio.create_task_group() as tasks:
            for runtime in self._runtimes.values():
                await tasks.start(runtime.run, self.pods.runtime_changed)
            await self._node_informer.wait_synced()
            await self._pod_informer.wait_synced()
            self.nodes.start(tasks, self.pods.node_served, self.pods.node_dropped)
            self.pods.start(tasks)
            names = [f"{options.name_prefix}{number}" for number in range(options.nodes)]
            await self.nodes.register(names, options.node.runtime)
            await tasks.start(self.usage.run)
            task_status.started()
