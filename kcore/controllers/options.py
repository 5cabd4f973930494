"""What the controllers may be told: the flags of the command line, and what the process has to give them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from kcore.controllers.certificates.authority import Authority
from kcore.registry.service_account_tokens import Signer

__all__ = ["ControllerOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerOptions:
    """The first ones are flags, by upstream's names. What is left empty has nobody who does it."""

    controllers: tuple[str, ...] = ("*",)
    """Which ones run: see `manager.chosen`."""
    load_balancer_cidr: str | None = None
    """Where Services of type LoadBalancer get their addresses from."""
    cloud_nodes: bool = False
    """Whether a cloud in memory has the machines that the nodes are."""
    node_cidr_mask_size: int = 24
    node_cidr_mask_size_ipv6: int = 64
    node_monitor_grace_period: float = 50.0
    """Seconds without a sign of life after which a node is unknown."""
    node_eviction_rate: float = 0.1
    """How many nodes of a zone a second have their pods evicted."""
    secondary_node_eviction_rate: float = 0.01
    """The same while a large part of the zone is unhealthy."""
    unhealthy_zone_threshold: float = 0.55
    large_cluster_size_threshold: int = 50
    """Zones up to this size evict nothing while they are unhealthy."""
    terminated_pod_gc_threshold: int = 12_500

    cluster_cidr: str = ""
    """What nodes get their pod addresses from: one range, or one of each family with a comma between."""
    root_ca: bytes = b""
    """The certificate of the authority that signed the API server's, in PEM."""
    authority: Authority | None = None
    """Who signs the certificates that are asked for."""
    token_signer: Signer | None = None
    """Who signs the tokens that secrets of service accounts ask for."""
    volume_directory: Path = Path("/var/lib/kcore/volumes")
    """Where the volumes of kcore's own provisioner are."""

    def __post_init__(self) -> None:
        for cidr in filter(None, self.cluster_cidr.split(",")):
            network = ipaddress.ip_network(cidr)
            size = self.mask_size(network.version)
            if not network.prefixlen <= size <= network.max_prefixlen:
                raise ValueError(f"nodes can not have a /{size} out of the cluster CIDR {cidr}")

    def mask_size(self, version: int) -> int:
        return self.node_cidr_mask_size if version == 4 else self.node_cidr_mask_size_ipv6
