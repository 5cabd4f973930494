"""Rules of Endpoints and EndpointSlices: where the traffic of a Service goes."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api import discovery_v1
from kcore.api.core_v1 import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from kcore.api.discovery_v1 import Endpoint, EndpointSlice
from kcore.api.field import FieldError, Path, duplicate, invalid, not_supported, required, too_many
from kcore.api.names import NameCheck, dns1123_label, dns1123_subdomain, label_key, label_value, port_number
from kcore.registry.validation.addresses import Network, address_advice, parse_ip, validate_endpoint_ip, validate_ip
from kcore.registry.validation.labels import validate_labels
from kcore.registry.validation.values import check, immutable, one_of

__all__ = [
    "endpoint_slice_warnings",
    "endpoints_warnings",
    "validate_endpoint_slice",
    "validate_endpoint_slice_update",
    "validate_endpoints",
]

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_TYPES = ("FQDN", "IPv4", "IPv6")
_ADDRESSES_MAX = 100
_PORTS_MAX = 20000
_ENDPOINTS_MAX = 1000
_TOPOLOGY_MAX = 16
_ZONE_HINTS_MAX = _NODE_HINTS_MAX = 8


def endpoints_warnings(new: Endpoints, old: Endpoints | None) -> Iterator[str]:
    """Beside the deprecation of the kind, which comes with every request for it."""
    for i, subset in enumerate(new.subsets):
        for field, addresses in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
            for j, entry in enumerate(addresses):
                yield from address_advice(entry.ip, Path("subsets") @ i / field @ j / "ip")


def endpoint_slice_warnings(new: EndpointSlice, old: EndpointSlice | None) -> Iterator[str]:
    if new.address_type == "FQDN":
        if old is None:
            yield "addressType: FQDN endpoints are deprecated"
        return
    for i, endpoint in enumerate(new.endpoints or ()):
        for j, address in enumerate(endpoint.addresses):
            yield from address_advice(address, Path("endpoints") @ i / "addresses" @ j)


def validate_endpoints(endpoints: Endpoints, pods: Network | None = None) -> Iterator[FieldError]:
    for i, subset in enumerate(endpoints.subsets):
        yield from _validate_subset(subset, Path("subsets") @ i, pods)


def _validate_subset(subset: EndpointSubset, path: Path, pods: Network | None) -> Iterator[FieldError]:
    if not subset.addresses and not subset.not_ready_addresses:
        yield required(path, "must specify `addresses` or `notReadyAddresses`")
    for i, address in enumerate(subset.addresses):
        yield from _validate_address(address, path / "addresses" @ i, pods)
    for i, address in enumerate(subset.not_ready_addresses):
        yield from _validate_address(address, path / "notReadyAddresses" @ i, pods)
    for i, port in enumerate(subset.ports):
        yield from _validate_port(port, len(subset.ports) > 1, path / "ports" @ i)


def _validate_address(address: EndpointAddress, path: Path, pods: Network | None) -> Iterator[FieldError]:
    yield from validate_ip(address.ip, path / "ip")
    if address.hostname:
        yield from check(path / "hostname", address.hostname, dns1123_label)
    if address.node_name is not None:
        yield from check(path / "nodeName", address.node_name, dns1123_subdomain)
    yield from validate_endpoint_ip(address.ip, path / "ip", pods)


def _validate_port(port: EndpointPort, named: bool, path: Path) -> Iterator[FieldError]:
    if named and not port.name:
        yield required(path / "name")
    elif port.name:
        yield from check(path / "name", port.name, dns1123_label)
    yield from check(path / "port", port.port, port_number)
    yield from one_of(path / "protocol", port.protocol, _PROTOCOLS)
    if port.app_protocol is not None:
        yield from check(path / "appProtocol", port.app_protocol, label_key)


def validate_endpoint_slice(
    slice_: EndpointSlice, pods: Network | None = None, old: EndpointSlice | None = None
) -> Iterator[FieldError]:
    """`old`: its endpoints may stand as they are."""
    yield from one_of(Path("addressType"), slice_.address_type, _TYPES)
    yield from _validate_slice_ports(slice_.ports or ())
    if old is None or slice_.endpoints != old.endpoints:
        yield from _validate_slice_endpoints(slice_, pods)


def validate_endpoint_slice_update(
    new: EndpointSlice, old: EndpointSlice, pods: Network | None = None
) -> Iterator[FieldError]:
    yield from validate_endpoint_slice(new, pods, old)
    yield from immutable(Path("addressType"), new.address_type, old.address_type)


def _validate_slice_endpoints(slice_: EndpointSlice, pods: Network | None) -> Iterator[FieldError]:
    path = Path("endpoints")
    endpoints = slice_.endpoints or ()
    if len(endpoints) > _ENDPOINTS_MAX:
        yield too_many(path, len(endpoints), _ENDPOINTS_MAX)
        return
    for i, endpoint in enumerate(endpoints):
        yield from _validate_endpoint(endpoint, slice_.address_type, path @ i, pods)


def _validate_endpoint(endpoint: Endpoint, address_type: str, path: Path, pods: Network | None) -> Iterator[FieldError]:
    addresses = path / "addresses"
    if not endpoint.addresses:
        yield required(addresses, "must contain at least 1 address")
    elif len(endpoint.addresses) > _ADDRESSES_MAX:
        yield too_many(addresses, len(endpoint.addresses), _ADDRESSES_MAX)
    for i, address in enumerate(endpoint.addresses):
        yield from _validate_slice_address(address, address_type, addresses @ i, pods)
    if endpoint.node_name is not None:
        yield from check(path / "nodeName", endpoint.node_name, dns1123_subdomain)
    topology = path / "deprecatedTopology"
    if len(endpoint.deprecated_topology) > _TOPOLOGY_MAX:
        yield too_many(topology, len(endpoint.deprecated_topology), _TOPOLOGY_MAX)
    yield from validate_labels(endpoint.deprecated_topology, topology)
    if endpoint.hostname is not None:
        yield from check(path / "hostname", endpoint.hostname, dns1123_label)
    if endpoint.hints is not None:
        yield from _validate_hints(endpoint.hints, path / "hints")


def _validate_slice_address(address: str, address_type: str, path: Path, pods: Network | None) -> Iterator[FieldError]:
    if address_type == "FQDN":
        yield from check(path, address, dns1123_subdomain)
        return
    if address_type not in ("IPv4", "IPv6"):
        return
    errors = list(validate_ip(address, path))
    if errors:
        yield from errors
        return
    parsed = parse_ip(address)
    if parsed is not None and f"IPv{parsed.version}" != address_type:
        yield invalid(path, address, f"must be an {address_type} address")
    yield from validate_endpoint_ip(address, path, pods)


def _validate_hints(hints: discovery_v1.EndpointHints, path: Path) -> Iterator[FieldError]:
    zones = [zone.name for zone in hints.for_zones]
    yield from _validate_hint_names(zones, _ZONE_HINTS_MAX, label_value, path / "forZones")
    nodes = [node.name for node in hints.for_nodes]
    yield from _validate_hint_names(nodes, _NODE_HINTS_MAX, dns1123_subdomain, path / "forNodes")


def _validate_hint_names(names: list[str], limit: int, rule: NameCheck, path: Path) -> Iterator[FieldError]:
    if len(names) > limit:
        yield too_many(path, len(names), limit)
        return
    for i, name in enumerate(names):
        if name in names[:i]:
            yield duplicate(path @ i / "name", name)
        yield from check(path @ i / "name", name, rule)


def _validate_slice_ports(ports: tuple[discovery_v1.EndpointPort, ...]) -> Iterator[FieldError]:
    path = Path("ports")
    if len(ports) > _PORTS_MAX:
        yield too_many(path, len(ports), _PORTS_MAX)
        return
    names: set[str] = set()
    for i, port in enumerate(ports):
        where = path @ i
        name = port.name or ""
        if name:
            yield from check(where / "name", name, dns1123_label)
        if name in names:
            yield duplicate(where / "name", name)
        names.add(name)
        if port.protocol is None:
            yield required(where / "protocol")
        elif port.protocol not in _PROTOCOLS:
            yield not_supported(where / "protocol", port.protocol, _PROTOCOLS)
        if port.app_protocol is not None:
            yield from check(where / "appProtocol", port.app_protocol, label_key)
