"""One port of a Service, with all that decides where its traffic may come from and go to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from kcore.api.core_v1 import Service, ServiceSpec
from kcore.registry.validation.addresses import family_of

__all__ = ["PortName", "ServicePort", "service_ports"]

DEFAULT_AFFINITY_SECONDS = 10800


class PortName(NamedTuple):
    """Which port, in which IP family. `port` is its name, often empty; `protocol` is TCP, UDP or SCTP."""

    namespace: str
    service: str
    port: str
    protocol: str
    family: str = "IPv4"

    def __str__(self) -> str:
        """As kube-proxy's comments and chain hashes spell it: the colon stays where the port has no name."""
        return f"{self.namespace}/{self.service}:{self.port}"


@dataclass(frozen=True, slots=True)
class ServicePort:
    """`affinity_seconds` 0: no affinity. `internal_local`, `external_local`: the traffic policies are Local."""

    name: PortName
    cluster_ip: str
    port: int
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    load_balancer_ips: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    affinity_seconds: int = 0
    internal_local: bool = False
    external_local: bool = False
    health_check_node_port: int = 0

    @property
    def externally_accessible(self) -> bool:
        return bool(self.node_port or self.external_ips or self.load_balancer_ips)

    @property
    def uses_cluster_endpoints(self) -> bool:
        """Also where the external policy is Local: what comes from this node itself may go anywhere."""
        return not self.internal_local or self.externally_accessible

    @property
    def uses_local_endpoints(self) -> bool:
        return self.internal_local or (self.external_local and self.externally_accessible)


def service_ports(service: Service) -> Iterator[ServicePort]:
    """The ports that a proxy serves, each once for every IP family. None for headless and ExternalName Services."""
    spec, metadata = service.spec, service.metadata
    if spec.type == "ExternalName":
        return
    for cluster_ip in spec.cluster_ips or (spec.cluster_ip,):
        if not cluster_ip or cluster_ip == "None":
            continue
        family = family_of(cluster_ip)
        for port in spec.ports:
            yield ServicePort(
                name=PortName(metadata.namespace, metadata.name, port.name, port.protocol or "TCP", family),
                cluster_ip=cluster_ip,
                port=port.port,
                node_port=port.node_port if spec.type in ("NodePort", "LoadBalancer") else 0,
                external_ips=_of_family(spec.external_ips, family),
                load_balancer_ips=_load_balancer_ips(service, family),
                source_ranges=_source_ranges(spec, family),
                affinity_seconds=_affinity_seconds(spec),
                internal_local=spec.internal_traffic_policy == "Local",
                external_local=spec.external_traffic_policy == "Local",
                health_check_node_port=spec.health_check_node_port if spec.type == "LoadBalancer" else 0,
            )


def _of_family(addresses: Iterable[str], family: str) -> tuple[str, ...]:
    return tuple(address for address in addresses if family_of(address.partition("/")[0]) == family)


def _load_balancer_ips(service: Service, family: str) -> tuple[str, ...]:
    """Those whose packets arrive here unchanged; a balancer in `Proxy` mode (KEP-1860) sends to node ports instead."""
    if service.spec.type != "LoadBalancer":
        return ()
    ingress = service.status.load_balancer.ingress
    return _of_family((entry.ip for entry in ingress if entry.ip and entry.ip_mode != "Proxy"), family)


def _source_ranges(spec: ServiceSpec, family: str) -> tuple[str, ...]:
    """None at all where everybody is allowed."""
    ranges = _of_family((text.strip() for text in spec.load_balancer_source_ranges), family)
    return () if any(text.endswith("/0") for text in ranges) else ranges


def _affinity_seconds(spec: ServiceSpec) -> int:
    if spec.session_affinity != "ClientIP":
        return 0
    config = spec.session_affinity_config
    client = config.client_ip if config is not None else None
    return (client.timeout_seconds if client is not None else None) or DEFAULT_AFFINITY_SECONDS
