"""One address that serves a Service's port, as EndpointSlices tell of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from kcore.api.discovery_v1 import Endpoint as SliceEndpoint
from kcore.api.discovery_v1 import EndpointSlice

__all__ = ["Endpoint", "PortKey", "endpoints_by_port"]


class PortKey(NamedTuple):
    """What ties a slice's port to a Service's: name, protocol and IP family."""

    port: str
    protocol: str
    family: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`node` and `zone` are empty where the slice does not tell. The hints are those of topology aware routing."""

    address: str
    port: int
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    node: str = ""
    node_hints: frozenset[str] = frozenset()
    zone_hints: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def outgoing(self) -> bool:
        """On its way out, and still answering: better than nobody."""
        return self.serving and self.terminating and not self.ready


def endpoints_by_port(slices: Iterable[EndpointSlice]) -> dict[PortKey, tuple[Endpoint, ...]]:
    """The endpoints of one Service, sorted as texts. One that stands in several slices counts once, by its best."""
    found: dict[PortKey, dict[str, Endpoint]] = {}
    for slice_ in slices:
        if slice_.address_type == "FQDN":
            continue
        for port in slice_.ports or ():
            if port.port is None:
                continue
            key = PortKey(port.name or "", port.protocol or "TCP", slice_.address_type)
            known = found.setdefault(key, {})
            for endpoint in _endpoints(slice_.endpoints or (), port.port):
                text = str(endpoint)
                if text not in known or (endpoint.ready and not known[text].ready):
                    known[text] = endpoint
    return {key: tuple(known[text] for text in sorted(known)) for key, known in found.items()}


def _endpoints(endpoints: Iterable[SliceEndpoint], port: int) -> Iterator[Endpoint]:
    for endpoint in endpoints:
        if not endpoint.addresses:
            continue
        conditions, hints = endpoint.conditions, endpoint.hints
        ready = conditions.ready is not False
        yield Endpoint(
            address=endpoint.addresses[0],  # the others are for nobody (KEP-4974)
            port=port,
            ready=ready,
            serving=ready if conditions.serving is None else conditions.serving,
            terminating=bool(conditions.terminating),
            node=endpoint.node_name or "",
            node_hints=frozenset(hint.name for hint in hints.for_nodes) if hints is not None else frozenset(),
            zone_hints=frozenset(hint.name for hint in hints.for_zones) if hints is not None else frozenset(),
        )
