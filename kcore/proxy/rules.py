"""The model of forwarding: what every service port does, and how it differs from what it did before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kcore.api.core_v1 import Service
from kcore.api.discovery_v1 import EndpointSlice
from kcore.proxy.endpoint import PortKey, endpoints_by_port
from kcore.proxy.serviceport import PortName, ServicePort, service_ports
from kcore.proxy.topology import EVERYWHERE, Place, Reachable, reachable

__all__ = ["Diff", "Rule", "Rules", "difference", "rules_of_service"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Traffic for `port` goes to `endpoints`; `.cluster` or `.local` of them, as its policies say."""

    port: ServicePort
    endpoints: Reachable

    @property
    def name(self) -> PortName:
        return self.port.name


Rules = Mapping[PortName, Rule]


@dataclass(frozen=True, slots=True)
class Diff:
    """What a back end has to do: `put` is new or has changed, `gone` held until now."""

    put: Mapping[PortName, Rule] = field(default_factory=dict)
    gone: Mapping[PortName, Rule] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.put or self.gone)


def rules_of_service(
    service: Service, slices: Iterable[EndpointSlice], place: Place = EVERYWHERE
) -> dict[PortName, Rule]:
    """All rules of one Service, from its own slices."""
    endpoints = endpoints_by_port(slices)
    rules = {}
    for port in service_ports(service):
        name = port.name
        own = endpoints.get(PortKey(name.port, name.protocol, name.family), ())
        rules[name] = Rule(port, reachable(port, own, place))
    return rules


def difference(old: Rules, new: Rules) -> Diff:
    return Diff(
        put={name: rule for name, rule in new.items() if old.get(name) != rule},
        gone={name: rule for name, rule in old.items() if name not in new},
    )
