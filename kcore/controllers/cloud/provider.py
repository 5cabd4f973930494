"""The Protocol between the service controller and a cloud, and the cloud that kcore brings along."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Protocol

from kcore.api.core_v1 import Service

__all__ = ["CloudError", "LoadBalancers", "MemoryLoadBalancers"]


class CloudError(Exception):
    """The cloud can not do it; the message says why."""


class LoadBalancers(Protocol):
    """One load balancer for each Service, by its uid. Every call may be repeated."""

    async def ensure(self, service: Service, nodes: Sequence[str]) -> Sequence[str]:
        """Have a load balancer in front of these nodes; returns its addresses. Raises CloudError."""

    async def update(self, service: Service, nodes: Sequence[str]) -> None:
        """Have the load balancer that stands lead to these nodes."""

    async def delete(self, service: Service) -> None:
        """Take it down, if there is one."""

    def remember(self, services: Iterable[Service]) -> None:
        """What there is at the start, as Services tell it: a cloud that forgets is told again."""


class MemoryLoadBalancers:
    """Hands out the addresses of a range. There is nobody behind them but what forwards Services anyway (kube-proxy
    takes traffic to them wherever it is)."""

    def __init__(self, cidr: str) -> None:
        self._network = ipaddress.ip_network(cidr)
        self._addresses: dict[str, str] = {}
        self._nodes: dict[str, tuple[str, ...]] = {}

    async def ensure(self, service: Service, nodes: Sequence[str]) -> Sequence[str]:
        uid, wanted = service.metadata.uid, service.spec.load_balancer_ip
        standing = self._addresses.get(uid)
        if standing is None or (wanted and wanted != standing):
            self._addresses[uid] = self._named(wanted) if wanted else self._free()
        self._nodes[uid] = tuple(nodes)
        return [self._addresses[uid]]

    async def update(self, service: Service, nodes: Sequence[str]) -> None:
        self._nodes[service.metadata.uid] = tuple(nodes)

    async def delete(self, service: Service) -> None:
        self._addresses.pop(service.metadata.uid, None)
        self._nodes.pop(service.metadata.uid, None)

    def remember(self, services: Iterable[Service]) -> None:
        for service in services:
            for ingress in service.status.load_balancer.ingress:
                if ingress.ip and ipaddress.ip_address(ingress.ip) in self._network:
                    self._addresses[service.metadata.uid] = ingress.ip

    def nodes(self, service: Service) -> Sequence[str]:
        """The nodes behind a load balancer."""
        return self._nodes.get(service.metadata.uid, ())

    def _named(self, address: str) -> str:
        if ipaddress.ip_address(address) not in self._network:
            raise CloudError(f"the address {address} is not of {self._network}")
        if address in self._addresses.values():
            raise CloudError(f"the address {address} is in use")
        return address

    def _free(self) -> str:
        taken = set(self._addresses.values())
        found = next((text for host in self._network.hosts() if (text := str(host)) not in taken), None)
        if found is None:
            raise CloudError(f"no address of {self._network} is free")
        return found
