"""Which endpoints traffic may go to, from one place in the cluster (KEP-1669, KEP-2433, KEP-3015)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from kcore.proxy.endpoint import Endpoint
from kcore.proxy.serviceport import ServicePort

__all__ = ["EVERYWHERE", "Place", "Reachable", "reachable"]

Endpoints = tuple[Endpoint, ...]


class Place(NamedTuple):
    """Where the proxy runs. Without a node it serves a machine that is every node at once: all endpoints are local."""

    node: str = ""
    zone: str = ""

    def holds(self, endpoint: Endpoint) -> bool:
        return not self.node or endpoint.node == self.node


EVERYWHERE = Place()


class Reachable(NamedTuple):
    """`cluster` and `local` serve the traffic policies of those names; `exist`: there are some, here or elsewhere."""

    cluster: Endpoints = ()
    local: Endpoints = ()
    exist: bool = False

    @property
    def all(self) -> Endpoints:
        """Both together, each once, in order."""
        if not self.local or self.local == self.cluster:
            return self.cluster
        union = {str(endpoint): endpoint for endpoint in (*self.cluster, *self.local)}
        return tuple(union[text] for text in sorted(union))


def reachable(port: ServicePort, endpoints: Endpoints, place: Place) -> Reachable:
    """Ready endpoints; where there are none, those that are terminating but still serve."""
    cluster: Endpoints = ()
    local: Endpoints = ()
    usable = _preferred(endpoints)
    if port.uses_cluster_endpoints:
        cluster = _where(usable, _hinted(usable, place))
    if port.uses_local_endpoints:
        local = _preferred(_where(endpoints, place.holds))
    return Reachable(cluster, local, bool(usable))


def _where(endpoints: Endpoints, holds: Callable[[Endpoint], bool]) -> Endpoints:
    return tuple(endpoint for endpoint in endpoints if holds(endpoint))


def _preferred(endpoints: Endpoints) -> Endpoints:
    return _where(endpoints, lambda e: e.ready) or _where(endpoints, lambda e: e.outgoing)


def _hinted(endpoints: Endpoints, place: Place) -> Callable[[Endpoint], bool]:
    """Same node before same zone before anywhere; a hint counts only where every ready endpoint has one, and one of
    them means us."""
    ready = _where(endpoints, lambda e: e.ready)
    if _all_hint((e.node_hints for e in ready), place.node):
        return lambda e: place.node in e.node_hints
    if _all_hint((e.zone_hints for e in ready), place.zone):
        return lambda e: place.zone in e.zone_hints
    return lambda e: True


def _all_hint(hints: Iterable[frozenset[str]], wanted: str) -> bool:
    listed = list(hints)
    return bool(listed) and all(listed) and any(wanted in hint for hint in listed)
