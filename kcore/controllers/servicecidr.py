"""ServiceCIDRs: ready to give addresses, and held back from going while addresses of theirs are in use (KEP-1880)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address, ip_network

from msgspec.structs import replace

from kcore.api.meta_v1 import Condition, ObjectMeta
from kcore.api.networking_v1 import IPAddress, ServiceCIDR, ServiceCIDRSpec, ServiceCIDRStatus
from kcore.api.object import Object
from kcore.api.timestamp import format_seconds
from kcore.client.client import Client
from kcore.client.ensure import ensure
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.context import Context

__all__ = ["FINALIZER", "ServiceCIDRController", "ensure_service_cidr"]

FINALIZER = "networking.k8s.io/service-cidr-finalizer"
READY = "Kubernetes Service CIDR is ready"
IN_USE = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"


class ServiceCIDRController(Controller):
    """Upstream's service-cidr-controller."""

    name = "service-cidr-controller"
    root = ServiceCIDR
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._cidrs = context.informers.of(ServiceCIDR)
        self._addresses = context.informers.of(IPAddress)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {IPAddress: self._address_changed}

    def _address_changed(self, old: IPAddress | None, new: IPAddress | None) -> Iterator[str]:
        """Only one that goes can let a range go."""
        if new is None:
            yield from (c.metadata.name for c in self._cidrs.values() if c.metadata.deletion_timestamp is not None)

    async def reconcile(self, key: str) -> None:
        cidr = self._cidrs.get(key)
        if cidr is None:
            return
        if cidr.metadata.deletion_timestamp is None:
            await self._keep(cidr)
        elif FINALIZER not in cidr.metadata.finalizers:
            return
        elif self._is_needed(cidr):
            await self._say(cidr, "False", "Terminating", IN_USE)
        else:
            left = tuple(name for name in cidr.metadata.finalizers if name != FINALIZER)
            await self._client.update(replace(cidr, metadata=replace(cidr.metadata, finalizers=left)))

    async def _keep(self, cidr: ServiceCIDR) -> None:
        if FINALIZER not in cidr.metadata.finalizers:
            finalizers = (*cidr.metadata.finalizers, FINALIZER)
            cidr = await self._client.update(replace(cidr, metadata=replace(cidr.metadata, finalizers=finalizers)))
        await self._say(cidr, "True", "", READY)

    def _is_needed(self, cidr: ServiceCIDR) -> bool:
        """Whether an address is in use that no other range covers."""
        others = [c for c in self._cidrs.values() if c is not cidr and c.metadata.deletion_timestamp is None]
        return any(
            _covers((cidr,), address.metadata.name) and not _covers(others, address.metadata.name)
            for address in self._addresses.values()
        )

    async def _say(self, cidr: ServiceCIDR, status: str, reason: str, message: str) -> None:
        said = next((c for c in cidr.status.conditions if c.type == "Ready"), None)
        if said is not None and (said.status, said.reason, said.message) == (status, reason, message):
            return
        condition = Condition(
            type="Ready",
            status=status,
            reason=reason,
            message=message,
            last_transition_time=format_seconds(self._clock.now()),
        )
        others = tuple(c for c in cidr.status.conditions if c.type != "Ready")
        status_ = ServiceCIDRStatus(conditions=(*others, condition))
        await self._client.update(replace(cidr, status=status_), subresource="status")


def _covers(cidrs: Iterable[ServiceCIDR], address: str) -> bool:
    return any(ip_address(address) in ip_network(text) for cidr in cidrs for text in cidr.spec.cidrs)


async def ensure_service_cidr(client: Client, service_cidr: str) -> None:
    """The range that the API server was started with is a ServiceCIDR, too, called `kubernetes`."""
    spec = ServiceCIDRSpec(cidrs=tuple(str(ip_network(text)) for text in service_cidr.split(",")))
    await ensure(client, ServiceCIDR(metadata=ObjectMeta(name="kubernetes"), spec=spec))
