"""Opens a portal for each address and port of the rules, and closes it when there is nobody behind it.

A Service without endpoints has no open portal, so the kernel refuses its clients at once, as iptables' REJECT does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any

import anyio
import structlog
from anyio.abc import TaskGroup, TaskStatus

from kcore.proxy.backend import BackendFault
from kcore.proxy.rules import Diff, Rule
from kcore.proxy.serviceport import PortName
from kcore.proxy.userspace.balancer import Balancer
from kcore.proxy.userspace.portal import Portal, PortalAddress

__all__ = ["Userspace"]

log = structlog.get_logger(__name__)

LOOPBACK = {"IPv4": "127.0.0.1", "IPv6": "::1"}
CARRIED = ("TCP", "UDP")


class Userspace:
    """The back end. `node_addresses`: where node ports listen."""

    def __init__(self, node_addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        self._node_addresses = tuple(node_addresses)
        self._rules: dict[PortName, Rule] = {}
        self._portals: dict[PortName, dict[PortalAddress, Portal]] = {}
        self._balancers: dict[tuple[PortName, bool], Balancer] = {}
        self._leaving: list[Portal] = []
        """Closed portals whose last clients have not left yet."""
        self._tasks: TaskGroup | None = None

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        async with anyio.create_task_group() as self._tasks:
            task_status.started()
            try:
                await anyio.sleep_forever()
            finally:
                portals = [portal for portals in self._portals.values() for portal in portals.values()]
                for portal in (*portals, *self._leaving):
                    portal.close(abort=True)

    async def apply(self, diff: Diff) -> None:
        refused = []
        for name in diff.gone:
            self._rules.pop(name, None)
            self._close(name)
        for name, rule in diff.put.items():
            self._rules[name] = rule
            refused += await self._put(rule)
        if refused:
            raise BackendFault("; ".join(refused))

    def statistics(self) -> Any:
        return {
            f"{name}/{name.protocol}": [portal.statistics() for portal in portals.values()]
            for name, portals in self._portals.items()
        }

    def portals(self, name: PortName) -> Sequence[Portal]:
        """The open portals of a service port."""
        return tuple(self._portals.get(name, {}).values())

    async def _put(self, rule: Rule) -> list[str]:
        """Open, change and close what the rule asks for; returns what could not be had."""
        assert self._tasks is not None, "run first"
        refused, wanted = [], dict(self._wanted(rule))
        portals = self._portals.setdefault(rule.name, {})
        for address in [address for address in portals if address not in wanted]:
            self._retire(portals.pop(address))
        for address, balancer in wanted.items():
            if known := portals.get(address):
                known.update(balancer)
                continue
            portal = Portal(address, balancer, self._tasks)
            try:
                await portal.open()
            except OSError as error:
                refused.append(f"{rule.name}: can not listen on {address.ip}:{address.port}: {error.strerror or error}")
            else:
                portals[address] = portal
        if not portals:
            self._close(rule.name)
        return refused

    def _wanted(self, rule: Rule) -> Iterator[tuple[PortalAddress, Balancer]]:
        port, protocol = rule.port, rule.name.protocol
        if protocol not in CARRIED:
            return
        inside, outside = self._balancer(rule, port.internal_local), self._balancer(rule, port.external_local)
        if inside.endpoints:
            # An address that this machine can not be dialled at: a port of our own instead, at random.
            own = ip_address(port.cluster_ip).is_loopback
            yield (
                PortalAddress(
                    protocol, port.cluster_ip if own else LOOPBACK[rule.name.family], port.port if own else 0
                ),
                inside,
            )
        if outside.endpoints:
            for ip in (*port.external_ips, *port.load_balancer_ips):
                if ip_address(ip).is_loopback:
                    yield PortalAddress(protocol, ip, port.port), outside
            for ip in self._node_addresses if port.node_port else ():
                if ip_address(ip).version == (6 if rule.name.family == "IPv6" else 4):
                    yield PortalAddress(protocol, ip, port.node_port), outside

    def _balancer(self, rule: Rule, local: bool) -> Balancer:
        """The one balancer of a service port's policy, whatever portals it stands behind."""
        endpoints = rule.endpoints.local if local else rule.endpoints.cluster
        balancer = self._balancers.setdefault((rule.name, local), Balancer())
        balancer.update(endpoints, rule.port.affinity_seconds)
        return balancer

    def _close(self, name: PortName) -> None:
        for portal in self._portals.pop(name, {}).values():
            self._retire(portal)
        for local in (False, True):
            self._balancers.pop((name, local), None)

    def _retire(self, portal: Portal) -> None:
        portal.close()
        self._leaving = [leaving for leaving in (*self._leaving, portal) if leaving.occupied]
