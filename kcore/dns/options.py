"""What the DNS server may be told, and where it is found."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from kcore.api.names import dns1123_subdomain

__all__ = ["DnsOptions"]

TENTH = 10


@dataclass(frozen=True, slots=True)
class DnsOptions:
    """Fields are called as the flags are. Raises ValueError for what makes no sense."""

    cluster_dns: bool = True
    cluster_domain: str = "cluster.local"
    dns_port: int = 53
    dns_upstream: str = ""

    def __post_init__(self) -> None:
        if words := dns1123_subdomain(self.cluster_domain):
            raise ValueError(f"--cluster-domain: {'; '.join(words)}")
        host, _, port = self.dns_upstream.partition("#")
        try:
            if host:
                ip_address(host)
            if port and not 0 < int(port) < 65536:
                raise ValueError
        except ValueError:
            raise ValueError(f"--dns-upstream: {self.dns_upstream!r} is no ADDRESS or ADDRESS#PORT") from None

    def address(self, service_cidr: str) -> str:
        """The tenth address of the service range, as kubeadm has it; empty where this machine does not have it."""
        network = ip_network(service_cidr.partition(",")[0])
        if not self.cluster_dns or not network.is_loopback or network.num_addresses <= TENTH + 1:
            return ""
        return str(network[TENTH])
