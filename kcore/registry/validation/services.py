"""Rules of Services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from kcore.api.core_v1 import LoadBalancerIngress, Service, ServicePort, ServiceSpec
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from kcore.api.names import dns1123_label, dns1123_subdomain, label_key, port_number
from kcore.registry.defaults.services import is_externally_accessible
from kcore.registry.validation.addresses import (
    address_advice,
    family_of,
    network_advice,
    parse_ip,
    validate_cidr,
    validate_endpoint_ip,
    validate_ip,
    validate_port_reference,
)
from kcore.registry.validation.labels import validate_labels
from kcore.registry.validation.values import check, one_of

__all__ = [
    "is_headless",
    "needs_health_check",
    "service_warnings",
    "validate_cluster_ips",
    "validate_service",
    "validate_service_status_update",
    "validate_service_update",
]

_SPEC = Path("spec")
_CLUSTER_IPS = _SPEC / "clusterIPs"
_FAMILIES = _SPEC / "ipFamilies"
_POLICY = _SPEC / "ipFamilyPolicy"
_SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_TOPOLOGY_HINTS = "service.kubernetes.io/topology-aware-hints"
_TOPOLOGY_MODE = "service.kubernetes.io/topology-mode"
_AFFINITY_SECONDS_MAX = 86400
_ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"
_FIXED = "may not change once set"
_NO_SPEC = ServiceSpec()
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_TRAFFIC_POLICIES = ("Cluster", "Local")
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")


def is_headless(spec: ServiceSpec) -> bool:
    return len(spec.cluster_ips) == 1 and spec.cluster_ips[0] == "None"


def needs_health_check(spec: ServiceSpec) -> bool:
    """Whether load balancers must ask each node if it has local endpoints."""
    return spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local"


def validate_service(service: Service, old: Service | None = None) -> list[FieldError]:
    """`old`: addresses that it has may stay, however they are written."""
    return list(_validate(service, old))


def _validate(service: Service, old: Service | None) -> Iterator[FieldError]:
    spec, standing = service.spec, _NO_SPEC if old is None else old.spec
    yield from _validate_topology(service.metadata.annotations)
    if not spec.ports and not is_headless(spec) and spec.type != "ExternalName":
        yield required(_SPEC / "ports")
    yield from _validate_for_type(spec)
    names: set[str] = set()
    for i, port in enumerate(spec.ports):
        yield from _validate_port(port, len(spec.ports) > 1, names, _SPEC / "ports" @ i)
    yield from validate_labels(spec.selector, _SPEC / "selector")
    yield from one_of(_SPEC / "sessionAffinity", spec.session_affinity, ("ClientIP", "None"))
    yield from _validate_affinity_config(spec)
    yield from validate_cluster_ips(spec, standing.cluster_ips)
    for i, ip in enumerate(spec.external_ips):
        path = _SPEC / "externalIPs" @ i
        yield from list(validate_ip(ip, path, standing.external_ips)) or validate_endpoint_ip(ip, path)
    yield from one_of(_SPEC / "type", spec.type, _TYPES)
    yield from _validate_ports_together(spec)
    yield from _validate_source_ranges(service, old)
    yield from _validate_node_port_allocation(spec)
    yield from _validate_load_balancer_class(spec)
    yield from _validate_external_traffic(spec)
    yield from _validate_internal_traffic(spec)
    distribution = spec.traffic_distribution
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        yield not_supported(_SPEC / "trafficDistribution", distribution, _DISTRIBUTIONS)


def _validate_topology(annotations: Any) -> Iterator[FieldError]:
    hints, mode = annotations.get(_TOPOLOGY_HINTS), annotations.get(_TOPOLOGY_MODE)
    if hints is not None and mode is not None and hints != mode:
        path = Path("metadata") / "annotations"
        message = f"must match annotations[{_TOPOLOGY_HINTS}] when both are specified"
        yield invalid(path.key(_TOPOLOGY_MODE), mode, message)


def _validate_for_type(spec: ServiceSpec) -> Iterator[FieldError]:
    if spec.type in ("LoadBalancer", "NodePort") and is_headless(spec):
        yield invalid(_CLUSTER_IPS @ 0, "None", f"may not be set to 'None' for {spec.type} services")
    if spec.type == "ExternalName":
        for path, value in (
            (_CLUSTER_IPS, spec.cluster_ips),
            (_FAMILIES, spec.ip_families),
            (_POLICY, spec.ip_family_policy),
        ):
            if value:
                yield forbidden(path, "may not be set for ExternalName services")
        name = spec.external_name.removesuffix(".")
        if name:
            yield from check(_SPEC / "externalName", name, dns1123_subdomain)
        else:
            yield required(_SPEC / "externalName")


def _validate_port(port: ServicePort, named: bool, names: set[str], path: Path) -> Iterator[FieldError]:
    if not port.name:
        if named:
            yield required(path / "name")
    else:
        yield from check(path / "name", port.name, dns1123_label)
        if port.name in names:
            yield duplicate(path / "name", port.name)
        names.add(port.name)
    yield from check(path / "port", port.port, port_number)
    yield from one_of(path / "protocol", port.protocol, _PROTOCOLS)
    yield from validate_port_reference(port.target_port, path / "targetPort")
    if port.app_protocol is not None:
        yield from check(path / "appProtocol", port.app_protocol, label_key)


def _validate_affinity_config(spec: ServiceSpec) -> Iterator[FieldError]:
    path = _SPEC / "sessionAffinityConfig"
    config = spec.session_affinity_config
    if spec.session_affinity == "None" and config is not None:
        yield forbidden(path, "must not be set when session affinity is None")
    if spec.session_affinity != "ClientIP":
        return
    when = "when session affinity type is ClientIP"
    if config is None:
        yield required(path, when)
    elif config.client_ip is None:
        yield required(path / "clientIP", when)
    elif config.client_ip.timeout_seconds is None:
        yield required(path / "clientIP" / "timeoutSeconds", when)
    elif not 0 < config.client_ip.timeout_seconds <= _AFFINITY_SECONDS_MAX:
        message = f"must be greater than 0 and less than {_AFFINITY_SECONDS_MAX}"
        yield invalid(path / "clientIP" / "timeoutSeconds", config.client_ip.timeout_seconds, message)


def validate_cluster_ips(spec: ServiceSpec, standing: Sequence[str] = ()) -> Iterator[FieldError]:
    """How clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy must agree (KEP-563)."""
    if spec.type == "ExternalName":
        return
    ips = spec.cluster_ips
    if spec.cluster_ip:
        if not ips:
            yield required(_CLUSTER_IPS)
        elif ips[0] != spec.cluster_ip:
            yield invalid(_CLUSTER_IPS, ips, "first value must match `clusterIP`")
    elif ips:
        yield invalid(_CLUSTER_IPS, ips, "must be empty when `clusterIP` is not specified")
    for i, family in enumerate(spec.ip_families):
        if family not in ("IPv4", "IPv6"):
            yield not_supported(_FAMILIES @ i, family, ("IPv4", "IPv6"))
        if family in spec.ip_families[:i]:
            yield duplicate(_FAMILIES @ i, family)
    if spec.ip_family_policy is not None and spec.ip_family_policy not in _FAMILY_POLICIES:
        yield not_supported(_POLICY, spec.ip_family_policy, _FAMILY_POLICIES)
    malformed = list(_validate_each_ip(ips, standing))
    yield from malformed
    if len(ips) > 2:
        yield invalid(_CLUSTER_IPS, ips, "may only hold up to 2 values")
    if not malformed:
        yield from _validate_ips_against_families(spec)


def _validate_each_ip(ips: Sequence[str], standing: Sequence[str]) -> Iterator[FieldError]:
    for i, ip in enumerate(ips):
        if i == 0 and ip == "None":
            if len(ips) > 1:
                yield invalid(_CLUSTER_IPS, ips, "'None' must be the first and only value")
        else:
            yield from validate_ip(ip, _CLUSTER_IPS @ i, standing)


def _validate_ips_against_families(spec: ServiceSpec) -> Iterator[FieldError]:
    ips = spec.cluster_ips
    if len(ips) > 1 and not (len(ips) == 2 and family_of(ips[0]) != family_of(ips[1])):
        yield invalid(_CLUSTER_IPS, ips, "may specify no more than one IP for each IP family")
    if is_headless(spec):
        return
    for i, (ip, family) in enumerate(zip(ips, spec.ip_families, strict=False)):
        if family in ("IPv4", "IPv6") and family_of(ip) != family:
            yield invalid(_CLUSTER_IPS @ i, ip, f"expected an {family} value as indicated by `ipFamilies[{i}]`")


def _validate_ports_together(spec: ServiceSpec) -> Iterator[FieldError]:
    path = _SPEC / "ports"
    if spec.type == "ClusterIP":
        for i, port in enumerate(spec.ports):
            if port.node_port:
                yield forbidden(path @ i / "nodePort", "may not be used when `type` is 'ClusterIP'")
    node_ports: set[tuple[str, int]] = set()
    for i, port in enumerate(spec.ports):
        if port.node_port and (port.protocol, port.node_port) in node_ports:
            yield duplicate(path @ i / "nodePort", port.node_port)
        node_ports.add((port.protocol, port.node_port))
    ports: set[tuple[str, int]] = set()
    for i, port in enumerate(spec.ports):
        if (port.protocol, port.port) in ports:
            yield duplicate(path @ i, _port_key(port))
        ports.add((port.protocol, port.port))


def _port_key(port: ServicePort) -> msgspec.Raw:
    """What upstream compares ports by, printed as its internal type."""
    key = {
        "Name": "",
        "Protocol": port.protocol,
        "AppProtocol": None,
        "Port": port.port,
        "TargetPort": 0,
        "NodePort": 0,
    }
    return msgspec.Raw(msgspec.json.encode(key))


def _validate_source_ranges(service: Service, old: Service | None) -> Iterator[FieldError]:
    spec = service.spec
    standing = () if old is None else [cidr.strip() for cidr in old.spec.load_balancer_source_ranges]
    if spec.load_balancer_source_ranges:
        path = _SPEC / "LoadBalancerSourceRanges"
        if spec.type != "LoadBalancer":
            yield forbidden(path, _ONLY_LOAD_BALANCER)
        for i, cidr in enumerate(spec.load_balancer_source_ranges):
            yield from validate_cidr(cidr.strip(), path @ i, standing)
        return
    annotation = service.metadata.annotations.get(_SOURCE_RANGES)
    if annotation is None:
        return
    path = (Path("metadata") / "annotations").key(_SOURCE_RANGES)
    if spec.type != "LoadBalancer":
        yield forbidden(path, _ONLY_LOAD_BALANCER)
    if old is not None and old.metadata.annotations.get(_SOURCE_RANGES) == annotation:
        return
    for cidr in annotation.strip().split(",") if annotation.strip() else ():
        yield from validate_cidr(cidr.strip(), path)


def _validate_node_port_allocation(spec: ServiceSpec) -> Iterator[FieldError]:
    field = "allocateLoadBalancerNodePorts"
    if spec.type != "LoadBalancer" and spec.allocate_load_balancer_node_ports is not None:
        yield forbidden(_SPEC / field, _ONLY_LOAD_BALANCER)
    if spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is None:
        yield required(Path(field))


def _validate_load_balancer_class(spec: ServiceSpec, old: ServiceSpec | None = None) -> Iterator[FieldError]:
    path = _SPEC / "loadBalancerClass"
    name = spec.load_balancer_class
    stays = old is not None and old.type == "LoadBalancer" and spec.type == "LoadBalancer"
    if stays and old is not None and old.load_balancer_class != name:
        yield invalid(path, name, _FIXED)
    if name is not None and spec.type == "LoadBalancer":
        yield from check(path, name, label_key)
    elif name is not None:
        yield forbidden(path, _ONLY_LOAD_BALANCER)


def _validate_external_traffic(spec: ServiceSpec) -> Iterator[FieldError]:
    path = _SPEC / "externalTrafficPolicy"
    if is_externally_accessible(spec):
        yield from one_of(path, spec.external_traffic_policy, _TRAFFIC_POLICIES)
    elif spec.external_traffic_policy:
        yield invalid(path, spec.external_traffic_policy, "may only be set for externally-accessible services")
    path = _SPEC / "healthCheckNodePort"
    if not needs_health_check(spec):
        if spec.health_check_node_port:
            message = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
            yield invalid(path, spec.health_check_node_port, message)
    elif not spec.health_check_node_port:
        yield required(path)
    else:
        yield from check(path, spec.health_check_node_port, port_number)


def _validate_internal_traffic(spec: ServiceSpec) -> Iterator[FieldError]:
    path = _SPEC / "internalTrafficPolicy"
    if spec.internal_traffic_policy is None:
        if spec.type in ("ClusterIP", "NodePort", "LoadBalancer"):
            yield required(path)
    elif spec.internal_traffic_policy not in _TRAFFIC_POLICIES:
        yield not_supported(path, spec.internal_traffic_policy, _TRAFFIC_POLICIES)


def validate_service_update(new: Service, old: Service) -> list[FieldError]:
    return [
        *_validate_cluster_ips_update(new.spec, old.spec),
        *_validate_families_update(new.spec, old.spec),
        *_validate_load_balancer_class(new.spec, old.spec),
        *_validate_health_check_update(new.spec, old.spec),
        *validate_service(new, old),
    ]


def _validate_cluster_ips_update(new: ServiceSpec, old: ServiceSpec) -> Iterator[FieldError]:
    """A second IP may come and go with the policy, the first stays."""
    if "ExternalName" in (new.type, old.type) or (is_headless(new) and is_headless(old)):
        return
    after, before = new.cluster_ips, old.cluster_ips
    if len(after) == len(before):
        for i, (now, then) in enumerate(zip(after, before, strict=True)):
            if now != then:
                yield invalid(_CLUSTER_IPS @ i, after, _FIXED)
        return
    if before and not after:
        yield invalid(_CLUSTER_IPS @ 0, after, "primary clusterIP can not be unset")
    if before and after and after[0] != before[0]:
        yield invalid(_CLUSTER_IPS @ 0, after, _FIXED)
    yield from _validate_release(new, after, before, "clusterIP")


def _validate_families_update(new: ServiceSpec, old: ServiceSpec) -> Iterator[FieldError]:
    """The same of families; where their number changes, upstream looks at the IPs to tell whether any are left."""
    if "ExternalName" in (new.type, old.type) or is_headless(new) or is_headless(old) != is_headless(new):
        return
    after, before = new.ip_families, old.ip_families
    if len(after) == len(before):
        for now, then in zip(after, before, strict=True):
            if now != then:
                yield invalid(_FAMILIES @ 0, after, _FIXED)
        return
    if before and not new.cluster_ips:
        yield invalid(_FAMILIES @ 0, after, "primary ipFamily can not be unset")
    if before and after and after[0] != before[0]:
        yield invalid(_FAMILIES @ 0, new.cluster_ips, _FIXED)
    yield from _validate_release(new, after, before, "ipFamily")


def _validate_release(new: ServiceSpec, after: Sequence[str], before: Sequence[str], noun: str) -> Iterator[FieldError]:
    if len(after) == 1 < len(before) and new.ip_family_policy != "SingleStack":
        message = f"must be set to 'SingleStack' when releasing the secondary {noun}"
        yield invalid(_POLICY, new.ip_family_policy, message)


def _validate_health_check_update(new: ServiceSpec, old: ServiceSpec) -> Iterator[FieldError]:
    changed = new.health_check_node_port != old.health_check_node_port
    if changed and needs_health_check(new) and needs_health_check(old):
        yield forbidden(_SPEC / "healthCheckNodePort", "field is immutable")


def validate_service_status_update(new: Service, old: Service) -> list[FieldError]:
    path = Path("status") / "loadBalancer"
    ingress = new.status.load_balancer.ingress
    if new.spec.type != "LoadBalancer" and ingress:
        return [forbidden(path / "ingress", "may only be used when `spec.type` is 'LoadBalancer'")]
    standing = [entry.ip for entry in old.status.load_balancer.ingress if entry.ip]
    return [e for i, entry in enumerate(ingress) for e in _validate_ingress(entry, standing, path / "ingress" @ i)]


def _validate_ingress(entry: LoadBalancerIngress, standing: Sequence[str], path: Path) -> Iterator[FieldError]:
    if entry.ip:
        yield from validate_ip(entry.ip, path / "ip", standing)
    if entry.ip and entry.ip_mode is None:
        yield required(path / "ipMode", "must be specified when `ip` is set")
    elif entry.ip_mode is not None and not entry.ip:
        yield forbidden(path / "ipMode", "may not be specified when `ip` is not set")
    elif entry.ip_mode is not None and entry.ip_mode not in ("Proxy", "VIP"):
        yield not_supported(path / "ipMode", entry.ip_mode, ("Proxy", "VIP"))
    if entry.hostname:
        yield from check(path / "hostname", entry.hostname, dns1123_subdomain)
        if parse_ip(entry.hostname) is not None:
            yield invalid(path / "hostname", entry.hostname, "must be a DNS name, not an IP address")


def service_warnings(service: Service, old: Service | None) -> Iterator[str]:
    spec = service.spec
    if _TOPOLOGY_HINTS in service.metadata.annotations:
        yield (
            "annotation service.kubernetes.io/topology-aware-hints is deprecated, "
            "please use service.kubernetes.io/topology-mode instead"
        )
    headless = spec.type == "ClusterIP" and spec.cluster_ip == "None"
    if spec.cluster_ip not in ("", "None") and spec.type != "ExternalName":
        for i, ip in enumerate(spec.cluster_ips):
            yield from address_advice(ip, _CLUSTER_IPS @ i)
    if headless:
        yield from _headless_warnings(spec)
    for i, ip in enumerate(spec.external_ips):
        yield from address_advice(ip, _SPEC / "externalIPs" @ i)
    if spec.external_ips and not headless and spec.type != "ExternalName":
        yield "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
    if spec.load_balancer_ip:
        yield from address_advice(spec.load_balancer_ip, _SPEC / "loadBalancerIP")
    for i, cidr in enumerate(spec.load_balancer_source_ranges):
        yield from network_advice(cidr, _SPEC / "loadBalancerSourceRanges" @ i)
    if spec.type == "ExternalName" and spec.external_ips:
        yield 'spec.externalIPs is ignored when spec.type is "ExternalName"'
    if spec.type != "ExternalName" and spec.external_name:
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'
    if spec.traffic_distribution == "PreferClose":
        yield 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'


def _headless_warnings(spec: ServiceSpec) -> Iterator[str]:
    if spec.load_balancer_ip:
        yield "spec.loadBalancerIP is ignored for headless services"
    if spec.external_ips:
        yield "spec.externalIPs is ignored for headless services"
    if spec.session_affinity != "None":
        yield "spec.SessionAffinity is ignored for headless services"
