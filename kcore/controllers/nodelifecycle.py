"""The node lifecycle controller: notices nodes that fell silent, and keeps the taints that follow from conditions.

A node shows that it lives by renewing its lease, or by writing its status. One that has done neither for a while
becomes `Ready: Unknown`, its pods become unready, and it is tainted so that nothing new comes and what is there
leaves in time (`tainteviction.py`), as fast as its zone allows (`nodezones.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import anyio
from msgspec.structs import replace

from kcore.api.coordination_v1 import Lease
from kcore.api.core_v1 import Node, NodeCondition, Pod, Taint
from kcore.api.errors import ApiError, Conflict, NotFound
from kcore.api.object import Object
from kcore.api.timestamp import format_seconds
from kcore.client.runner import Controller, MapFunction, Result
from kcore.controllers.context import Context
from kcore.controllers.nodezones import Zones, zone_of
from kcore.controllers.pods import condition, is_ready

__all__ = ["BY_NODE", "NodeLifecycleController"]

LEASES = "kube-node-lease"
BY_NODE = "node"
PREFIX = "node.kubernetes.io/"
HEARTBEATS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")

# Which taint follows from which state of which condition.
TAINTS: Mapping[tuple[str, str], str] = {
    ("Ready", "False"): f"{PREFIX}not-ready",
    ("Ready", "Unknown"): f"{PREFIX}unreachable",
    ("MemoryPressure", "True"): f"{PREFIX}memory-pressure",
    ("DiskPressure", "True"): f"{PREFIX}disk-pressure",
    ("PIDPressure", "True"): f"{PREFIX}pid-pressure",
    ("NetworkUnavailable", "True"): f"{PREFIX}network-unavailable",
}
UNSCHEDULABLE = f"{PREFIX}unschedulable"
NO_SCHEDULE_KEYS = {*TAINTS.values(), UNSCHEDULABLE}
NO_EXECUTE_KEYS = {f"{PREFIX}not-ready", f"{PREFIX}unreachable"}


class NodeLifecycleController(Controller):
    """Looks at each node when it changes, and when its next sign of life is overdue."""

    name = "node-lifecycle-controller"
    root = Node

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._recorder = context.events.recorder("node-controller")
        self._nodes = context.informers.of(Node)
        self._pods = context.informers.of(Pod)
        self._pods.add_index(BY_NODE, lambda pod: (pod.spec.node_name,) if pod.spec.node_name else ())
        self._grace_period = context.options.node_monitor_grace_period
        self._last_seen: dict[str, float] = {}
        self._zones = Zones(context.options)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Node: self._node_changed, Lease: self._lease_changed}

    def _node_changed(self, old: Node | None, new: Node | None) -> Iterator[str]:
        if new is None:
            assert old is not None
            self._last_seen.pop(old.metadata.name, None)
            yield from self._zones.forget(old.metadata.name)
            return
        name = new.metadata.name
        yield from self._zones.note(name, zone_of(new), _ready(new) == "True")
        if old is None or _heartbeats(old) != _heartbeats(new):
            self._last_seen[name] = self._clock.now()
        if old is None or _state(old) != _state(new) or old.spec != new.spec:
            yield name

    def _lease_changed(self, old: Lease | None, new: Lease | None) -> Iterator[str]:
        """A renewal is noted and leads nowhere: it is its absence that matters."""
        if new is not None and new.metadata.namespace == LEASES:
            name = new.metadata.name
            if old is None or old.spec.renew_time != new.spec.renew_time:
                self._last_seen[name] = self._clock.now()
        return iter(())

    async def reconcile(self, key: str) -> Result | None:
        node = self._nodes.get(key)
        if node is None:
            return None
        now = self._clock.now()
        left = self._last_seen.get(key, now) + self._grace_period - now
        if left <= 0 and any(c.status != "Unknown" for c in node.status.conditions if c.type in HEARTBEATS):
            node = await self._give_up(node)
            for name in self._zones.note(key, zone_of(node), ready=False):  # before the cache does
                self.queue.add(name)
        wait = self._zones.wait(key, now) if _ready(node) in ("False", "Unknown") else 0.0
        node = await self._taint(node, evict=wait == 0)
        if _ready(node) != "True":
            await self._mark_pods(node)
        due = [seconds for seconds in (left, wait) if seconds is not None and seconds > 0]
        return Result(min(due)) if due else None

    async def _give_up(self, node: Node) -> Node:
        """All that the node said of itself is unknown now."""
        now = format_seconds(self._clock.now())
        conditions = {c.type: c for c in node.status.conditions}
        for type_ in HEARTBEATS:
            old = conditions.get(type_)
            conditions[type_] = _unknown(type_, old, node.metadata.creation_timestamp, now)
        status = replace(node.status, conditions=tuple(conditions.values()))
        updated = await self._client.update(replace(node, status=status), subresource="status")
        if _ready(node) == "True":
            message = f"Node {node.metadata.name} status is now: NodeNotReady"
            self._recorder.event(node, "Normal", "NodeNotReady", message)
        return updated

    async def _taint(self, node: Node, *, evict: bool) -> Node:
        now = format_seconds(self._clock.now())
        taints = _taints(node, now, evict=evict or (_is_evicting(node) and not self._zones.all_disrupted))
        if taints == node.spec.taints:
            return node
        return await self._client.update(replace(node, spec=replace(node.spec, taints=taints)))

    async def _mark_pods(self, node: Node) -> None:
        """Nobody can say whether the node's pods are ready: no service is to send anything there."""
        async with anyio.create_task_group() as updates:
            for pod in self._pods.by_index(BY_NODE, node.metadata.name):
                if is_ready(pod):
                    updates.start_soon(self._mark, pod)

    async def _mark(self, pod: Pod) -> None:
        ready = condition(pod, "Ready")
        assert ready is not None
        changed = replace(ready, status="False", last_transition_time=format_seconds(self._clock.now()))
        conditions = tuple(changed if c is ready else c for c in pod.status.conditions)
        try:
            await self._client.update(
                replace(pod, status=replace(pod.status, conditions=conditions)), subresource="status"
            )
        except (NotFound, Conflict):
            # Gone; or changed meanwhile, and then its next change of the node's state marks it.
            return
        except ApiError as error:
            self._recorder.event(pod, "Warning", "NodeNotReady", f"Node is not ready: {error.message}")
            return
        self._recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready")


def _ready(node: Node) -> str:
    return next((c.status for c in node.status.conditions if c.type == "Ready"), "")


def _state(node: Node) -> list[tuple[str, str]]:
    return [(c.type, c.status) for c in node.status.conditions]


def _heartbeats(node: Node) -> list[str | None]:
    return [c.last_heartbeat_time for c in node.status.conditions if c.type in HEARTBEATS]


def _unknown(type_: str, old: NodeCondition | None, created: str | None, now: str) -> NodeCondition:
    if old is None:
        return NodeCondition(
            type=type_,
            status="Unknown",
            reason="NodeStatusNeverUpdated",
            message="Kubelet never posted node status.",
            last_heartbeat_time=created,
            last_transition_time=now,
        )
    return replace(
        old,
        status="Unknown",
        reason="NodeStatusUnknown",
        message="Kubelet stopped posting node status.",
        last_transition_time=old.last_transition_time if old.status == "Unknown" else now,
    )


def _is_evicting(node: Node) -> bool:
    """Whether its pods were told to leave already."""
    return any(taint.effect == "NoExecute" and taint.key in NO_EXECUTE_KEYS for taint in node.spec.taints)


def _taints(node: Node, now: str, *, evict: bool) -> tuple[Taint, ...]:
    """The node's taints: those of others, and those that its conditions call for now. `evict`: also those before which
    pods leave."""
    keys = [TAINTS[c.type, c.status] for c in node.status.conditions if (c.type, c.status) in TAINTS]
    if node.spec.unschedulable:
        keys.append(UNSCHEDULABLE)
    wanted = [Taint(key=key, effect="NoSchedule") for key in keys]
    if evict:
        wanted += [Taint(key=key, effect="NoExecute") for key in keys if key in NO_EXECUTE_KEYS]
    standing = {(t.key, t.effect): t for t in node.spec.taints}
    kept = [t for t in node.spec.taints if not _is_ours(t) or any(_same(t, w) for w in wanted)]
    new = [replace(t, time_added=now) for t in wanted if (t.key, t.effect) not in standing]
    return (*kept, *new)


def _is_ours(taint: Taint) -> bool:
    keys = NO_EXECUTE_KEYS if taint.effect == "NoExecute" else NO_SCHEDULE_KEYS
    return taint.effect in ("NoSchedule", "NoExecute") and taint.key in keys


def _same(one: Taint, other: Taint) -> bool:
    return (one.key, one.effect) == (other.key, other.effect)
