"""Rules of Ingresses, their classes, network policies and service ranges."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from kcore.api.core_v1 import TypedLocalObjectReference
from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, required, too_long
from kcore.api.names import (
    dns1123_label,
    dns1123_subdomain,
    path_segment_name,
    port_name,
    port_number,
    wildcard_dns1123_subdomain,
)
from kcore.api.networking_v1 import (
    HTTPIngressPath,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressClassParametersReference,
    IngressRule,
    IngressServiceBackend,
    IngressSpec,
    IPAddress,
    IPBlock,
    NetworkPolicy,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    ServiceCIDR,
)
from kcore.registry.validation.addresses import network_advice, parse_cidr, parse_ip, validate_cidr, validate_ip
from kcore.registry.validation.internal import shown
from kcore.registry.validation.labels import validate_label_selector
from kcore.registry.validation.values import check, immutable

__all__ = [
    "domain_prefixed_path",
    "ingress_warnings",
    "ip_address_name",
    "network_policy_warnings",
    "validate_ingress",
    "validate_ingress_class",
    "validate_ingress_class_update",
    "validate_ingress_status",
    "validate_ingress_update",
    "validate_ip_address",
    "validate_ip_address_update",
    "validate_network_policy",
    "validate_network_policy_update",
    "validate_service_cidr",
    "validate_service_cidr_update",
]

_SPEC = Path("spec")
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_BAD_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_BAD_ENDINGS = ("/..", "/.")
_CONTROLLER_MAX = 250
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_DIRECTIONS = ("Ingress", "Egress")
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_is_http_path = re.compile(_HTTP_PATH).fullmatch


def validate_ingress(ingress: Ingress) -> Iterator[FieldError]:
    yield from _validate_spec(ingress.spec)
    annotation, name = ingress.metadata.annotations.get(_CLASS_ANNOTATION), ingress.spec.ingress_class_name
    if annotation is not None and name is not None and annotation != name:
        path = Path("annotations") / _CLASS_ANNOTATION
        yield invalid(path, annotation, "must match `ingressClassName` when both are specified")


def validate_ingress_update(new: Ingress, old: Ingress) -> Iterator[FieldError]:
    yield from _validate_spec(new.spec, old.spec)


def ingress_warnings(new: Ingress, old: Ingress | None) -> Iterator[str]:
    if _CLASS_ANNOTATION in new.metadata.annotations and new.spec.ingress_class_name is None and old is None:
        yield f"annotation \"{_CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"


def _validate_spec(spec: IngressSpec, old: IngressSpec | None = None) -> Iterator[FieldError]:
    """`old`: the kinds of faults that it has may stay."""
    secrets_kept = old is not None and any(tls.secret_name and dns1123_subdomain(tls.secret_name) for tls in old.tls)
    wildcards_kept = old is not None and any("*" in r.host and any(_validate_http(r, _SPEC)) for r in old.rules)
    if not spec.rules and spec.default_backend is None:
        yield invalid(_SPEC, None, "either `defaultBackend` or `rules` must be specified")
    if spec.default_backend is not None:
        yield from _validate_backend(spec.default_backend, _SPEC / "defaultBackend")
    for i, rule in enumerate(spec.rules):
        yield from _validate_host(rule, _SPEC / "rules" @ i)
        if not (wildcards_kept and "*" in rule.host):
            yield from _validate_http(rule, _SPEC / "rules" @ i)
    for i, tls in enumerate(spec.tls):
        path = _SPEC / "tls" @ i
        for j, host in enumerate(tls.hosts):
            yield from check(path / "hosts" @ j, host, _host)
        if tls.secret_name and not secrets_kept:
            yield from check(path / "secretName", tls.secret_name, dns1123_subdomain)
    if spec.ingress_class_name is not None:
        yield from check(_SPEC / "ingressClassName", spec.ingress_class_name, dns1123_subdomain)


def _host(name: str) -> list[str]:
    return wildcard_dns1123_subdomain(name) if "*" in name else dns1123_subdomain(name)


def _validate_host(rule: IngressRule, path: Path) -> Iterator[FieldError]:
    if rule.host:
        if parse_ip(rule.host) is not None:
            yield invalid(path / "host", rule.host, "must be a DNS name, not an IP address")
        yield from check(path / "host", rule.host, _host)


def _validate_http(rule: IngressRule, path: Path) -> Iterator[FieldError]:
    if rule.http is None:
        return
    paths = path / "http" / "paths"
    if not rule.http.paths:
        yield required(paths)
    for i, entry in enumerate(rule.http.paths):
        yield from _validate_path(entry, paths @ i)


def _validate_path(entry: HTTPIngressPath, path: Path) -> Iterator[FieldError]:
    at, text = path / "path", entry.path
    if entry.path_type is None:
        yield required(path / "pathType", "pathType must be specified")
        return
    if entry.path_type not in _PATH_TYPES:
        yield not_supported(path / "pathType", entry.path_type, _PATH_TYPES)
    elif not text.startswith("/") and (text or entry.path_type != "ImplementationSpecific"):
        yield invalid(at, text, "must be an absolute path")
    if entry.path_type in ("Exact", "Prefix") and text:
        for sequence in _BAD_SEQUENCES:
            if sequence in text:
                yield invalid(at, text, f"must not contain '{sequence}'")
        for ending in _BAD_ENDINGS:
            if text.endswith(ending):
                yield invalid(at, text, f"cannot end with '{ending}'")
    yield from _validate_backend(entry.backend, path / "backend")


def _validate_backend(backend: IngressBackend, path: Path) -> Iterator[FieldError]:
    if backend.resource is not None and backend.service is not None:
        yield invalid(path, "", "cannot set both resource and service backends")
    elif backend.resource is not None:
        yield from _validate_reference(backend.resource, path / "resource")
    elif backend.service is not None:
        yield from _validate_service(backend.service, path)
    else:
        yield invalid(path, "", "resource or service backend is required")


def _validate_service(service: IngressServiceBackend, path: Path) -> Iterator[FieldError]:
    at, port = path / "service", service.port
    if not service.name:
        yield required(at / "name")
    else:
        yield from check(at / "name", service.name, dns1123_label)
    if port.name and port.number:
        yield invalid(path, "", "cannot set both port name & port number")
    elif port.name:
        yield from check(at / "port" / "name", port.name, port_name)
    elif port.number:
        yield from check(at / "port" / "number", port.number, port_number)
    else:
        yield required(path, "port name or number is required")


def _validate_reference(
    reference: TypedLocalObjectReference | IngressClassParametersReference, path: Path
) -> Iterator[FieldError]:
    if reference.api_group is not None:
        yield from check(path / "apiGroup", reference.api_group, dns1123_subdomain)
    for field, value in (("kind", reference.kind), ("name", reference.name)):
        if not value:
            yield required(path / field, f"{field} is required")
        else:
            yield from check(path / field, value, path_segment_name)


def validate_ingress_status(new: Ingress, old: Ingress) -> Iterator[FieldError]:
    standing = [entry.ip for entry in old.status.load_balancer.ingress]
    for i, entry in enumerate(new.status.load_balancer.ingress):
        path = Path("status") / "loadBalancer" / "ingress" @ i
        if entry.ip:
            yield from validate_ip(entry.ip, path / "ip", standing)
        if entry.hostname:
            yield from check(path / "hostname", entry.hostname, dns1123_subdomain)
            if parse_ip(entry.hostname) is not None:
                yield invalid(path / "hostname", entry.hostname, "must be a DNS name, not an IP address")


def domain_prefixed_path(value: str, path: Path) -> Iterator[FieldError]:
    """`acme.io/foo`: a domain and something below it."""
    domain, slash, rest = value.partition("/")
    if not value:
        yield required(path)
    elif not slash or not domain or not rest:
        yield invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        for message in dns1123_subdomain(domain):
            yield invalid(path, domain, message)
        if not _is_http_path(rest):
            yield invalid(path, rest, f"Invalid path (regex used for validation is '{_HTTP_PATH}')")


def validate_ingress_class(ingress_class: IngressClass) -> Iterator[FieldError]:
    spec = ingress_class.spec
    if len(spec.controller) > _CONTROLLER_MAX:
        yield too_long(_SPEC / "controller", _CONTROLLER_MAX)
    yield from domain_prefixed_path(spec.controller, _SPEC / "controller")
    if spec.parameters is not None:
        yield from _validate_parameters(spec.parameters, _SPEC / "parameters")


def validate_ingress_class_update(new: IngressClass, old: IngressClass) -> Iterator[FieldError]:
    yield from immutable(_SPEC / "controller", new.spec.controller, old.spec.controller)
    yield from validate_ingress_class(new)


def _validate_parameters(parameters: IngressClassParametersReference, path: Path) -> Iterator[FieldError]:
    yield from _validate_reference(parameters, path)
    scope, namespace = parameters.scope, parameters.namespace
    if scope is None:
        yield required(path / "scope")
        return
    if scope not in ("Cluster", "Namespace"):
        yield not_supported(path / "scope", scope, ("Cluster", "Namespace"))
    if scope == "Cluster" and namespace is not None:
        yield forbidden(path / "namespace", "`parameters.scope` is set to 'Cluster'")
    elif scope == "Namespace" and namespace is None:
        yield required(path / "namespace", "`parameters.scope` is set to 'Namespace'")
    elif scope == "Namespace" and namespace is not None:
        yield from check(path / "namespace", namespace, dns1123_label)


def validate_network_policy(policy: NetworkPolicy, standing: Collection[str] = ()) -> Iterator[FieldError]:
    """`standing`: CIDRs that may be written as they are."""
    spec = policy.spec
    yield from validate_label_selector(spec.pod_selector, _SPEC / "podSelector")
    for i, ingress in enumerate(spec.ingress):
        yield from _validate_traffic(ingress.ports, ingress.from_, "from", standing, _SPEC / "ingress" @ i)
    for i, egress in enumerate(spec.egress):
        yield from _validate_traffic(egress.ports, egress.to, "to", standing, _SPEC / "egress" @ i)
    if len(spec.policy_types) > len(_DIRECTIONS):
        yield invalid(_SPEC / "policyTypes", spec.policy_types, "may not specify more than two policyTypes")
        return
    for i, direction in enumerate(spec.policy_types):
        if direction not in _DIRECTIONS:
            yield not_supported(_SPEC / "policyTypes" @ i, direction, _DIRECTIONS)


def validate_network_policy_update(new: NetworkPolicy, old: NetworkPolicy) -> Iterator[FieldError]:
    peers = [peer for rule in old.spec.ingress for peer in rule.from_]
    peers += [peer for rule in old.spec.egress for peer in rule.to]
    blocks = [peer.ip_block for peer in peers if peer.ip_block is not None]
    yield from validate_network_policy(new, {cidr for block in blocks for cidr in (block.cidr, *block.except_)})


def network_policy_warnings(new: NetworkPolicy, old: NetworkPolicy | None) -> Iterator[str]:
    sides = (
        ("ingress", "from", [r.from_ for r in new.spec.ingress]),
        ("egress", "to", [r.to for r in new.spec.egress]),
    )
    for direction, side, rules in sides:
        for i, peers in enumerate(rules):
            for j, peer in enumerate(peers):
                path = _SPEC / direction @ i / side @ j / "ipBlock"
                if peer.ip_block is None:
                    continue
                yield from network_advice(peer.ip_block.cidr, path / "cidr")
                for k, cidr in enumerate(peer.ip_block.except_):
                    yield from network_advice(cidr, path / "except" @ k)


def _validate_traffic(
    ports: Sequence[NetworkPolicyPort],
    peers: Sequence[NetworkPolicyPeer],
    side: str,
    standing: Collection[str],
    path: Path,
) -> Iterator[FieldError]:
    for i, port in enumerate(ports):
        yield from _validate_port(port, path / "ports" @ i)
    for i, peer in enumerate(peers):
        yield from _validate_peer(peer, standing, path / side @ i)


def _validate_port(port: NetworkPolicyPort, path: Path) -> Iterator[FieldError]:
    if port.protocol is not None and port.protocol not in _PROTOCOLS:
        yield not_supported(path / "protocol", port.protocol, _PROTOCOLS)
    end = port.end_port
    if port.port is None:
        if end is not None:
            yield invalid(path / "endPort", end, "may not be specified when `port` is not specified")
    elif isinstance(port.port, str):
        if end is not None:
            yield invalid(path / "endPort", end, "may not be specified when `port` is non-numeric")
        yield from check(path / "port", port.port, port_name)
    else:
        yield from check(path / "port", port.port, port_number)
        if end is not None:
            if end < port.port:
                yield invalid(path / "endPort", port.port, "must be greater than or equal to `port`")
            yield from check(path / "endPort", end, port_number)


def _validate_peer(peer: NetworkPolicyPeer, standing: Collection[str], path: Path) -> Iterator[FieldError]:
    yield from validate_label_selector(peer.pod_selector, path / "podSelector")
    yield from validate_label_selector(peer.namespace_selector, path / "namespaceSelector")
    selects = peer.pod_selector is not None or peer.namespace_selector is not None
    if peer.ip_block is not None:
        yield from _validate_ip_block(peer.ip_block, standing, path / "ipBlock")
        if selects:
            yield forbidden(path, "may not specify both ipBlock and another peer")
    elif not selects:
        yield required(path, "must specify a peer")


def _validate_ip_block(block: IPBlock, standing: Collection[str], path: Path) -> Iterator[FieldError]:
    if not block.cidr:
        yield required(path / "cidr")
        return
    yield from validate_cidr(block.cidr, path / "cidr", standing)
    whole = parse_cidr(block.cidr)
    if whole is None:
        return
    for i, text in enumerate(block.except_):
        yield from validate_cidr(text, path / "except" @ i, standing)
        part = parse_cidr(text)
        if part is not None and (part.network_address not in whole or part.prefixlen <= whole.prefixlen):
            yield invalid(path / "except" @ i, text, "must be a strict subset of `cidr`")


def ip_address_name(name: str) -> list[str]:
    """An IPAddress is named by the address it stands for."""
    messages = [error.detail for error in validate_ip(name, Path("metadata") / "name")]
    if not messages and str(parse_ip(name)) != name:
        messages.append(f'must be in canonical form ("{parse_ip(name)}")')
    return messages


def validate_ip_address(address: IPAddress) -> Iterator[FieldError]:
    parent, path = address.spec.parent_ref, _SPEC / "parentRef"
    if parent.group:
        yield from check(path / "group", parent.group, dns1123_subdomain)
    for field, value in (("resource", parent.resource), ("name", parent.name)):
        if not value:
            yield required(path / field)
        else:
            yield from check(path / field, value, path_segment_name)
    if parent.namespace:
        yield from check(path / "namespace", parent.namespace, path_segment_name)


def validate_ip_address_update(new: IPAddress, old: IPAddress) -> Iterator[FieldError]:
    yield from immutable(_SPEC / "parentRef", new.spec.parent_ref, old.spec.parent_ref, shown(new.spec.parent_ref))


def validate_service_cidr(cidr: ServiceCIDR) -> Iterator[FieldError]:
    path, cidrs = _SPEC / "cidrs", cidr.spec.cidrs
    if not cidrs:
        yield required(path, "at least one CIDR required")
        return
    if len(cidrs) > 2:
        yield invalid(path, shown(cidr.spec), "may only hold up to 2 values")
        return
    for i, text in enumerate(cidrs):
        yield from _validate_canonical_cidr(text, path @ i)
    ranges = [found for text in cidrs if (found := parse_cidr(text)) is not None]
    if len(ranges) == 2 and ranges[0].version == ranges[1].version:
        message = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        yield invalid(path, cidrs, message)


def _validate_canonical_cidr(text: str, path: Path) -> Iterator[FieldError]:
    errors = list(validate_cidr(text, path))
    yield from errors
    if not errors and str(parse_cidr(text)) != text:
        yield invalid(path, text, f'must be in canonical form ("{parse_cidr(text)}")')


def validate_service_cidr_update(new: ServiceCIDR, old: ServiceCIDR) -> Iterator[FieldError]:
    """A range may get a second family, nothing else changes."""
    path, after, before = _SPEC / "cidrs", new.spec.cidrs, old.spec.cidrs
    grows = len(before) == 1 and len(after) == 2
    if len(before) != len(after) and not grows:
        yield from immutable(path, after, before)
        return
    for i, (now, then) in enumerate(zip(after, before, strict=False)):
        yield from immutable(path @ i, now, then)
    if grows:
        yield from validate_service_cidr(new)
