"""The networking and discovery groups, and Leases."""

from __future__ import annotations

from collections.abc import Sequence

from kcore.api.coordination_v1 import Lease
from kcore.api.discovery_v1 import EndpointSlice
from kcore.api.field import FieldError
from kcore.api.networking_v1 import Ingress, IngressClass, IPAddress, NetworkPolicy, ServiceCIDR
from kcore.api.schema import fill
from kcore.registry.defaults.networking_v1 import (
    default_endpoint_slice,
    default_ingress_class,
    default_network_policy,
)
from kcore.registry.request import Request
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.validation.coordination_v1 import validate_lease
from kcore.registry.validation.endpoints import (
    endpoint_slice_warnings,
    validate_endpoint_slice,
    validate_endpoint_slice_update,
)
from kcore.registry.validation.networking_v1 import (
    ingress_warnings,
    ip_address_name,
    network_policy_warnings,
    validate_ingress,
    validate_ingress_class,
    validate_ingress_class_update,
    validate_ingress_status,
    validate_ingress_update,
    validate_ip_address,
    validate_ip_address_update,
    validate_network_policy,
    validate_network_policy_update,
    validate_service_cidr,
    validate_service_cidr_update,
)

__all__ = ["STRATEGIES"]


class IngressStrategy(Ruled):
    type = Ingress
    generation = ("spec",)
    rules = Rules(
        create=validate_ingress,
        update=validate_ingress_update,
        status=validate_ingress_status,
        advice=ingress_warnings,
    )


class IngressClassStrategy(Ruled):
    type = IngressClass
    generation = ("spec",)
    rules = Rules(default_ingress_class, validate_ingress_class, validate_ingress_class_update)


class NetworkPolicyStrategy(Ruled):
    type = NetworkPolicy
    generation = ("spec",)
    rules = Rules(
        default_network_policy,
        validate_network_policy,
        validate_network_policy_update,
        advice=network_policy_warnings,
    )


class IPAddressStrategy(Ruled):
    type = IPAddress
    name_rule = staticmethod(ip_address_name)
    rules = Rules(create=validate_ip_address, update=validate_ip_address_update)


class ServiceCIDRStrategy(Ruled):
    type = ServiceCIDR
    rules = Rules(create=validate_service_cidr, update=validate_service_cidr_update)


class EndpointSliceStrategy(Ruled):
    type = EndpointSlice
    generation = ("address_type", "endpoints", "ports")
    rules = Rules(
        default_endpoint_slice,
        validate_endpoint_slice,
        validate_endpoint_slice_update,
        advice=endpoint_slice_warnings,
    )

    def prepare_for_create(self, req: Request, obj: EndpointSlice) -> None:
        super().prepare_for_create(req, obj)
        _drop_topology(obj)

    def prepare_for_update(self, req: Request, new: EndpointSlice, old: EndpointSlice) -> None:
        """Labels count as part of the whole: they say which Service it is of."""
        super().prepare_for_update(req, new, old)
        if new.metadata.labels != old.metadata.labels:
            fill(new.metadata, generation=old.metadata.generation + 1)
        if new.endpoints != old.endpoints:
            _drop_topology(new)

    def validate(self, req: Request, obj: EndpointSlice) -> Sequence[FieldError]:
        return list(validate_endpoint_slice(obj, self.env.pod_loopback))

    def validate_update(self, req: Request, new: EndpointSlice, old: EndpointSlice) -> Sequence[FieldError]:
        return list(validate_endpoint_slice_update(new, old, self.env.pod_loopback))


def _drop_topology(slice_: EndpointSlice) -> None:
    """A field of an older version of the API, which v1 shows but does not take."""
    for endpoint in slice_.endpoints or ():
        if endpoint.deprecated_topology:
            fill(endpoint, deprecated_topology={})


class LeaseStrategy(Ruled):
    type = Lease
    create_on_update = True
    unconditional_update = False
    rules = Rules(create=validate_lease)


STRATEGIES = (
    IngressStrategy,
    IngressClassStrategy,
    NetworkPolicyStrategy,
    IPAddressStrategy,
    ServiceCIDRStrategy,
    EndpointSliceStrategy,
    LeaseStrategy,
)
