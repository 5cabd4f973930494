"""Tables of what routes traffic: ingresses, network policies and endpoint slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.api import discovery_v1, networking_v1
from kcore.registry.tables.printer import AGE, NAME, NONE, UNSET, Column, Printer, age, at_most, format_selector

__all__ = ["NETWORKING"]

_HOSTS_MAX = 3


def _ingress(o: networking_v1.Ingress, now: float) -> Sequence[Any]:
    addresses = ",".join(sorted({i.ip or i.hostname for i in o.status.load_balancer.ingress} - {""}))
    ports = "80, 443" if o.spec.tls else "80"
    return o.metadata.name, o.spec.ingress_class_name or NONE, _hosts(o.spec.rules), addresses, ports, age(o, now)


def _hosts(rules: Sequence[networking_v1.IngressRule]) -> str:
    """The first hosts. The count of what is left out is of all rules, as upstream has it."""
    found: list[str] = []
    for rule in rules:
        if len(found) == _HOSTS_MAX:
            return f"{','.join(found)} + {len(rules) - _HOSTS_MAX} more..."
        found += [rule.host] if rule.host else []
    return ",".join(found) or "*"


def _ingress_class(o: networking_v1.IngressClass, now: float) -> Sequence[Any]:
    shown, given = NONE, o.spec.parameters
    if given is not None:
        shown = f"{given.kind}{f'.{given.api_group}' if given.api_group else ''}/{given.name}"
    return o.metadata.name, o.spec.controller, shown, age(o, now)


def _network_policy(o: networking_v1.NetworkPolicy, now: float) -> Sequence[Any]:
    return o.metadata.name, format_selector(o.spec.pod_selector), age(o, now)


def _slice(o: discovery_v1.EndpointSlice, now: float) -> Sequence[Any]:
    ports = at_most(3, (_slice_port(p) for p in o.ports or ()))
    addresses = at_most(3, (a for e in o.endpoints or () for a in e.addresses))
    return o.metadata.name, o.address_type, ports or UNSET, addresses or UNSET, age(o, now)


def _slice_port(port: discovery_v1.EndpointPort) -> str:
    if port.port is not None:
        return str(port.port)
    return "*" if port.name is None else port.name


def _ip_address(o: networking_v1.IPAddress, now: float) -> Sequence[Any]:
    shown, parent = NONE, o.spec.parent_ref
    if parent is not None:
        parts = (parent.resource + (f".{parent.group}" if parent.group else ""), parent.namespace, parent.name)
        shown = "/".join(p for p in parts if p)
    return o.metadata.name, shown, age(o, now)


def _service_cidr(o: networking_v1.ServiceCIDR, now: float) -> Sequence[Any]:
    return o.metadata.name, ",".join(o.spec.cidrs), age(o, now)


NETWORKING: Mapping[type[Any], Printer] = {
    networking_v1.Ingress: Printer(
        (
            NAME,
            Column("Class", "The class of the controller that serves it."),
            Column("Hosts", "The hosts that it answers for."),
            Column("Address", "Where the load balancer listens."),
            Column("Ports", "The ports that are open."),
            AGE,
        ),
        _ingress,
    ),
    networking_v1.IngressClass: Printer(
        (
            NAME,
            Column("Controller", "Who serves ingresses of the class."),
            Column("Parameters", "Where the controller is told more."),
            AGE,
        ),
        _ingress_class,
    ),
    networking_v1.NetworkPolicy: Printer(
        (NAME, Column("Pod-Selector", "The pods that it is about."), AGE), _network_policy
    ),
    networking_v1.IPAddress: Printer((NAME, Column("ParentRef", "What the address belongs to."), AGE), _ip_address),
    networking_v1.ServiceCIDR: Printer((NAME, Column("CIDRs", "The ranges of addresses."), AGE), _service_cidr),
    discovery_v1.EndpointSlice: Printer(
        (
            NAME,
            Column("AddressType", "The kind of the addresses."),
            Column("Ports", "The ports of every endpoint."),
            Column("Endpoints", "The addresses of the endpoints."),
            AGE,
        ),
        _slice,
    ),
}
