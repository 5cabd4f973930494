"""Where a proxied request goes: upstream's ResourceLocation of pods, services and nodes.

Nothing but what these objects name can be reached: no URL of the client's becomes an address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import NamedTuple

from kcore.api.core_v1 import EndpointAddress, Endpoints, Node, Pod, Service
from kcore.api.errors import BadRequest, InternalError, NotFound, ServiceUnavailable
from kcore.api.field import quote
from kcore.kit.clock import Chance
from kcore.registry.validation.addresses import Network

__all__ = [
    "KUBELET_PORT",
    "Named",
    "PodPort",
    "endpoint_of",
    "kubelet_port",
    "node_address",
    "pod_port",
    "port_number",
    "proxyable",
    "split_name",
]

KUBELET_PORT = 10250
_SCHEMES = ("", "http", "https")
_PREFERRED = ("InternalIP", "InternalDNS", "ExternalIP", "ExternalDNS", "Hostname")


class Named(NamedTuple):
    """`scheme:name:port` taken apart; the outer two may be missing. `text` is the whole."""

    text: str
    scheme: str
    name: str
    port: str


class PodPort(NamedTuple):
    """A port of a pod, and whether TLS is spoken there."""

    pod: Pod
    port: int
    tls: bool


def split_name(text: str, kind: str) -> Named:
    """Raises BadRequest, naming the kind of object, where the text is none of the three forms."""
    match text.split(":"):
        case [name]:
            named = Named(text, "", name, "")
        case [name, port]:
            named = Named(text, "", name, port)
        case [scheme, name, port]:
            named = Named(text, scheme, name, port)
        case _:
            named = Named(text, "", "", "")
    if not named.name or named.scheme not in _SCHEMES:
        raise BadRequest(f"invalid {kind} request {quote(text)}")
    return named


def pod_port(pod: Pod, named: Named) -> PodPort:
    """The port asked for, or the first that the pod declares, or the scheme's own. Raises BadRequest."""
    tls = named.scheme == "https"
    declared = (port.container_port for container in pod.spec.containers for port in container.ports[:1])
    port = named.port or next(map(str, declared), "443" if tls else "80")
    return PodPort(pod, port_number(port), tls)


def port_number(port: str) -> int:
    """Raises BadRequest."""
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise BadRequest(f"invalid port {quote(port)}")
    return int(port)


def proxyable(address: str, pods: Network | None = None) -> str:
    """An address that may be connected to: nobody's loopback, link or group, but for the part of it that pods of this
    machine have. Raises BadRequest for any other."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        raise BadRequest("address not allowed") from None
    if pods is not None and ip in pods:
        return address
    broadcast = ip == ipaddress.ip_address("255.255.255.255")
    if ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified or broadcast:
        raise BadRequest("address not allowed")
    return address


def endpoint_of(
    service: Service, endpoints: Endpoints, named: Named, pod_of: Callable[[str], Pod], chance: Chance
) -> PodPort:
    """A ready pod behind a port of a service, at random. Raises ServiceUnavailable where there is none.

    An address counts only if it is that of the pod it refers to, for which `pod_of` looks.
    """
    name = service.metadata.name
    port_name = _port_name(service, named.port)
    if not endpoints.subsets:
        raise ServiceUnavailable(f"no endpoints available for service {quote(name)}")
    found = list(_addresses(endpoints, port_name))
    while found:
        address, port = found.pop(chance.random.randrange(len(found)))
        pod = _pod_at(address, service.metadata.namespace, pod_of)
        if pod is not None:
            return PodPort(pod, port, named.scheme == "https")
    raise ServiceUnavailable(f"no endpoints available for service {quote(named.text)}")


def _port_name(service: Service, port: str) -> str:
    """A port is asked for by name, or by number, which must be one of the service's."""
    if not (port.isascii() and port.isdigit() and len(port) <= 5):
        return port
    for declared in service.spec.ports:
        if declared.port == int(port):
            return declared.name
    raise ServiceUnavailable(f"no service port {int(port)} found for service {quote(service.metadata.name)}")


def _addresses(endpoints: Endpoints, port_name: str) -> Iterator[tuple[EndpointAddress, int]]:
    for subset in endpoints.subsets:
        port = next((p.port for p in subset.ports if p.name == port_name), None)
        if port is not None:
            yield from ((address, port) for address in subset.addresses)


def _pod_at(address: EndpointAddress, namespace: str, pod_of: Callable[[str], Pod]) -> Pod | None:
    target = address.target_ref
    if target is None or target.kind not in ("", "Pod") or target.namespace != namespace:
        return None
    try:
        pod = pod_of(target.name)
    except NotFound:
        return None
    return pod if any(ip.ip == address.ip for ip in pod.status.pod_ips) else None


def kubelet_port(node: Node) -> int:
    """Where a node's kubelet listens: as it says itself, or as usual."""
    return node.status.daemon_endpoints.kubelet_endpoint.port or KUBELET_PORT


def node_address(node: Node) -> str:
    """The address that a node is best reached at. Raises ApiError where it names none."""
    addresses = {address.type: address.address for address in reversed(node.status.addresses)}
    for kind in _PREFERRED:
        if kind in addresses:
            return addresses[kind]
    raise InternalError.because("no preferred addresses found; known addresses: []")
