"""Where a Service of the cluster answers: the ready endpoints behind one of its ports.

For those who must reach it from outside the cluster's network: webhooks and aggregated API servers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from kcore.api.core_v1 import Service, ServicePort
from kcore.api.discovery_v1 import SERVICE_NAME, EndpointSlice
from kcore.api.field import quote
from kcore.store.store import Store

__all__ = ["Address", "Unresolved", "ready_addresses", "resolve"]


class Address(NamedTuple):
    """A host (name or IP address) and a port."""

    host: str
    port: int


class Unresolved(Exception):
    """Nobody answers for the Service; the message is upstream's."""


def resolve(store: Store, namespace: str, name: str, port: int) -> Sequence[Address]:
    """Every address that answers for a port of a Service, never none. Raises Unresolved."""
    record = store.get(f"services/{namespace}/{name}")
    if record is None:
        raise Unresolved(f"service {quote(name)} not found")
    service: Service = record.obj
    if service.spec.type == "ExternalName":
        return (Address(service.spec.external_name, port),)
    named = next((p for p in service.spec.ports if p.port == port), None)
    if named is None:
        raise Unresolved(f"no service port {port} found for service {quote(name)}")
    slices = (r.obj for r in store.range(f"endpointslices.discovery.k8s.io/{namespace}/").records)
    addresses = tuple(ready_addresses(named, (s for s in slices if s.metadata.labels.get(SERVICE_NAME) == name)))
    if not addresses:
        raise Unresolved(f"no endpoints available for service {quote(name)}")
    return addresses


def ready_addresses(port: ServicePort, slices: Iterable[EndpointSlice]) -> Iterator[Address]:
    """The addresses of ready endpoints, with the port that the slices give the service port's name."""
    for slice_ in slices:
        number = next((p.port for p in slice_.ports or () if (p.name or "") == port.name), None)
        if number is None:
            continue
        for endpoint in slice_.endpoints or ():
            if endpoint.conditions.ready is not False:  # unknown counts as ready
                yield from (Address(address, number) for address in endpoint.addresses)
