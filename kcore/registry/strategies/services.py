"""Services: what they get allocated, and which fields go when the type changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import ClassVar

from msgspec.structs import replace

from kcore.api.core_v1 import Endpoints, LoadBalancerStatus, Service, ServiceSpec
from kcore.api.field import FieldError
from kcore.api.names import dns1123_label
from kcore.api.networking_v1 import ServiceCIDR
from kcore.api.schema import fill
from kcore.registry.defaults.services import default_endpoints, default_service, is_externally_accessible
from kcore.registry.request import Request
from kcore.registry.service_allocation import ServiceAllocator
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.strategy import Settle
from kcore.registry.validation.endpoints import endpoints_warnings, validate_endpoints
from kcore.registry.validation.services import (
    needs_health_check,
    service_warnings,
    validate_service,
    validate_service_status_update,
    validate_service_update,
)

__all__ = ["STRATEGIES", "EndpointsStrategy", "ServiceStrategy"]


class ServiceStrategy(Ruled):
    type = Service
    create_on_update = True
    name_rule = staticmethod(dns1123_label)
    returns_deleted = True
    selectable: ClassVar = {"spec.clusterIP": lambda s: s.spec.cluster_ip, "spec.type": lambda s: s.spec.type}
    rules = Rules(
        default_service,
        validate_service,
        validate_service_update,
        validate_service_status_update,
        service_warnings,
    )

    @cached_property
    def _allocator(self) -> ServiceAllocator:
        """Built from what is stored when the first Service is written."""
        env = self.env
        allocator = ServiceAllocator(env.service_cidr.split(","), env.node_ports, env.chance.random)
        allocator.adopt(self._stored())
        return allocator

    def _stored(self) -> Iterator[Service]:
        return (record.obj for record in self.env.store.range(self.kind.prefix()).records)

    def _further_ranges(self) -> Iterator[str]:
        """Those of ServiceCIDRs that are not on their way out."""
        for record in self.env.store.range(self.env.scheme.of(ServiceCIDR).prefix()).records:
            if record.obj.metadata.deletion_timestamp is None:
                yield from record.obj.spec.cidrs

    def begin(self, req: Request, new: Service, old: Service | None) -> Settle | None:
        if req.subresource:
            return None
        self._allocator.offer(self._further_ranges(), self._stored)
        return self._allocator.begin(new, old)

    def deleted(self, obj: Service) -> None:
        self._allocator.release(obj)

    def prepare_for_update(self, req: Request, new: Service, old: Service) -> None:
        super().prepare_for_update(req, new, old)
        _drop_fields_of_old_type(new.spec, old.spec)
        if new.spec.type != "LoadBalancer" and new.status.load_balancer.ingress:
            fill(new, status=replace(new.status, load_balancer=LoadBalancerStatus()))


def _drop_fields_of_old_type(new: ServiceSpec, old: ServiceSpec) -> None:
    """Clear what the new type has no use for, where it was filled in by us and the client has not changed it."""
    if old.type != "ExternalName" and new.type == "ExternalName":
        if new.cluster_ips == old.cluster_ips:
            fill(new, cluster_ip="", cluster_ips=())
        if new.ip_families == old.ip_families:
            fill(new, ip_families=())
        if new.ip_family_policy == old.ip_family_policy:
            fill(new, ip_family_policy=None)
        if new.internal_traffic_policy == old.internal_traffic_policy:
            fill(new, internal_traffic_policy=None)
    had_node_ports = old.type in ("NodePort", "LoadBalancer")
    if had_node_ports and new.type not in ("NodePort", "LoadBalancer") and _adds_no_node_port(new, old):
        for port in new.ports:
            fill(port, node_port=0)
    unchecked = needs_health_check(old) and not needs_health_check(new)
    if unchecked and new.health_check_node_port == old.health_check_node_port:
        fill(new, health_check_node_port=0)
    if old.type == "LoadBalancer" != new.type:
        if new.load_balancer_class == old.load_balancer_class:
            fill(new, load_balancer_class=None)
        if new.allocate_load_balancer_node_ports == old.allocate_load_balancer_node_ports:
            fill(new, allocate_load_balancer_node_ports=None)
    hidden = is_externally_accessible(old) and not is_externally_accessible(new)
    if hidden and new.external_traffic_policy == old.external_traffic_policy:
        fill(new, external_traffic_policy="")


def _adds_no_node_port(new: ServiceSpec, old: ServiceSpec) -> bool:
    return {p.node_port for p in new.ports if p.node_port} <= {p.node_port for p in old.ports if p.node_port}


class EndpointsStrategy(Ruled):
    type = Endpoints
    create_on_update = True
    rules = Rules(default_endpoints, validate_endpoints, advice=endpoints_warnings)

    def validate(self, req: Request, obj: Endpoints) -> Sequence[FieldError]:
        return list(validate_endpoints(obj, self.env.pod_loopback))

    def validate_update(self, req: Request, new: Endpoints, old: Endpoints) -> Sequence[FieldError]:
        """What stands may stay: the older addresses are read as they were."""
        return [] if new.subsets == old.subsets else self.validate(req, new)


STRATEGIES = (ServiceStrategy, EndpointsStrategy)
