"""Defaults of Services and of what routes to them."""

from __future__ import annotations

from kcore.api.core_v1 import ClientIPConfig, Endpoints, Service, ServiceSpec, SessionAffinityConfig
from kcore.api.schema import fill

__all__ = ["default_endpoints", "default_service", "is_externally_accessible"]

_STICKY_SECONDS = 3 * 60 * 60


def default_service(service: Service) -> None:
    spec = service.spec
    fill(spec, type=spec.type or "ClusterIP")
    _default_affinity(spec)
    for port in spec.ports:
        fill(port, protocol=port.protocol or "TCP", target_port=port.target_port or port.port)
    if not spec.external_traffic_policy and is_externally_accessible(spec):
        fill(spec, external_traffic_policy="Cluster")
    if spec.internal_traffic_policy is None and spec.type in ("ClusterIP", "NodePort", "LoadBalancer"):
        fill(spec, internal_traffic_policy="Cluster")
    if spec.type == "LoadBalancer":
        if spec.allocate_load_balancer_node_ports is None:
            fill(spec, allocate_load_balancer_node_ports=True)
        for ingress in service.status.load_balancer.ingress:
            if ingress.ip and ingress.ip_mode is None:
                fill(ingress, ip_mode="VIP")


def is_externally_accessible(spec: ServiceSpec) -> bool:
    """Whether the service can be reached from outside, so that an external traffic policy means something."""
    return spec.type in ("NodePort", "LoadBalancer") or (spec.type == "ClusterIP" and bool(spec.external_ips))


def _default_affinity(spec: ServiceSpec) -> None:
    fill(spec, session_affinity=spec.session_affinity or "None")
    if spec.session_affinity == "None":
        fill(spec, session_affinity_config=None)
    elif spec.session_affinity == "ClientIP":
        config = spec.session_affinity_config
        if config is None or config.client_ip is None or config.client_ip.timeout_seconds is None:
            client_ip = ClientIPConfig(timeout_seconds=_STICKY_SECONDS)
            fill(spec, session_affinity_config=SessionAffinityConfig(client_ip=client_ip))


def default_endpoints(endpoints: Endpoints) -> None:
    for subset in endpoints.subsets:
        for port in subset.ports:
            if not port.protocol:
                fill(port, protocol="TCP")
