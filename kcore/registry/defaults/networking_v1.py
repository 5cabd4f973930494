"""Defaults of the networking and discovery groups."""

from __future__ import annotations

from kcore.api.discovery_v1 import EndpointSlice
from kcore.api.networking_v1 import IngressClass, NetworkPolicy
from kcore.api.schema import fill

__all__ = ["default_endpoint_slice", "default_ingress_class", "default_network_policy"]


def default_ingress_class(ingress_class: IngressClass) -> None:
    parameters = ingress_class.spec.parameters
    if parameters is not None and parameters.scope is None:
        fill(parameters, scope="Cluster")


def default_network_policy(policy: NetworkPolicy) -> None:
    """Which directions a policy is about is inferred from the rules it has; ingress always, as it was there first."""
    spec = policy.spec
    ports = [port for ingress in spec.ingress for port in ingress.ports]
    ports += [port for egress in spec.egress for port in egress.ports]
    for port in ports:
        if port.protocol is None:
            fill(port, protocol="TCP")
    if not spec.policy_types:
        fill(spec, policy_types=("Ingress", "Egress") if spec.egress else ("Ingress",))


def default_endpoint_slice(slice_: EndpointSlice) -> None:
    """Lists that are empty are stored as absent, and so read as null."""
    for port in slice_.ports or ():
        if port.name is None:
            fill(port, name="")
        if port.protocol is None:
            fill(port, protocol="TCP")
    fill(slice_, endpoints=slice_.endpoints or None, ports=slice_.ports or None)
