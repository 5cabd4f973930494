"""What the nodes here and their pods use, measured every few seconds: what kcore serves as metrics.k8s.io.

Runtimes are asked in the background and answers kept, so that whoever wants to know is told at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import anyio
import anyio.lowlevel
from anyio.abc import TaskStatus

from kcore.api.core_v1 import Node, Pod
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.metrics_v1beta1 import ContainerMetrics, NodeMetrics, PodMetrics
from kcore.api.quantity import canonical
from kcore.api.timestamp import format_seconds
from kcore.client.informer import Informer
from kcore.kit.clock import Clock
from kcore.node.nodes import NodeKeeper, ServedNode
from kcore.node.pods import PodKeeper
from kcore.node.runtime import NotRunning, UnsupportedByRuntime

__all__ = ["UsageMeter"]

RESOLUTION = 5.0
MEASURED_A_SECOND = 500
"""Of more pods and nodes than this goes into the resolution, each is measured less often: a hundredth of a core must
do."""
AT_ONCE = 50
"""How many pods are asked about before others get their turn."""


class UsageMeter:
    """The last measurements of each node. A node that is no longer served is forgotten with its pods."""

    def __init__(self, informer: Informer[Node], nodes: NodeKeeper, pods: PodKeeper, clock: Clock) -> None:
        self._informer = informer
        self._nodes = nodes
        self._pods = pods
        self._clock = clock
        self._node_metrics: dict[str, NodeMetrics] = {}
        self._pod_metrics: dict[str, Sequence[PodMetrics]] = {}
        self._window = RESOLUTION

    def nodes(self) -> Iterable[NodeMetrics]:
        return self._node_metrics.values()

    def pods(self) -> Iterable[PodMetrics]:
        return (pod for pods in self._pod_metrics.values() for pod in pods)

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Measure until cancelled."""
        task_status.started()
        while True:
            await self._measure()
            measured = len(self._node_metrics) + sum(map(len, self._pod_metrics.values()))
            self._window = max(RESOLUTION, measured / MEASURED_A_SECOND)
            await anyio.sleep(self._window)

    async def _measure(self) -> None:
        served = [node for name in list(self._informer.values()) if (node := self._nodes.get(name.metadata.name))]
        for name in self._node_metrics.keys() - {node.name for node in served}:
            del self._node_metrics[name], self._pod_metrics[name]
        for node in served:
            await self._measure_node(node)

    async def _measure_node(self, node: ServedNode) -> None:
        now = format_seconds(self._clock.now())
        measured = []
        for number, pod in enumerate(self._pods.on_node(node.name)):
            if number % AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
            if pod.status.phase == "Running" and (metrics := await self._measure_pod(node, pod, now)) is not None:
                measured.append(metrics)
        try:
            used = await node.runtime.node_stats(node.name)
        except UnsupportedByRuntime:
            return
        found = self._informer.get(node.name)
        if found is not None:
            metadata = ObjectMeta(name=node.name, labels=found.metadata.labels, creation_timestamp=now)
            usage = _usage(used.cpu_nanocores, used.memory_bytes)
            self._node_metrics[node.name] = NodeMetrics(
                metadata=metadata, timestamp=now, window=f"{self._window:g}s", usage=usage
            )
            self._pod_metrics[node.name] = measured

    async def _measure_pod(self, node: ServedNode, pod: Pod, now: str) -> PodMetrics | None:
        try:
            used = await node.runtime.stats(pod.metadata.uid)
        except (NotRunning, UnsupportedByRuntime):
            return None
        containers = tuple(
            ContainerMetrics(name=name, usage=_usage(figures.cpu_nanocores, figures.memory_bytes))
            for name, figures in used.items()
        )
        if not containers:
            return None
        metadata = ObjectMeta(
            name=pod.metadata.name,
            namespace=pod.metadata.namespace,
            labels=pod.metadata.labels,
            creation_timestamp=now,
        )
        return PodMetrics(metadata=metadata, timestamp=now, window=f"{self._window:g}s", containers=containers)


@lru_cache(maxsize=1024)
def _usage(cpu_nanocores: int, memory_bytes: int) -> Mapping[str, str]:
    return {"cpu": canonical(f"{cpu_nanocores}n"), "memory": f"{memory_bytes // 1024}Ki"}
