"""Which UDP flows the kernel must forget."""

from __future__ import annotations

import pytest

from kcore.api.core_v1 import ServicePort
from kcore.api.discovery_v1 import EndpointPort
from kcore.proxy.iptables.conntrack import stale_flows
from kcore.proxy.rules import Diff, Rule, rules_of_service
from tests.proxy.cluster import endpoint, service, slice_of

VIP = ["--orig-dst", "10.96.0.41"]
NODE_PORT = ["--dport", "30053"]


def rule(*addresses: str, protocol: str = "UDP") -> Rule:
    ports = (ServicePort(name="dns", port=53, protocol=protocol, node_port=30053),)
    slices = [slice_of(*map(endpoint, addresses), port=EndpointPort(name="dns", port=53, protocol=protocol))]
    [made] = rules_of_service(service(type="NodePort", ports=ports), slices).values()
    return made


CHANGES = {
    "an endpoint that left": (rule("10.0.0.1", "10.0.0.2"), rule("10.0.0.2"), ["--dst-nat", "10.0.0.1"]),
    "the last one left": (rule("10.0.0.1"), rule(), []),
    "the first one came": (rule(), rule("10.0.0.1"), []),
    "another one came": (rule("10.0.0.1"), rule("10.0.0.1", "10.0.0.2"), None),
    "TCP looks after itself": (rule("10.0.0.1", protocol="TCP"), rule(protocol="TCP"), None),
}


@pytest.mark.parametrize(("old", "new", "narrowed"), CHANGES.values(), ids=CHANGES)
def test_flows_to_who_is_gone_are_forgotten(old: Rule, new: Rule, narrowed: list[str] | None) -> None:
    found = [flows.arguments() for flows in stale_flows({old.name: old}, Diff(put={new.name: new}))]
    assert found == ([] if narrowed is None else [VIP + narrowed, NODE_PORT + narrowed])


def test_all_flows_of_a_service_that_is_gone_are_forgotten() -> None:
    old = rule("10.0.0.1")
    assert [flows.arguments() for flows in stale_flows({old.name: old}, Diff(gone={old.name: old}))] == [VIP, NODE_PORT]


def test_a_service_that_is_new_has_nothing_to_forget() -> None:
    assert not list(stale_flows({}, Diff(put={rule().name: rule()})))
