"""Services and slices for the proxy's tests, briefly told."""

from __future__ import annotations

from typing import Any

from kcore.api.core_v1 import LoadBalancerIngress, LoadBalancerStatus, Service, ServicePort, ServiceSpec, ServiceStatus
from kcore.api.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from kcore.api.meta_v1 import ObjectMeta
from kcore.proxy.rules import Rule, rules_of_service
from kcore.proxy.topology import EVERYWHERE, Place

__all__ = ["endpoint", "one_rule", "service", "slice_of"]


def service(ip: str = "10.96.0.41", ingress: tuple[str, ...] = (), name: str = "ns1/svc1", **spec: Any) -> Service:
    """`ns1/svc1` with one port `p80`, unless `ports` says otherwise."""
    namespace, _, own = name.partition("/")
    spec = {"type": "ClusterIP", "ports": (ServicePort(name="p80", port=80, protocol="TCP"),), **spec}
    return Service(
        metadata=ObjectMeta(name=own, namespace=namespace),
        spec=ServiceSpec(cluster_ip=ip, cluster_ips=(ip,), **spec),
        status=ServiceStatus(
            load_balancer=LoadBalancerStatus(ingress=tuple(LoadBalancerIngress(ip=ip) for ip in ingress))
        ),
    )


def endpoint(address: str, state: str = "ready", node: str = "", **more: Any) -> Endpoint:
    """`state`: ready, unready, outgoing (terminating, still serving) or dying (terminating, not serving)."""
    conditions = EndpointConditions(
        ready=state == "ready", serving=state in ("ready", "outgoing"), terminating=state in ("outgoing", "dying")
    )
    return Endpoint(addresses=(address,), conditions=conditions, node_name=node or None, **more)


def slice_of(*endpoints: Endpoint, service: str = "svc1", port: EndpointPort | None = None) -> EndpointSlice:
    port = port or EndpointPort(name="p80", port=80, protocol="TCP")
    labels = {"kubernetes.io/service-name": service}
    metadata = ObjectMeta(name=f"{service}-1", namespace="ns1", labels=labels)
    family = "IPv6" if any(":" in e.addresses[0] for e in endpoints) else "IPv4"
    return EndpointSlice(metadata=metadata, address_type=family, endpoints=endpoints, ports=(port,))


def one_rule(service: Service, *endpoints: Endpoint, place: Place = EVERYWHERE) -> Rule:
    [rule] = rules_of_service(service, [slice_of(*endpoints)], place).values()
    return rule
