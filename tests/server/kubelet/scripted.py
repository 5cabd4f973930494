"""Kubelets of a test: nodes and pods as given, commands and ports as scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Any

import anyio
import msgspec
from anyio.abc import ByteStream

from kcore.api.core_v1 import Node, Pod
from kcore.api.errors import BadRequest, InternalError
from kcore.registry.connecting.log_options import PodLogOptions
from tests.server.streaming.talking import Command

__all__ = ["ScriptedKubelets", "node", "pod"]


def node(name: str, *, ip: str = "10.1.0.1", port: int = 0) -> dict[str, Any]:
    status = {
        "addresses": [{"type": "InternalIP", "address": ip}],
        "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}


def pod(name: str, *containers: str, node: str = "n1", ip: str = "10.0.0.5", port: int = 0) -> dict[str, Any]:
    ports = [{"containerPort": port}] if port else []
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {
            "nodeName": node,
            "containers": [{"name": c, "image": "x", "ports": ports} for c in containers or ("app",)],
        },
        "status": {"podIP": ip, "podIPs": [{"ip": ip}]},
    }


class ScriptedKubelets:
    """`asked` notes what was wanted of them."""

    def __init__(self, *nodes: dict[str, Any], pods: Sequence[dict[str, Any]] = ()) -> None:
        self._nodes = {n["metadata"]["name"]: msgspec.convert(n, Node) for n in nodes}
        self._pods = {p["metadata"]["name"]: msgspec.convert(p, Pod) for p in pods}
        self.command: Command | Exception = Command(b"out", b"err", 3)
        self.log: list[bytes] | Exception = [b"one\n", b"two\n"]
        self.endless = False
        self.log_ended = anyio.Event()
        self.target = 0
        self.asked: list[tuple[Any, ...]] = []

    def nodes(self) -> Collection[str]:
        return self._nodes.keys()

    def node(self, name: str) -> Node | None:
        return self._nodes.get(name)

    def pods(self, node: str) -> Sequence[Pod]:
        return [pod for pod in self._pods.values() if pod.spec.node_name == node]

    def running_pods(self, node: str) -> Sequence[Pod]:
        return self.pods(node)[:1]

    def pod(self, namespace: str, name: str) -> Pod | None:
        return self._pods.get(name) if namespace == "default" else None

    async def logs(self, pod: Pod, container: str, options: PodLogOptions) -> AsyncIterator[bytes]:
        self.asked.append((container, options))
        if isinstance(self.log, Exception):
            raise self.log
        try:
            for piece in self.log:
                yield piece
            if self.endless:
                await anyio.sleep_forever()
        finally:
            self.log_ended.set()

    async def exec(self, pod: Pod, container: str, command: Sequence[str], *, stdin: bool, tty: bool) -> Command:
        self.asked.append((container, *command, stdin, tty))
        if isinstance(self.command, Exception):
            raise self.command
        return self.command

    async def attach(self, pod: Pod, container: str, *, stdin: bool) -> Command:
        return await self.exec(pod, container, (), stdin=stdin, tty=False)

    async def dial(self, pod: Pod, port: int) -> ByteStream:
        self.asked.append((pod.metadata.name, port))
        if not self.target:
            raise ConnectionRefusedError(111, "Connection refused")
        return await anyio.connect_tcp("127.0.0.1", self.target)

    def probed(self, node: str) -> Iterable[tuple[Pod, tuple[str, str, bool], int]]:
        return [(pod, ("app", "readiness", False), 3) for pod in self.pods(node)]

    async def summary(self, node: str) -> dict[str, Any]:
        cpu = {"time": "2026-11-28T09:00:00Z", "usageNanoCores": 1, "usageCoreNanoSeconds": 2_500_000_000}
        memory = {"time": "2026-11-28T09:00:00Z", "usageBytes": 30, "workingSetBytes": 20, "rssBytes": 10}
        used = {"startTime": "2026-11-28T08:00:00Z", "cpu": cpu, "memory": memory}
        pods = [
            {
                "podRef": {"name": pod.metadata.name, "namespace": "default", "uid": pod.metadata.uid},
                "containers": [{"name": c.name, **used} for c in pod.spec.containers],
                **used,
            }
            for pod in self.pods(node)
        ]
        return {"node": {"nodeName": node, **used}, "pods": pods}


NO_LOG = BadRequest('container "app" in pod "web" is waiting to start: ContainerCreating')
NOT_RUNNING = InternalError('container not found ("app")')
