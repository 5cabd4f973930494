"""UDP flows that the kernel remembers: it would send packets on to where rules led before.

TCP ends by itself when its other end is gone; a UDP client that keeps its port keeps its flow, too. So flows to an
endpoint that left a Service are forgotten, and all flows of a Service that had nobody, or is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kcore.proxy.rules import Diff, Rule
from kcore.proxy.serviceport import PortName, ServicePort

__all__ = ["Flows", "stale_flows"]


class Flows(NamedTuple):
    """All flows to a destination; or only those that were led to `endpoint`. A node port has no address."""

    destination: str = ""
    port: int = 0
    endpoint: str = ""

    def arguments(self) -> list[str]:
        """What `conntrack -D -p udp` takes."""
        given = (("--orig-dst", self.destination), ("--dport", str(self.port or "")), ("--dst-nat", self.endpoint))
        return [word for option, value in given if value for word in (option, value)]


def stale_flows(before: Mapping[PortName, Rule], diff: Diff) -> Iterator[Flows]:
    """What to forget, once `diff` is in force over the rules of `before`."""
    for name, rule in (*diff.put.items(), *diff.gone.items()):
        old = before.get(name)
        if name.protocol != "UDP" or old is None:
            continue
        left = {str(endpoint) for endpoint in rule.endpoints.all} if name in diff.put else set()
        had = {str(endpoint): endpoint.address for endpoint in old.endpoints.all}
        for destination in _destinations(old.port):
            if not left or not had:
                yield destination
            else:
                yield from (destination._replace(endpoint=had[text]) for text in had if text not in left)


def _destinations(port: ServicePort) -> Iterator[Flows]:
    for ip in (port.cluster_ip, *port.external_ips, *port.load_balancer_ips):
        yield Flows(destination=ip)
    if port.node_port:
        yield Flows(port=port.node_port)
