"""kube-proxy as a service: follows Services and EndpointSlices, and tells a back end what changed.

Changes that arrive while a back end works are taken together; each Service's rules are made anew only when it or one
of its slices has changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import anyio
import structlog
from anyio.abc import TaskStatus

from kcore.api.core_v1 import Node, Service
from kcore.api.discovery_v1 import SERVICE_NAME, EndpointSlice
from kcore.client.informer import Informers, key_of
from kcore.kit.clock import Clock
from kcore.kit.histogram import Histogram, exponential
from kcore.proxy.backend import Backend, BackendFault
from kcore.proxy.rules import Diff, Rule, difference, rules_of_service
from kcore.proxy.serviceport import PortName
from kcore.proxy.topology import Place

__all__ = ["Proxier", "SyncState"]

log = structlog.get_logger(__name__)

_BY_SERVICE = "service"
ZONE_LABEL = "topology.kubernetes.io/zone"
PROXY_NAME = "service.kubernetes.io/service-proxy-name"
HEADLESS = "service.kubernetes.io/headless"
TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 30.0


class SyncState(NamedTuple):
    """When something was first left undone (None: nothing is), when all was last done, and how often each way."""

    pending_since: float | None = None
    last_synced: float = 0.0
    syncs: int = 0
    failures: int = 0


class Proxier:
    """`node` names the node that it stands for; empty: this machine is every node at once."""

    def __init__(self, informers: Informers, backend: Backend, clock: Clock, node: str = "") -> None:
        self._informers = informers
        self._services = informers.of(Service)
        self._slices = informers.of(EndpointSlice)
        self._slices.add_index(_BY_SERVICE, _service_keys)
        self._nodes = informers.of(Node, field_selector=f"metadata.name={node}") if node else None
        self._backend = backend
        self._clock = clock
        self._place = Place(node)
        self.node_eligible = True
        """Whether balancers should go on sending to the node: not while it is on its way out."""
        self._rules: dict[str, dict[PortName, Rule]] = {}
        self._dirty: set[str] = set()
        self._wake = anyio.Event()
        self.state = SyncState()
        self.durations = Histogram(exponential(0.001, 2, 15))
        self.changed = anyio.Event()
        """Set, and replaced by another, whenever rules have changed."""

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Run until cancelled. Started once what the caches hold is in force, or has been refused by the machine."""
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._backend.run)
            await self._services.wait_synced()
            await self._slices.wait_synced()
            if self._nodes is not None:
                await self._nodes.wait_synced()
                self._nodes.add_handler(self._node_changed)
            self._services.add_handler(self._service_changed)
            self._slices.add_handler(self._slice_changed)
            self._mark(())
            await self._follow(task_status)

    @property
    def rules(self) -> dict[PortName, Rule]:
        """Everything in force."""
        return {name: rule for rules in self._rules.values() for name, rule in rules.items()}

    def statistics(self) -> Any:
        return self._backend.statistics()

    async def _follow(self, task_status: TaskStatus[None]) -> None:
        delay, announced, owed = FIRST_RETRY_SECONDS, False, Diff()
        while True:
            owed = _joined(owed, self._take())
            if await self._apply(owed):
                owed, delay = Diff(), FIRST_RETRY_SECONDS
            if not announced:
                announced = True
                task_status.started()
            if owed:
                with anyio.move_on_after(delay):
                    await self._wake.wait()
                delay = min(delay * 2, LONGEST_RETRY_SECONDS)
            else:
                await self._wake.wait()

    async def _apply(self, diff: Diff) -> bool:
        """Whether the back end did it."""
        if diff:
            self.changed.set()
            self.changed = anyio.Event()
            began = anyio.current_time()
            try:
                await self._backend.apply(diff)
            except BackendFault as fault:
                self.state = self.state._replace(failures=self.state.failures + 1)
                log.warning("rules_not_applied", reason=str(fault))
                return False
            finally:
                self.durations.observe(anyio.current_time() - began)
        pending = self.state.pending_since if self._dirty else None
        self.state = SyncState(pending, self._clock.now(), self.state.syncs + 1, self.state.failures)
        return True

    def _take(self) -> Diff:
        """What has changed since the last time."""
        self._wake = anyio.Event()
        dirty, self._dirty = self._dirty, set()
        put: dict[PortName, Rule] = {}
        gone: dict[PortName, Rule] = {}
        for key in dirty:
            old, new = self._rules.pop(key, {}), self._rules_of(key)
            if new:
                self._rules[key] = new
            diff = difference(old, new)
            put.update(diff.put)
            gone.update(diff.gone)
        return Diff(put, gone)

    def _rules_of(self, key: str) -> dict[PortName, Rule]:
        service = self._services.get(key)
        if service is None or PROXY_NAME in service.metadata.labels or HEADLESS in service.metadata.labels:
            return {}
        return rules_of_service(service, self._slices.by_index(_BY_SERVICE, key), self._place)

    def _mark(self, keys: Iterable[str]) -> None:
        self._dirty.update(keys)
        if self.state.pending_since is None:
            self.state = self.state._replace(pending_since=self._clock.now())
        self._wake.set()

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        if obj := new or old:
            self._mark((key_of(obj),))

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        self._mark(key for obj in (old, new) if obj is not None for key in _service_keys(obj))

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        zone = new.metadata.labels.get(ZONE_LABEL, "") if new is not None else ""
        self.node_eligible = new is None or not _leaves(new)
        if zone != self._place.zone:
            self._place = self._place._replace(zone=zone)
            self._mark(self._rules)


def _leaves(node: Node) -> bool:
    deleted = node.metadata.deletion_timestamp is not None
    return deleted or any(taint.key == TO_BE_DELETED for taint in node.spec.taints)


def _service_keys(slice_: EndpointSlice) -> Iterable[str]:
    service = slice_.metadata.labels.get(SERVICE_NAME)
    return (f"{slice_.metadata.namespace}/{service}",) if service else ()


def _joined(first: Diff, then: Diff) -> Diff:
    """Both differences as one; what `then` says counts."""
    put = {name: rule for name, rule in first.put.items() if name not in then.gone}
    gone = {name: rule for name, rule in first.gone.items() if name not in then.put}
    return Diff({**put, **then.put}, {**gone, **then.gone})
