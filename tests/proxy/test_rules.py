"""From Services and slices to rules: which ports, which endpoints, which difference."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import ClientIPConfig, ServicePort, SessionAffinityConfig
from kcore.api.discovery_v1 import EndpointHints, EndpointPort, ForNode, ForZone
from kcore.proxy.rules import difference, rules_of_service
from kcore.proxy.serviceport import service_ports
from kcore.proxy.topology import Place
from tests.proxy.cluster import endpoint, one_rule, service, slice_of

HERE = Place("here", "z1")


def hints(nodes: str = "", zones: str = "") -> EndpointHints:
    return EndpointHints(
        for_nodes=tuple(ForNode(name=n) for n in nodes.split()), for_zones=tuple(ForZone(name=z) for z in zones.split())
    )


def test_every_port_of_every_family_is_a_port_of_its_own() -> None:
    one = service(ports=(ServicePort(name="a", port=1, protocol="TCP"), ServicePort(port=2, protocol="UDP")))
    dual = replace(one, spec=replace(one.spec, cluster_ips=("10.96.0.1", "fd00::1")))
    assert [(*port.name, port.cluster_ip, port.port) for port in service_ports(dual)] == [
        ("ns1", "svc1", "a", "TCP", "IPv4", "10.96.0.1", 1),
        ("ns1", "svc1", "", "UDP", "IPv4", "10.96.0.1", 2),
        ("ns1", "svc1", "a", "TCP", "IPv6", "fd00::1", 1),
        ("ns1", "svc1", "", "UDP", "IPv6", "fd00::1", 2),
    ]


@pytest.mark.parametrize(
    "spec", [{"type": "ExternalName", "ip": ""}, {"ip": "None"}, {"ip": ""}], ids=["ExternalName", "headless", "no IP"]
)
def test_services_without_a_virtual_ip_are_left_alone(spec: dict[str, Any]) -> None:
    assert not list(service_ports(service(**spec)))


def test_affinity_lasts_three_hours_unless_told() -> None:
    [port] = service_ports(service(session_affinity="ClientIP"))
    assert port.affinity_seconds == 10800
    config = SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=5))
    [port] = service_ports(service(session_affinity="ClientIP", session_affinity_config=config))
    assert port.affinity_seconds == 5


def test_source_ranges_that_hold_everybody_are_none() -> None:
    ranges = ("10.0.0.0/8", "0.0.0.0/0")
    [port] = service_ports(service(type="LoadBalancer", load_balancer_source_ranges=ranges, ingress=("1.2.3.4",)))
    assert (port.load_balancer_ips, port.source_ranges) == (("1.2.3.4",), ())


def test_ports_and_endpoints_meet_by_name_and_protocol() -> None:
    ports = (ServicePort(name="dns", port=53, protocol="UDP"), ServicePort(name="dns", port=53, protocol="TCP"))
    slices = [
        slice_of(endpoint("10.0.0.1"), port=EndpointPort(name="dns", port=5353, protocol="UDP")),
        slice_of(endpoint("10.0.0.2"), port=EndpointPort(name="other", port=1, protocol="TCP")),
    ]
    udp, tcp = rules_of_service(service(ports=ports), slices).values()
    assert [str(e) for e in udp.endpoints.cluster] == ["10.0.0.1:5353"]
    assert tcp.endpoints.cluster == ()


def test_an_endpoint_in_two_slices_counts_once_and_as_ready() -> None:
    slices = [slice_of(endpoint("10.0.0.1", "unready")), slice_of(endpoint("10.0.0.1"), endpoint("10.0.0.2"))]
    [rule] = rules_of_service(service(), slices).values()
    assert [str(e) for e in rule.endpoints.cluster] == ["10.0.0.1:80", "10.0.0.2:80"]


REACHABLE = {
    # what the endpoints are: (state, node), then who serves the Cluster and the Local policy
    "ready ones only": ([("ready", "here"), ("unready", "here")], "1", "1"),
    "local means this node": ([("ready", "here"), ("ready", "there")], "12", "1"),
    "the dying are better than nobody": ([("outgoing", "here"), ("dying", "here")], "1", "1"),
    "but not than the ready": ([("outgoing", "here"), ("ready", "there")], "2", "1"),
    "nobody is nobody": ([("unready", "here"), ("dying", "there")], "", ""),
    "none here": ([("ready", "there")], "1", ""),
}


@pytest.mark.parametrize(("endpoints", "cluster", "local"), REACHABLE.values(), ids=REACHABLE)
def test_policies_choose_among_endpoints(endpoints: list[tuple[str, str]], cluster: str, local: str) -> None:
    both = service(
        type="NodePort", external_traffic_policy="Local", ports=(ServicePort(name="p80", port=80, node_port=30080),)
    )
    made = [endpoint(f"10.0.0.{i}", state, node) for i, (state, node) in enumerate(endpoints, 1)]
    found = one_rule(both, *made, place=HERE).endpoints
    assert "".join(e.address[-1] for e in found.cluster) == cluster
    assert "".join(e.address[-1] for e in found.local) == local
    assert found.exist == any(state in ("ready", "outgoing") for state, _ in endpoints)


def test_a_machine_that_is_every_node_holds_every_endpoint() -> None:
    rule = one_rule(
        service(internal_traffic_policy="Local"), endpoint("10.0.0.1", node="a"), endpoint("10.0.0.2", node="b")
    )
    assert len(rule.endpoints.local) == 2
    assert rule.endpoints.cluster == ()


HINTS = {
    "all hint a zone, one ours": (["|z1", "|z2"], "1"),
    "none hints ours": (["|z2", "|z2"], "12"),
    "one hints nothing": (["|z1", "|"], "12"),
    "a node before a zone": (["here|z1", "there|z1"], "1"),
    "nodes elsewhere: the zone counts": (["there|z1", "there|z2"], "1"),
}


@pytest.mark.parametrize(("texts", "cluster"), HINTS.values(), ids=HINTS)
def test_hints_count_where_every_ready_endpoint_has_one(texts: list[str], cluster: str) -> None:
    made = [endpoint(f"10.0.0.{i}", node="n", hints=hints(*text.split("|"))) for i, text in enumerate(texts, 1)]
    found = one_rule(service(), *made, place=HERE).endpoints.cluster
    assert "".join(e.address[-1] for e in found) == cluster


def test_the_difference_names_what_is_new_changed_and_gone() -> None:
    first, second = service(name="ns1/svc1"), service(name="ns1/other", ip="10.96.0.42")
    old = {**rules_of_service(first, [slice_of(endpoint("10.0.0.1"))]), **rules_of_service(second, [])}
    new = rules_of_service(first, [slice_of(endpoint("10.0.0.2"))])
    diff = difference(old, new)
    assert [str(name) for name in diff.put] == ["ns1/svc1:p80"]
    assert [str(name) for name in diff.gone] == ["ns1/other:p80"]
    assert not difference(new, new)
