"""A node as the scheduler sees it: what it has, and what the pods on it have taken."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

from kcore.api.core_v1 import Node
from kcore.scheduler.affinity_term import AffinityTerm
from kcore.scheduler.pod_info import HostPort, Kin, PodInfo, amount

__all__ = ["NodeInfo"]

ANY_ADDRESS = "0.0.0.0"

K = TypeVar("K", bound=Hashable)


class NodeInfo:
    """One node and its pods, by uid. `node` is None while pods are known to be on a node that is not known yet."""

    __slots__ = (
        "allocatable",
        "claims",
        "ghosts",
        "images",
        "kins",
        "name",
        "node",
        "nonzero_cpu",
        "nonzero_memory",
        "pods",
        "ports",
        "requested",
        "row",
        "terms",
    )

    def __init__(self, name: str, row: int) -> None:
        self.name = name
        self.row = row
        self.node: Node | None = None
        self.allocatable: dict[str, int] = {}
        self.images: dict[str, int] = {}
        """The size of each image that is there, by each of its names."""
        self.requested: dict[str, int] = {}
        self.nonzero_cpu = 0
        self.nonzero_memory = 0
        self.pods: dict[str, PodInfo] = {}
        self.ports: dict[HostPort, int] = {}
        self.claims: dict[str, int] = {}
        self.kins: dict[Kin, int] = {}
        self.terms: dict[AffinityTerm, int] = {}
        self.ghosts: set[str] = set()
        """Those of `pods` that are not there, but for whom room is kept: they are nominated."""

    def copy(self) -> NodeInfo:
        """The same node, to try things on."""
        other = NodeInfo(self.name, self.row)
        other.node = self.node
        other.allocatable = self.allocatable
        other.images = self.images
        other.requested = dict(self.requested)
        other.nonzero_cpu, other.nonzero_memory = self.nonzero_cpu, self.nonzero_memory
        other.pods = dict(self.pods)
        other.ports, other.claims = dict(self.ports), dict(self.claims)
        other.kins, other.terms = dict(self.kins), dict(self.terms)
        other.ghosts = set(self.ghosts)
        return other

    def set_node(self, node: Node) -> None:
        self.node = node
        self.allocatable = {name: amount(name, quantity) for name, quantity in node.status.allocatable.items()}
        self.images = {name: image.size_bytes for image in node.status.images for name in image.names}

    def add(self, pod: PodInfo) -> None:
        """Count a pod that is not counted yet."""
        self.pods[pod.uid] = pod
        self._count(pod, 1)

    def remove(self, uid: str) -> None:
        """Count a pod no more."""
        self.ghosts.discard(uid)
        self._count(self.pods.pop(uid), -1)

    def conflicts(self, wanted: Iterable[HostPort]) -> bool:
        """Whether one of these host ports is taken: the same port and protocol, at the same or at every address."""
        if not self.ports:
            return False
        for port in wanted:
            for taken in self.ports:
                same = taken.port == port.port and taken.protocol == port.protocol
                if same and (taken.ip == port.ip or ANY_ADDRESS in (taken.ip, port.ip)):
                    return True
        return False

    def _count(self, pod: PodInfo, sign: int) -> None:
        requested = self.requested
        for resource, value in pod.requests.items():
            requested[resource] = requested.get(resource, 0) + sign * value
        self.nonzero_cpu += sign * pod.nonzero_cpu
        self.nonzero_memory += sign * pod.nonzero_memory
        _count(self.kins, pod.kin, sign)
        for port in pod.host_ports:
            _count(self.ports, port, sign)
        for claim in pod.claims:
            _count(self.claims, claim, sign)
        for term in pod.terms:
            _count(self.terms, term, sign)


def _count(counts: dict[K, int], key: K, change: int) -> None:
    count = counts.get(key, 0) + change
    if count:
        counts[key] = count
    else:
        del counts[key]
