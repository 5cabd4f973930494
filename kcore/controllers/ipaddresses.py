"""Every cluster IP of a Service has an IPAddress that says whose it is (KEP-1880), and nobody else has one of ours.

Upstream's API server writes them with the Service, and a loop repairs what went wrong; here the loop does both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kcore.api.core_v1 import Service
from kcore.api.errors import AlreadyExists
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.networking_v1 import IPAddress, IPAddressSpec, ParentReference
from kcore.api.object import Object
from kcore.client.client import Client
from kcore.client.informer import Informers
from kcore.client.removal import delete_exactly
from kcore.client.runner import Controller, MapFunction
from kcore.registry.validation.addresses import family_of, parse_ip

__all__ = ["IPAddressController"]

MANAGED_BY, ALLOCATOR = "ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io"
FAMILY = "ipaddress.kubernetes.io/ip-family"
_BY_IP = "cluster IP"


def _cluster_ips(service: Service) -> Iterator[str]:
    """Spelled canonically, as the names of IPAddresses are."""
    for text in service.spec.cluster_ips:
        if (address := parse_ip(text)) is not None:
            yield str(address)


class IPAddressController(Controller):
    """Keys are addresses."""

    name = "ip-address-controller"
    root = IPAddress
    workers = 1

    def __init__(self, client: Client, informers: Informers) -> None:
        super().__init__()
        self._client = client
        self._addresses = informers.of(IPAddress)
        self._services = informers.of(Service)
        self._services.add_index(_BY_IP, _cluster_ips)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Service: self._service_changed}

    def _service_changed(self, old: Service | None, new: Service | None) -> Iterator[str]:
        before = set(_cluster_ips(old)) if old is not None else set()
        after = set(_cluster_ips(new)) if new is not None else set()
        yield from before ^ after

    async def reconcile(self, key: str) -> None:
        standing, owners = self._addresses.get(key), self._services.by_index(_BY_IP, key)
        wanted = _address(key, owners[0]) if owners else None
        if standing is not None and standing.metadata.labels.get(MANAGED_BY) != ALLOCATOR:
            return
        if standing is not None and (wanted is None or standing.spec != wanted.spec):
            await delete_exactly(self._client, standing)  # the address may have found another owner
            standing = None
        if wanted is not None and standing is None:
            try:
                await self._client.create(wanted)
            except AlreadyExists:
                return


def _address(ip: str, service: Service) -> IPAddress:
    metadata = service.metadata
    parent = ParentReference(resource="services", namespace=metadata.namespace, name=metadata.name)
    labels = {FAMILY: family_of(ip), MANAGED_BY: ALLOCATOR}
    return IPAddress(metadata=ObjectMeta(name=ip, labels=labels), spec=IPAddressSpec(parent_ref=parent))
