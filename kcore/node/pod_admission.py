"""Whether a node takes a pod that was bound to it: the kubelet's own last look, in its words.

The scheduler has looked already; this is for pods that came past it, and for two that were bound at the same moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from kcore.api.core_v1 import Node, Pod
from kcore.api.node_affinity import fits
from kcore.api.pod_resources import pod_requests
from kcore.api.quantity import milli_value
from kcore.api.tolerations import tolerated
from kcore.node.pod_phase import PodPhase

__all__ = ["Demand", "Lack", "NodeLoad", "demand_of", "infeasible", "lacking", "rejection"]

_PREDICATE = "Pod was rejected: Predicate {0} failed"
_WHOLE_UNITS = 1000


class Demand(NamedTuple):
    """What a pod takes from its node: resources in thousandths, and ports of the host."""

    resources: Mapping[str, int]
    ports: frozenset[tuple[str, int, str]]


def demand_of(pod: Pod) -> Demand:
    return Demand(_resources(tuple(pod_requests(pod.spec).items())), frozenset(_host_ports(pod)))


@lru_cache(maxsize=4096)
def _resources(requests: tuple[tuple[str, str], ...]) -> Mapping[str, int]:
    """One object for all pods that ask for the same."""
    return {**{name: milli_value(amount) for name, amount in requests}, "pods": _WHOLE_UNITS}


class Lack(NamedTuple):
    """What a node does not have enough of, in words."""

    resource: str
    message: str


class NodeLoad:
    """What the pods on a node have taken. One that has ended gives it back."""

    def __init__(self) -> None:
        self._demands: dict[str, Demand] = {}
        self._used: dict[str, int] = {}
        self.waiting: set[str] = set()
        """The pods that would have more as soon as others have given back what they took."""

    def add(self, uid: str, demand: Demand) -> None:
        if uid not in self._demands:
            self._demands[uid] = demand
            for name, amount in demand.resources.items():
                self._used[name] = self._used.get(name, 0) + amount

    def remove(self, uid: str) -> bool:
        """Whether the pod had taken anything."""
        self.waiting.discard(uid)
        demand = self._demands.pop(uid, None)
        for name, amount in demand.resources.items() if demand is not None else ():
            self._used[name] -= amount
        return demand is not None

    def replace(self, uid: str, demand: Demand) -> None:
        self.remove(uid)
        self.add(uid, demand)

    def used(self, resource: str, but: str = "") -> int:
        """By all pods `but` one."""
        own = self._demands.get(but)
        return self._used.get(resource, 0) - (own.resources.get(resource, 0) if own is not None else 0)

    def has_port(self, wanted: tuple[str, int, str]) -> bool:
        """Whether a port is taken on an address: one on all addresses is in the way of every other."""
        ip, port, protocol = wanted
        return any(
            (other_port, other_protocol) == (port, protocol) and (ip == other or not ip or not other)
            for demand in self._demands.values()
            for other, other_port, other_protocol in demand.ports
        )


def rejection(pod: Pod, demand: Demand, node: Node, load: NodeLoad) -> PodPhase | None:
    """Why `node` does not take `pod`; None: it does."""
    if not fits(pod, node):
        return _rejected("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
    if any(load.has_port(port) for port in demand.ports):
        return _rejected("NodePorts", "node(s) didn't have free ports for the requested pod ports")
    for taint in node.spec.taints:
        if taint.effect == "NoExecute" and not tolerated(taint, pod.spec.tolerations):
            return _rejected("TaintToleration", "node(s) had untolerated taint(s)")
    lack = lacking(demand, node, load)
    return (
        PodPhase("Failed", f"OutOf{lack.resource}", f"Pod was rejected: {lack.message}") if lack is not None else None
    )


def infeasible(demand: Demand, node: Node) -> str:
    """Why `node` could not have what is asked for even if there were no other pod; empty: it could."""
    for name in ("memory", "cpu"):
        wanted, capacity = demand.resources.get(name, 0), milli_value(node.status.allocatable.get(name, "0"))
        if wanted > capacity:
            amounts = f"{name}, requested: {_shown(name, wanted)}, capacity: {_shown(name, capacity)}"
            return f"Node didn't have enough capacity: {amounts}"
    return ""


def lacking(demand: Demand, node: Node, load: NodeLoad, uid: str = "") -> Lack | None:
    """What `node` has not enough of beside what pods other than `uid` have taken."""
    for name, wanted in demand.resources.items():
        capacity = milli_value(node.status.allocatable.get(name, "0"))
        used = load.used(name, but=uid)
        if wanted and used + wanted > capacity:
            amounts = ", ".join(
                f"{word}: {_shown(name, amount)}"
                for word, amount in (("requested", wanted), ("used", used), ("capacity", capacity))
            )
            return Lack(name, f"Node didn't have enough resource: {name}, {amounts}")
    return None


def _shown(name: str, amount: int) -> int:
    return amount if name == "cpu" else amount // _WHOLE_UNITS


def _rejected(predicate: str, why: str) -> PodPhase:
    return PodPhase("Failed", predicate, f"{_PREDICATE.format(predicate)}: {why}")


def _host_ports(pod: Pod) -> Iterator[tuple[str, int, str]]:
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        for port in container.ports:
            if port.host_port:
                ip = "" if port.host_ip in ("", "0.0.0.0", "::") else port.host_ip
                yield ip, port.host_port, port.protocol or "TCP"
