"""The workloads of upstream's scheduler_perf at 5,000 nodes, in process.

Every case prints one JSON line. The pods that are measured are created first, while the news of them is held back;
then it is let go, and the clock runs from the first event that an informer hands on until it has seen the last
binding, which is committed by then: `pods_per_s`, and the same for each second of processor time. What creating the
pods costs, which upstream has done by another process, is added in `with_creation`. Beside it stands the threshold
that upstream sets for the case. All nodes are looked at for every pod.

    python -m bench.scheduler_perf [case ...] [--nodes N] [--pods N] [--plain]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple

import anyio
import msgspec
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from msgspec.structs import replace

from kcore.api.core_v1 import Namespace, Node, Pod, Service, ServicePort, ServiceSpec
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta
from kcore.api.scheme import Scheme
from kcore.client.client import WatchEvent
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers
from kcore.client.local import LocalClient
from kcore.kit.clock import Chance, SystemClock
from kcore.registry.codec import StoreCodec
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.scheduler import vector
from kcore.scheduler.scheduler import Scheduler
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog

ZONES = ("moon-1", "moon-2", "moon-3")
ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
CREATORS = 32
FULL_SIZE = 5_000
DAEMON_NODES = 15_000
CHURN_SECONDS = 1.0
AT_ONCE = 1_000
"""About so many events at most are handed on at once of those that were held back."""


def pod_document(
    name: str, spec: dict[str, Any] | None = None, cpu: str = "100m", memory: str = "500Mi"
) -> dict[str, Any]:
    container = {
        "name": "pause",
        "image": "registry.k8s.io/pause:3.10",
        "ports": [{"containerPort": 80}],
        "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu, "memory": memory}},
    }
    metadata = {"name": name, "namespace": "default", "labels": {"color": "blue"}}
    return {"metadata": metadata, "spec": {"containers": [container], **(spec or {})}}


def _selector() -> dict[str, Any]:
    return {"matchLabels": {"color": "blue"}}


def basic(name: str) -> dict[str, Any]:
    return pod_document(name)


def node_affinity(name: str) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": [ZONES[0], "moon-9"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return pod_document(name, {"affinity": {"nodeAffinity": required}})


def _spread(when: str) -> dict[str, Any]:
    return {
        "topologySpreadConstraints": [
            {"maxSkew": 5, "topologyKey": ZONE, "whenUnsatisfiable": when, "labelSelector": _selector()}
        ]
    }


def topology_spreading(name: str) -> dict[str, Any]:
    return pod_document(name, _spread("DoNotSchedule"))


def preferred_topology_spreading(name: str) -> dict[str, Any]:
    return pod_document(name, _spread("ScheduleAnyway"))


def _required(side: str, key: str) -> dict[str, Any]:
    term = {"labelSelector": _selector(), "topologyKey": key}
    return {"affinity": {side: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def _preferred(side: str, key: str) -> dict[str, Any]:
    term = {"weight": 1, "podAffinityTerm": {"labelSelector": _selector(), "topologyKey": key}}
    return {"affinity": {side: {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}}


def pod_affinity(name: str) -> dict[str, Any]:
    return pod_document(name, _required("podAffinity", ZONE))


def preferred_pod_affinity(name: str) -> dict[str, Any]:
    return pod_document(name, _preferred("podAffinity", HOSTNAME))


def pod_anti_affinity(name: str) -> dict[str, Any]:
    return pod_document(name, _required("podAntiAffinity", HOSTNAME))


def preferred_pod_anti_affinity(name: str) -> dict[str, Any]:
    return pod_document(name, _preferred("podAntiAffinity", HOSTNAME))


def _unfitting(name: str) -> dict[str, Any]:
    return pod_document(name, cpu="9", memory="500Mi")


def _low(name: str) -> dict[str, Any]:
    return pod_document(name, {"terminationGracePeriodSeconds": 0}, cpu="900m")


def _high(name: str) -> dict[str, Any]:
    return pod_document(name, {"priorityClassName": "system-cluster-critical"}, cpu="3")


def _gated(name: str) -> dict[str, Any]:
    return pod_document(name, {"schedulingGates": [{"name": "example.com/later"}]})


def daemon(name: str) -> dict[str, Any]:
    """A pod as a DaemonSet makes it: for one node, by its name."""
    number = int(name.rpartition("-")[2])
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [f"node-{number % DAEMON_NODES}"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return pod_document(name, {"affinity": {"nodeAffinity": required}}, cpu="10m", memory="10Mi")


class Case(NamedTuple):
    """The pods that are measured, those that are there before, and what upstream demands (0: nothing is known)."""

    make: Callable[[str], dict[str, Any]]
    threshold: int
    pods: int
    before: int = 0
    make_before: Callable[[str], dict[str, Any]] = basic
    bound_before: bool = True
    churns: bool = False
    nodes: int = 0


CASES = {
    "basic": Case(basic, 270, 10_000, 1_000),
    "node_affinity": Case(node_affinity, 220, 10_000, 5_000, node_affinity),
    "topology_spreading": Case(topology_spreading, 85, 5_000, 5_000),
    "preferred_topology_spreading": Case(preferred_topology_spreading, 125, 5_000, 5_000),
    "pod_affinity": Case(pod_affinity, 35, 5_000, 5_000),
    "preferred_pod_affinity": Case(preferred_pod_affinity, 90, 5_000, 5_000),
    "pod_anti_affinity": Case(pod_anti_affinity, 60, 2_000, 1_000, pod_anti_affinity),
    "preferred_pod_anti_affinity": Case(preferred_pod_anti_affinity, 90, 5_000, 5_000),
    "mixed_churn": Case(basic, 265, 10_000, churns=True),
    "daemonset": Case(daemon, 390, 30_000, nodes=DAEMON_NODES),
    "gated": Case(basic, 0, 10_000, 10_000, _gated, bound_before=False),
    "unschedulable": Case(basic, 140, 10_000, 200, _unfitting, bound_before=False),
    "preemption": Case(_high, 160, 5_000, 20_000, _low),
}


Batch = Sequence[WatchEvent[Any]]


class HeldClient(LocalClient):
    """A client whose news of pods can be held back."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._open = anyio.Event()
        self.release()

    def hold(self) -> None:
        self._open = anyio.Event()

    def release(self) -> None:
        self._open.set()

    @asynccontextmanager
    async def watch(self, kind: Any, *args: Any, **options: Any) -> AsyncIterator[AsyncIterator[Any]]:
        async with super().watch(kind, *args, **options) as batches:
            if kind is not self.scheme.of(Pod):
                yield batches
                return
            async with anyio.create_task_group() as tasks:
                send, receive = anyio.create_memory_object_stream[Batch](math.inf)
                tasks.start_soon(self._keep, batches, send)
                with send, receive:
                    yield self._held(receive)
                tasks.cancel_scope.cancel()

    @staticmethod
    async def _keep(batches: AsyncIterator[Batch], send: MemoryObjectSendStream[Batch]) -> None:
        """Take what comes when it comes: what is read late, the store has put away in the meantime."""
        async for batch in batches:
            send.send_nowait(batch)

    async def _held(self, batches: MemoryObjectReceiveStream[Batch]) -> AsyncIterator[Batch]:
        async for batch in batches:
            await self._open.wait()
            events = list(batch)
            while len(events) < AT_ONCE and batches.statistics().current_buffer_used:
                events.extend(batches.receive_nowait())
            yield events


class Bound:
    """Counts bound pods as an informer sees them."""

    def __init__(self, informers: Informers) -> None:
        self.count = 0
        self._wanted = 0
        self._prefix = ""
        self._reached = anyio.Event()
        informers.of(Pod).add_handler(self._changed)

    def until(self, prefix: str, count: int) -> Awaitable[None]:
        """Count from now on, and wait until so many pods of that prefix have a node."""
        self.count, self._wanted, self._prefix = 0, count, prefix
        self._reached = anyio.Event()
        return self._wait()

    async def _wait(self) -> None:
        with anyio.fail_after(600):
            await self._reached.wait()

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        if new is None or not new.spec.node_name or (old is not None and old.spec.node_name):
            return
        if self._wanted and new.metadata.name.startswith(self._prefix):
            self.count += 1
            if self.count >= self._wanted:
                self._reached.set()


async def _create(client: LocalClient, kind: type[Pod] | type[Node], documents: Iterator[dict[str, Any]]) -> None:
    """Create all, some at a time, so that they share the store's commits."""

    async def creator() -> None:
        for document in documents:
            await client.create(msgspec.convert(document, kind))
            await asyncio.sleep(0)  # nothing else waits here, with everything in memory

    async with anyio.create_task_group() as tasks:
        for _ in range(CREATORS):
            tasks.start_soon(creator)


def node_documents(count: int) -> list[dict[str, Any]]:
    return [
        {
            "metadata": {"name": f"node-{i}", "labels": {HOSTNAME: f"node-{i}", ZONE: ZONES[i % len(ZONES)]}},
            "status": {"allocatable": {"cpu": "4", "memory": "32Gi", "pods": "110"}},
        }
        for i in range(count)
    ]


class Spent(NamedTuple):
    """What something took, by the clock and of the processor."""

    seconds: float
    cpu: float


class Stopwatch:
    def __init__(self) -> None:
        self._started = Spent(time.perf_counter(), time.process_time())

    def spent(self) -> Spent:
        return Spent(time.perf_counter() - self._started.seconds, time.process_time() - self._started.cpu)


async def run(name: str, case: Case, nodes: int, pods: int) -> dict[str, Any]:
    """One case in a cluster of its own."""
    clock, chance, scheme = SystemClock(), Chance(1), Scheme()
    store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog())
    client = HeldClient(Registry(store, scheme, STRATEGIES, clock, chance))
    informers, events = Informers(client, chance), EventBroadcaster(client, clock)
    before = case.before * nodes // FULL_SIZE
    bound = Bound(informers)
    async with anyio.create_task_group() as tasks:
        await tasks.start(events.run)
        for namespace in ("default", "kube-system"):
            await client.create(Namespace(metadata=ObjectMeta(name=namespace)))
        await _add_nodes(client, nodes)
        scheduler = Scheduler(client, informers, events, clock, chance)
        await tasks.start(informers.run)
        await tasks.start(scheduler.run)
        if before:
            waiting = bound.until("before", before) if case.bound_before else None
            await _create(client, Pod, (case.make_before(f"before-{i}") for i in range(before)))
            if waiting is not None:
                await waiting
            else:
                await _settle(scheduler, before)
        gc.collect()
        client.hold()
        creating = Stopwatch()
        await _create(client, Pod, (case.make(f"measured-{i}") for i in range(pods)))
        created = creating.spent()
        if case.churns:
            tasks.start_soon(_churn, client)
        waiting, scheduling = bound.until("measured", pods), Stopwatch()
        client.release()
        await waiting
        spent = scheduling.spent()
        attempts = scheduler.metrics.attempts
        tasks.cancel_scope.cancel()
    return {
        "case": name,
        "nodes": nodes,
        "pods_before": before,
        "pods": pods,
        "seconds": round(spent.seconds, 2),
        "cpu_seconds": round(spent.cpu, 2),
        "attempts": attempts,
        "pods_per_s": round(pods / spent.seconds),
        "pods_per_cpu_s": round(pods / spent.cpu),
        "with_creation_per_cpu_s": round(pods / (spent.cpu + created.cpu)),
        "upstream_threshold": case.threshold or None,
        "times_threshold": round(pods / spent.seconds / case.threshold, 1) if case.threshold else None,
        "times_threshold_by_cpu": round(pods / spent.cpu / case.threshold, 1) if case.threshold else None,
    }


async def _churn(client: LocalClient) -> None:
    """Have a node, a pod that fits nowhere and a service come and go."""
    document = {**node_documents(1)[0], "metadata": {"name": "churning"}}
    service = Service(
        metadata=ObjectMeta(name="churning", namespace="default"),
        spec=ServiceSpec(selector={"app": "none"}, ports=(ServicePort(port=80),)),
    )
    while True:
        await client.create(msgspec.convert(document, Node))
        await client.create(msgspec.convert(_unfitting("churning"), Pod))
        await client.create(service)
        await asyncio.sleep(CHURN_SECONDS)
        await client.delete(Node, "churning")
        await client.delete(Pod, "churning", "default", DeleteOptions(grace_period_seconds=0))
        await client.delete(Service, "churning", "default")
        await asyncio.sleep(CHURN_SECONDS)


async def _add_nodes(client: LocalClient, count: int) -> None:
    """Nodes that have been seen ready: the taint with which they are created is gone."""
    for document in node_documents(count):
        created = await client.create(msgspec.convert(document, Node))
        await client.update(replace(created, spec=replace(created.spec, taints=())))


async def _settle(scheduler: Scheduler, count: int) -> None:
    """Wait until so many pods are known to fit nowhere, or to be gated."""
    with anyio.fail_after(600):
        while sum(scheduler.queue.statistics()[2:4]) < count:  # noqa: ASYNC110  # the queue has no signal for it
            await asyncio.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="case", help=", ".join(CASES))
    parser.add_argument("--nodes", type=int, default=0, help=f"0: {FULL_SIZE}, or as many as the case has")
    parser.add_argument("--pods", type=int, default=0, help="how many are measured; 0: as many as upstream")
    parser.add_argument("--plain", action="store_true", help="columns without numpy")
    options = parser.parse_args()
    if options.plain:
        vector.PLAIN_SIZE_MAX = 2**31
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    for name in options.cases or CASES:
        case = CASES[name]
        nodes, pods = options.nodes or case.nodes or FULL_SIZE, options.pods or case.pods
        uvloop = {"use_uvloop": find_spec("uvloop") is not None}
        result = anyio.run(run, name, case, nodes, pods, backend_options=uvloop)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
