"""What the proxy may be told."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

__all__ = ["MODES", "ProxyOptions"]

MODES = ("auto", "userspace", "iptables", "none")


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """Fields are called as the flags are. Raises ValueError for what makes no sense."""

    proxy_mode: str = "auto"
    nodeport_addresses: tuple[str, ...] = ("127.0.0.1",)
    iptables_netns: str = ""
    iptables_cleanup: bool = False
    masquerade_all: bool = False
    proxy_bind_address: str = "127.0.0.1"
    proxy_healthz_port: int | None = None
    proxy_metrics_port: int | None = None

    def __post_init__(self) -> None:
        if self.proxy_mode not in MODES:
            raise ValueError(f"--proxy-mode {self.proxy_mode}: there are {', '.join(MODES)}")
        for address in self.nodeport_addresses:
            try:
                ip_address(address)
            except ValueError:
                raise ValueError(f"--nodeport-addresses: {address!r} is no IP address") from None
        if "/" in self.iptables_netns:
            raise ValueError(f"--iptables-netns takes the name of a network namespace, not {self.iptables_netns!r}")

    def mode(self, service_cidr: str) -> str:
        """The back end: relays where this machine can be dialled at the services' addresses, else none."""
        if self.proxy_mode != "auto":
            return self.proxy_mode
        return "userspace" if ip_network(service_cidr.partition(",")[0]).is_loopback else "none"
