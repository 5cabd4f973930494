"""The nodes that this process keeps alive: those it registers, and those that ask for it by annotation.

All of them share one timer wheel and a few workers. A renewal is one write of a lease that was kept from the last
one; the node itself is written every five minutes, and whenever somebody else changed what it says of its health.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

import msgspec
import structlog
from anyio.abc import TaskGroup
from msgspec.structs import replace

from kcore.api.coordination_v1 import Lease
from kcore.api.core_v1 import Node, NodeStatus
from kcore.api.errors import AlreadyExists, ApiError, Conflict, NotFound
from kcore.api.schema import JSON
from kcore.api.timestamp import format_micro
from kcore.client.client import Client
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informer
from kcore.client.workqueue import WorkQueue
from kcore.kit.clock import Clock
from kcore.kit.crowd import for_each
from kcore.node.addresses import AddressRange, NodeRanges, RangeExhausted
from kcore.node.pod_admission import NodeLoad
from kcore.node.pressure import LOST, PRESSURES, Shortage, scripted_shortages, shortages
from kcore.node.registration import (
    LEASE_NAMESPACE,
    LEASE_SECONDS,
    NodeProfile,
    internal_ip,
    new_lease,
    new_node,
    node_status,
    runtime_of,
)
from kcore.node.runtime import Runtime
from kcore.node.timer_wheel import TimerWheel

__all__ = ["NodeKeeper", "ServedNode"]

RENEW_SECONDS = LEASE_SECONDS / 4
STATUS_SECONDS = 300.0
WORKERS = 16
RENEWERS = 200
"""So many leases are renewed at once: where writes are slow, 5,000 nodes must not wait for each other until they are
taken for dead."""

log = structlog.get_logger(__name__)


class ServedNode:
    """What the process knows of a node beyond its object."""

    __slots__ = (
        "addresses",
        "cidr",
        "host_ip",
        "lease",
        "load",
        "missed",
        "name",
        "runtime",
        "seen",
        "shortages",
        "status_due",
        "uid",
    )

    def __init__(self, node: Node, runtime: Runtime, host_ip: str, cidr: str) -> None:
        self.name = node.metadata.name
        self.uid = node.metadata.uid
        self.runtime = runtime
        self.host_ip = host_ip
        self.cidr = cidr
        self.addresses = AddressRange(cidr) if cidr else None
        self.lease: Lease | None = None
        self.status_due = 0.0
        self.seen: Node | None = None
        self.load = NodeLoad()
        self.missed = False
        """Whether others took it for dead when it last looked."""
        self.shortages: Sequence[Shortage] = ()


class NodeKeeper:
    """Registers nodes, adopts those that ask for it, and keeps all of them Ready."""

    def __init__(
        self,
        client: Client,
        informer: Informer[Node],
        events: EventBroadcaster,
        clock: Clock,
        runtimes: Mapping[str, Runtime],
        profile: NodeProfile,
        ranges: NodeRanges,
        host_range: AddressRange,
        *,
        status_seconds: float = RENEW_SECONDS,
        own: Mapping[str, str] | None = None,
    ) -> None:
        """`own`: names of nodes and their runtimes, if this process serves those and no others."""
        self._client = client
        self._informer = informer
        self._recorder = events.recorder("kubelet")
        self._clock = clock
        self._runtimes = runtimes
        self._profile = profile
        self._own = own
        self.kubelet_port = 0
        """Where the kubelets of these nodes listen; 0: nowhere. Known before nodes are served."""
        self._ranges = ranges
        self._hosts = host_range
        self._served: dict[str, ServedNode] = {}
        self._wheel: TimerWheel[str] = TimerWheel(RENEW_SECONDS)
        self._status_wheel: TimerWheel[str] = TimerWheel(status_seconds)
        self._leases: WorkQueue[str] = WorkQueue()
        self._statuses: WorkQueue[str] = WorkQueue()
        self._on_served: Callable[[ServedNode], None] = lambda node: None
        self._on_dropped: Callable[[ServedNode], None] = lambda node: None
        self.is_scripted: Callable[[], bool] = lambda: False
        """Whether somebody else writes the statuses of fake nodes."""
        self.on_shortage: Callable[[ServedNode, Shortage], Awaitable[None]] = _bear_it
        """What to do about each thing that a node is short of, whenever it looks."""
        self.on_found: Callable[[ServedNode], None] = lambda node: None
        """What to do about a node that others took for dead: they may have said so of its pods, too."""

    def __getitem__(self, name: str) -> ServedNode:
        return self._served[name]

    def runtimes(self) -> Collection[Runtime]:
        """All that nodes may have."""
        return self._runtimes.values()

    def get(self, name: str) -> ServedNode | None:
        """The node called `name`, if it is one of ours."""
        return self._served.get(name)

    def object(self, name: str) -> Node | None:
        """The object of a node."""
        return self._informer.get(name)

    def conditions(self, name: str) -> JSON:
        """The conditions of a node that is well, as JSON."""
        node, served = self._informer.get(name), self._served[name]
        if node is None:
            return []
        status = self._status(node, served.runtime, served.host_ip)
        tree: JSON = msgspec.json.decode(msgspec.json.encode(status.conditions))
        return tree

    def names(self) -> Collection[str]:
        """Of the nodes that are ours."""
        return self._served.keys()

    def start(
        self, tasks: TaskGroup, on_served: Callable[[ServedNode], None], on_dropped: Callable[[ServedNode], None]
    ) -> None:
        """Begin to keep nodes alive; the callbacks learn which ones come and go."""
        self._on_served, self._on_dropped = on_served, on_dropped
        for node in self._informer.values():
            self._occupy(node)
        self._informer.add_handler(self._changed)
        tasks.start_soon(self._wheel.run, self._beat, name="node heartbeats")
        tasks.start_soon(self._status_wheel.run, self._look_at, name="node statuses")
        for _ in range(RENEWERS):
            tasks.start_soon(self._work, self._leases, self._renew)
        for _ in range(WORKERS):
            tasks.start_soon(self._work, self._statuses, self._report)

    async def register(self, names: Iterable[str], runtime: str) -> None:
        """Create those nodes that do not exist, several at a time."""
        absent = [name for name in names if self._informer.get(name) is None]
        await for_each(absent, partial(self._register, runtime), WORKERS)

    async def _register(self, runtime: str, name: str) -> None:
        alone = self._served.get(name)
        node = new_node(name, runtime, self._profile, alone.cidr if alone is not None else self._ranges.take())
        host_ip = alone.host_ip if alone is not None else self._hosts.take()
        status = self._status(node, self._runtimes[self._runtime_of(node)], host_ip)
        try:
            await self._client.create(replace(node, status=status))
        except AlreadyExists:
            if alone is None:
                self._ranges.release(node.spec.pod_cidr)
                self._hosts.release(host_ip)

    def serve_alone(self, name: str, runtime: str) -> ServedNode:
        """Serve a node of which the API server has not told yet."""
        node = new_node(name, runtime, self._profile, self._ranges.take())
        served = ServedNode(node, self._runtimes[runtime], self._hosts.take(), node.spec.pod_cidr)
        self._served[name] = served
        return served

    def _changed(self, old: Node | None, new: Node | None) -> None:
        if new is None:
            assert old is not None
            self._drop(old)
            return
        served = self._served.get(new.metadata.name)
        if served is not None and not served.uid:
            self._adopt(served, new)
            return
        if served is not None and served.uid != new.metadata.uid:
            self._drop(old or new)
            served = None
        if old is None or (old.spec, old.status.addresses) != (new.spec, new.status.addresses):
            self._occupy(new)
        wanted = self._runtime_of(new) in self._runtimes
        if wanted and served is None:
            self._serve(new)
        elif served is not None and not wanted:
            self._drop(new)
        elif old is not None and old.metadata.annotations != new.metadata.annotations:
            self._statuses.add(new.metadata.name)  # a script for it may have changed

    def _occupy(self, node: Node) -> None:
        for cidr in node.spec.pod_cidrs:
            self._ranges.occupy(cidr)
        if address := internal_ip(node):
            self._hosts.occupy(address)

    def _runtime_of(self, node: Node) -> str:
        """The runtime that this process runs a node's pods with; empty: the node is not ours."""
        return runtime_of(node) if self._own is None else self._own.get(node.metadata.name, "")

    def _adopt(self, served: ServedNode, node: Node) -> None:
        """The API server has come to know a node that began without it: what runs there, runs on."""
        served.uid = node.metadata.uid
        if node.spec.pod_cidr and node.spec.pod_cidr != served.cidr:
            self._ranges.release(served.cidr)
            served.cidr, served.addresses = node.spec.pod_cidr, AddressRange(node.spec.pod_cidr)
        self._occupy(node)
        self._begin(served, node)

    def _serve(self, node: Node) -> None:
        host_ip = internal_ip(node) or self._hosts.take()
        runtime = self._runtimes[self._runtime_of(node)]
        self._begin(ServedNode(node, runtime, host_ip, node.spec.pod_cidr or self._take(node)), node)

    def _begin(self, served: ServedNode, node: Node) -> None:
        name = served.name
        # A node that has just registered itself has said all there is to say.
        served.shortages = scripted_shortages(node)
        current = self._status(node, served.runtime, served.host_ip, heartbeat=False, shortages=served.shortages)
        if current == node.status and node.spec.pod_cidr:
            served.status_due, served.seen = self._clock.now() + STATUS_SECONDS, node
        else:
            self._statuses.add(name)
        self._served[name] = served
        self._wheel.add(name)
        self._status_wheel.add(name)
        self._leases.add(name)
        log.debug("node served", node=name, runtime=self._runtime_of(node))
        self._recorder.event(node, "Normal", "Starting", "Starting kubelet.")
        self._on_served(served)

    def _take(self, node: Node) -> str:
        try:
            return self._ranges.take()
        except RangeExhausted as error:
            log.warning("node has no pod range", node=node.metadata.name, why=str(error))
            self._recorder.event(
                node, "Normal", "CIDRNotAvailable", f"Node {node.metadata.name} status is now: CIDRNotAvailable"
            )
            return ""

    def _drop(self, node: Node) -> None:
        served = self._served.pop(node.metadata.name, None)
        if served is None:
            return
        self._wheel.remove(served.name)
        self._status_wheel.remove(served.name)
        self._hosts.release(served.host_ip)
        if served.cidr:
            self._ranges.release(served.cidr)
        log.debug("node dropped", node=served.name)
        self._on_dropped(served)

    def _beat(self, names: Iterable[str]) -> None:
        for name in names:
            self._leases.add(name)

    def _look_at(self, names: Iterable[str]) -> None:
        """Have those statuses written that are due, that others have changed, or that may be true no longer."""
        now = self._clock.now()
        for name in names:
            served = self._served[name]
            real = not served.runtime.editable
            if (
                real
                or served.missed
                or served.shortages
                or now >= served.status_due
                or self._informer.get(name) is not served.seen
            ):
                self._statuses.add(name)

    async def _work(self, queue: WorkQueue[str], act: Callable[[ServedNode], Awaitable[None]]) -> None:
        while True:
            name = await queue.get()
            served = self._served.get(name)
            try:
                if served is not None:
                    await act(served)
                queue.forget(name)
            except ApiError as error:
                log.debug("node write failed", node=name, why=error.message)
                queue.add_rate_limited(name)
            finally:
                queue.done(name)

    async def _renew(self, served: ServedNode) -> None:
        """Write the lease: with one request, as long as nobody else touches it."""
        node = self._informer.get(served.name)
        if node is None or LOST in node.metadata.annotations:
            return
        now = self._clock.now()
        if served.lease is None:
            try:
                served.lease = await self._client.create(new_lease(node, now))
            except AlreadyExists:
                served.lease = await self._client.get(Lease, served.name, LEASE_NAMESPACE)
            else:
                return
        lease = served.lease
        spec = replace(lease.spec, holder_identity=served.name, renew_time=format_micro(now))
        try:
            served.lease = await self._client.update(replace(lease, spec=spec))
        except (Conflict, NotFound):
            served.lease = None
            raise

    async def _report(self, served: ServedNode) -> None:
        """Write the node's status if it is due or not what it should be, and its pod range if it has none."""
        node = self._informer.get(served.name)
        if node is None or LOST in node.metadata.annotations:
            return
        real = not served.runtime.editable
        if self.is_scripted() and not real:
            return
        found = shortages(await served.runtime.node_stats(served.name)) if real else scripted_shortages(node)
        served.shortages = found
        for shortage in found:
            await self.on_shortage(served, shortage)
        if served.cidr and not node.spec.pod_cidr:
            cidr = {"spec": {"podCIDR": served.cidr, "podCIDRs": [served.cidr]}}
            node = await self._client.patch(Node, served.name, cidr)
        now = self._clock.now()
        status = self._status(node, served.runtime, served.host_ip, heartbeat=now >= served.status_due, shortages=found)
        if status != node.status:
            await self._client.update(replace(node, status=status), subresource="status")
            served.status_due = now + STATUS_SECONDS
        missed = any(condition.status == "Unknown" for condition in node.status.conditions)
        if missed or served.missed:  # once more the next time: by then everybody knows that it lives
            self.on_found(served)
        served.missed = missed
        served.seen = self._informer.get(served.name)

    def _status(
        self,
        node: Node,
        runtime: Runtime,
        host_ip: str,
        *,
        heartbeat: bool = True,
        shortages: Sequence[Shortage] = (),
    ) -> NodeStatus:
        return node_status(
            node,
            self._profile.shape,
            runtime.version,
            host_ip,
            self._clock.now(),
            kubelet_port=self.kubelet_port,
            heartbeat=heartbeat,
            pressures={PRESSURES[shortage.resource] for shortage in shortages},
            images=runtime.images(node.metadata.name),
        )


async def _bear_it(node: ServedNode, shortage: Shortage) -> None:
    """Nobody does anything about it."""
