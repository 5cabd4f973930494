"""What there is to be named: Services by name and by address, their endpoints, namespaces. A view of informers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import NamedTuple, Protocol

from kcore.api.core_v1 import Namespace, Service
from kcore.api.discovery_v1 import SERVICE_NAME, Endpoint, EndpointSlice
from kcore.client.informer import Informers

__all__ = ["Directory", "InformedDirectory", "NamedEndpoint"]

_BY_SERVICE, _BY_ADDRESS = "dns service", "dns address"


class NamedEndpoint(NamedTuple):
    """One address behind a Service. `name` is the pod's hostname, or the address with dashes; `ports` are of
    (name, protocol in lower case, number)."""

    name: str
    address: str
    ports: tuple[tuple[str, str, int], ...]


class Directory(Protocol):
    def service(self, namespace: str, name: str) -> Service | None: ...

    def services_at(self, address: str) -> Iterable[Service]:
        """Those with this cluster IP."""

    def endpoints(self, namespace: str, service: str) -> Iterable[NamedEndpoint]:
        """Those that are ready."""

    def endpoint_at(self, address: str) -> tuple[Service, NamedEndpoint] | None:
        """The endpoint of a headless Service that has this address and a hostname of its own."""

    def has_namespace(self, name: str) -> bool: ...


class InformedDirectory:
    """A directory over the caches of this process."""

    def __init__(self, informers: Informers) -> None:
        self._services = informers.of(Service)
        self._slices = informers.of(EndpointSlice)
        self._namespaces = informers.of(Namespace)
        self._services.add_index(_BY_ADDRESS, lambda service: service.spec.cluster_ips)
        self._slices.add_index(_BY_SERVICE, _service_of)
        self._slices.add_index(_BY_ADDRESS, _addresses)

    async def wait_synced(self) -> None:
        for wait in (self._services.wait_synced, self._slices.wait_synced, self._namespaces.wait_synced):
            await wait()

    def service(self, namespace: str, name: str) -> Service | None:
        return self._services.get_object(namespace, name)

    def services_at(self, address: str) -> Iterable[Service]:
        return self._services.by_index(_BY_ADDRESS, address)

    def endpoints(self, namespace: str, service: str) -> Iterable[NamedEndpoint]:
        return _named(self._slices.by_index(_BY_SERVICE, f"{namespace}/{service}"))

    def endpoint_at(self, address: str) -> tuple[Service, NamedEndpoint] | None:
        for slice_ in self._slices.by_index(_BY_ADDRESS, address):
            metadata = slice_.metadata
            service = self.service(metadata.namespace, metadata.labels.get(SERVICE_NAME, ""))
            if service is None or service.spec.cluster_ip != "None":
                continue
            for endpoint in slice_.endpoints or ():
                if address in endpoint.addresses and endpoint.hostname:
                    return service, _name(slice_, endpoint)
        return None

    def has_namespace(self, name: str) -> bool:
        return self._namespaces.get(name) is not None


def _service_of(slice_: EndpointSlice) -> tuple[str, ...]:
    service = slice_.metadata.labels.get(SERVICE_NAME)
    return (f"{slice_.metadata.namespace}/{service}",) if service else ()


def _addresses(slice_: EndpointSlice) -> Iterator[str]:
    for endpoint in slice_.endpoints or ():
        yield from endpoint.addresses


def _named(slices: Iterable[EndpointSlice]) -> Iterator[NamedEndpoint]:
    """In the order of their addresses, so that equal questions get equal answers; the ports of all slices together."""
    found: dict[str, NamedEndpoint] = {}
    for slice_ in slices:
        for endpoint in slice_.endpoints or ():
            if endpoint.conditions.ready is False or not endpoint.addresses:
                continue
            named = _name(slice_, endpoint)
            known = found.get(named.address)
            ports = (*known.ports, *named.ports) if known is not None else named.ports
            found[named.address] = named._replace(ports=tuple(dict.fromkeys(ports)))
    return iter(sorted(found.values(), key=lambda named: ip_address(named.address).packed))


def _name(slice_: EndpointSlice, endpoint: Endpoint) -> NamedEndpoint:
    address = endpoint.addresses[0]
    ports = tuple((p.name or "", (p.protocol or "TCP").lower(), p.port) for p in slice_.ports or () if p.port)
    return NamedEndpoint(endpoint.hostname or address.replace(".", "-").replace(":", "-"), address, ports)
