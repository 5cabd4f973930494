"""What each shape of Service looks like in iptables, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from kcore.api.core_v1 import Service, ServicePort
from kcore.api.discovery_v1 import Endpoint
from kcore.proxy.endpoint import Endpoint as ProxyEndpoint
from kcore.proxy.iptables.chains import endpoint_chain, port_digest
from kcore.proxy.iptables.layout import Settings, block_of, filter_base, nat_base
from kcore.proxy.serviceport import PortName
from kcore.proxy.topology import EVERYWHERE, Place
from tests.proxy.cluster import endpoint, one_rule, service

SVC, SVL, EXT, FW = (f"KUBE-{kind}-XPGD46QRK7WJZT7O" for kind in ("SVC", "SVL", "EXT", "FW"))
# The chains of 10.180.0.1:80 and 10.180.0.2:80 behind ns1/svc1:p80.
ONE, TWO = "KUBE-SEP-SXIVWICOYRO3J4NJ", "KUBE-SEP-LXVODXWDISEETFEF"
HERE = Place("here")
PODS = Settings(cluster_cidr="10.0.0.0/8")
MASQ = "-j KUBE-MARK-MASQ"
ABOUT = "-m tcp -p tcp"


def lines(
    service: Service, *endpoints: Endpoint, settings: Settings = PODS, place: Place = EVERYWHERE
) -> tuple[list[str], list[str]]:
    """All nat lines and all filter lines of a rule."""
    block = block_of(one_rule(service, *endpoints, place=place), settings)
    nat = [*block.services, *block.node_ports, *(line for rules in block.chains.values() for line in rules)]
    return nat, [*block.filter_services, *block.filter_external, *block.filter_node_ports, *block.filter_firewall]


def served(address: str, name: str) -> list[str]:
    """The chain of one endpoint."""
    return [
        f"-A {name} -m comment --comment ns1/svc1:p80 -s {address} {MASQ}",
        f"-A {name} -m comment --comment ns1/svc1:p80 {ABOUT} -j DNAT --to-destination {address}:80",
    ]


def comment(text: str) -> str:
    return f'-m comment --comment "ns1/svc1:p80 {text}"'


CLUSTER_IP = f"{comment('cluster IP')} {ABOUT} -d 10.96.0.41 --dport 80"
TO_ONE = f"{comment('-> 10.180.0.1:80')} -j {ONE}"


def node_port(kind: str = "NodePort", ingress: tuple[str, ...] = (), **spec: Any) -> Service:
    ports = (ServicePort(name="p80", port=80, protocol="TCP", node_port=30080),)
    return service(type=kind, ports=ports, ingress=ingress, **spec)


def test_chains_are_named_as_kube_proxy_names_them() -> None:
    mysql = PortName("default", "mysql-service", "", "TCP")
    assert port_digest(mysql) == "67RL4FN6JRUPOJYM"
    assert endpoint_chain(mysql, ProxyEndpoint("192.168.125.129", 3306)) == "KUBE-SEP-ID6YWIT3F6WNZ47P"
    assert port_digest(PortName("default", "kubernetes", "https", "TCP")) == "NPX46M4PTMTKRN6Y"
    assert port_digest(PortName("kube-system", "kube-dns", "dns", "UDP")) == "TCOU7JCQXEZGVUNU"


def test_a_cluster_ip_leads_to_its_endpoint() -> None:
    nat, filter_ = lines(service(), endpoint("10.180.0.1"))
    assert nat == [
        f"-A KUBE-SERVICES {CLUSTER_IP} -j {SVC}",
        f"-A {SVC} {CLUSTER_IP} ! -s 10.0.0.0/8 {MASQ}",
        f"-A {SVC} {TO_ONE}",
        *served("10.180.0.1", ONE),
    ]
    assert filter_ == []


def test_endpoints_share_by_loaded_dice() -> None:
    nat, _ = lines(service(), *(endpoint(f"10.180.0.{i}") for i in (1, 2, 3)))
    dice = [line.partition("--probability ")[2].split()[0] for line in nat if "--probability" in line]
    assert dice == ["0.3333333333", "0.5000000000"]
    assert [line.split('"')[1] for line in nat if "->" in line] == [
        f"ns1/svc1:p80 -> 10.180.0.{i}:80" for i in (1, 2, 3)
    ]


def test_affinity_is_asked_before_the_dice_and_noted_at_the_endpoint() -> None:
    nat, _ = lines(service(session_affinity="ClientIP"), endpoint("10.180.0.1"))
    recent = f"-m recent --name {ONE}"
    assert f"-A {SVC} {comment('-> 10.180.0.1:80')} {recent} --rcheck --seconds 10800 --reap -j {ONE}" in nat
    assert nat.index(f"-A {SVC} {TO_ONE}") == 3
    about = "-m comment --comment ns1/svc1:p80"
    assert nat[-1] == f"-A {ONE} {about} {recent} --set {ABOUT} -j DNAT --to-destination 10.180.0.1:80"


def test_nobody_behind_a_cluster_ip_means_rejection() -> None:
    nat, filter_ = lines(service())
    assert nat == []
    assert filter_ == [f"-A KUBE-SERVICES {comment('has no endpoints')} {ABOUT} -d 10.96.0.41 --dport 80 -j REJECT"]


def test_external_traffic_is_masqueraded_and_goes_anywhere() -> None:
    nat, filter_ = lines(node_port(external_ips=("192.0.2.1",)), endpoint("10.180.0.1"))
    assert nat == [
        f"-A KUBE-SERVICES {CLUSTER_IP} -j {SVC}",
        f"-A KUBE-SERVICES {comment('external IP')} {ABOUT} -d 192.0.2.1 --dport 80 -j {EXT}",
        f"-A KUBE-NODEPORTS -m comment --comment ns1/svc1:p80 {ABOUT} --dport 30080 -j {EXT}",
        f"-A {SVC} {CLUSTER_IP} ! -s 10.0.0.0/8 {MASQ}",
        f"-A {SVC} {TO_ONE}",
        f'-A {EXT} -m comment --comment "masquerade traffic for ns1/svc1:p80 external destinations" {MASQ}',
        f"-A {EXT} -j {SVC}",
        *served("10.180.0.1", ONE),
    ]
    assert filter_ == []


def test_external_traffic_with_local_policy_keeps_its_source_and_stays_here() -> None:
    ends = (endpoint("10.180.0.1", node="there"), endpoint("10.180.0.2", node="here"))
    nat, filter_ = lines(node_port(external_traffic_policy="Local"), *ends, place=HERE)
    external = [line for line in nat if line.startswith(f"-A {EXT}")]
    destinations = "ns1/svc1:p80 external destinations"
    local = "-m addrtype --src-type LOCAL"
    assert external == [
        f'-A {EXT} -m comment --comment "pod traffic for {destinations}" -s 10.0.0.0/8 -j {SVC}',
        f'-A {EXT} -m comment --comment "masquerade LOCAL traffic for {destinations}" {local} {MASQ}',
        f'-A {EXT} -m comment --comment "route LOCAL traffic for {destinations}" {local} -j {SVC}',
        f"-A {EXT} -j {SVL}",
    ]
    assert f"-A {SVL} {comment('-> 10.180.0.2:80')} -j {TWO}" in nat
    assert not any(line.startswith(f"-A {SVL}") and ONE in line for line in nat)
    assert filter_ == []


def test_no_local_endpoint_drops_what_comes_from_outside() -> None:
    balancer = node_port("LoadBalancer", ("1.2.3.4",), external_traffic_policy="Local", health_check_node_port=30000)
    nat, filter_ = lines(balancer, endpoint("10.180.0.1", node="there"), place=HERE)
    assert f"-A KUBE-SERVICES {comment('loadbalancer IP')} {ABOUT} -d 1.2.3.4 --dport 80 -j {EXT}" in nat
    assert f"-A {EXT} -j {SVL}" not in nat
    why = comment("has no local endpoints")
    assert filter_ == [
        f"-A KUBE-EXTERNAL-SERVICES {why} {ABOUT} -d 1.2.3.4 --dport 80 -j DROP",
        f"-A KUBE-EXTERNAL-SERVICES {why} -m addrtype --dst-type LOCAL {ABOUT} --dport 30080 -j DROP",
        f"-A KUBE-NODEPORTS {comment('health check node port')} {ABOUT} --dport 30000 -j ACCEPT",
    ]


def test_internal_traffic_with_local_policy_stays_here() -> None:
    ends = (endpoint("10.180.0.1", node="there"), endpoint("10.180.0.2", node="here"))
    nat, _ = lines(service(internal_traffic_policy="Local"), *ends, place=HERE)
    assert nat[:3] == [
        f"-A KUBE-SERVICES {CLUSTER_IP} -j {SVL}",
        f"-A {SVL} {CLUSTER_IP} ! -s 10.0.0.0/8 {MASQ}",
        f"-A {SVL} {comment('-> 10.180.0.2:80')} -j {TWO}",
    ]
    nat, filter_ = lines(service(internal_traffic_policy="Local"), ends[0], place=HERE)
    assert nat == []
    [line] = filter_
    assert line.endswith("-j DROP")


def test_source_ranges_wall_a_balancer_in() -> None:
    ranges = ("203.0.113.0/25",)
    nat, filter_ = lines(
        node_port("LoadBalancer", ("1.2.3.4",), load_balancer_source_ranges=ranges), endpoint("10.180.0.1")
    )
    assert f"-A KUBE-SERVICES {comment('loadbalancer IP')} {ABOUT} -d 1.2.3.4 --dport 80 -j {FW}" in nat
    assert [line for line in nat if line.startswith(f"-A {FW}")] == [
        f"-A {FW} {comment('loadbalancer IP')} -s 203.0.113.0/25 -j {EXT}",
        f'-A {FW} -m comment --comment "other traffic to ns1/svc1:p80 will be dropped by KUBE-PROXY-FIREWALL"',
    ]
    assert filter_ == [
        f"-A KUBE-PROXY-FIREWALL {comment(f'traffic not accepted by {FW}')} {ABOUT} -d 1.2.3.4 --dport 80 -j DROP"
    ]


def test_a_range_that_holds_this_node_lets_the_balancer_ip_itself_in() -> None:
    settings = Settings(node_ips=frozenset({"203.0.113.7"}))
    walled = node_port("LoadBalancer", ("1.2.3.4",), load_balancer_source_ranges=("203.0.113.0/25",))
    nat, _ = lines(walled, endpoint("10.180.0.1"), settings=settings)
    assert f"-A {FW} {comment('loadbalancer IP')} -s 1.2.3.4 -j {EXT}" in nat


MASQUERADE = {
    "whoever is no pod": (PODS, [f"-A {SVC} {CLUSTER_IP} ! -s 10.0.0.0/8 {MASQ}"]),
    "everybody": (Settings(masquerade_all=True), [f"-A {SVC} {CLUSTER_IP} {MASQ}"]),
    "nobody, where pods are not known": (Settings(), []),
}


@pytest.mark.parametrize(("settings", "expected"), MASQUERADE.values(), ids=MASQUERADE)
def test_who_is_masqueraded_to_a_cluster_ip(settings: Settings, expected: Sequence[str]) -> None:
    nat, _ = lines(service(), endpoint("10.180.0.1"), settings=settings)
    assert [line for line in nat if line.startswith(f"-A {SVC}") and MASQ in line] == expected


def test_large_tables_leave_the_comments_of_endpoints_out() -> None:
    nat, _ = lines(service(), endpoint("10.180.0.1"), settings=Settings(comments=False))
    assert nat[-3:] == [
        f"-A {SVC} -j {ONE}",
        f"-A {ONE} -s 10.180.0.1 {MASQ}",
        f"-A {ONE} {ABOUT} -j DNAT --to-destination 10.180.0.1:80",
    ]


def test_protocols_and_families_are_spelled_as_iptables_wants_them() -> None:
    ports = (ServicePort(name="p80", port=80, protocol="SCTP"),)
    _, filter_ = lines(service(ports=ports))
    assert "-m sctp -p sctp" in filter_[0]
    assert str(ProxyEndpoint("fd00::1", 80)) == "[fd00::1]:80"


def test_the_shared_chains_end_as_they_must() -> None:
    nat = nat_base([])
    last = '"kubernetes service nodeports; NOTE: this must be the last rule in this chain"'
    assert nat["KUBE-SERVICES"] == [
        f"-A KUBE-SERVICES -m comment --comment {last} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"
    ]
    assert nat["KUBE-POSTROUTING"] == [
        "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
        '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE',
    ]
    assert nat["KUBE-MARK-MASQ"] == ["-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000"]
    assert [len(rules) for rules in filter_base([], Settings()).values()] == [0, 0, 3, 0, 0, 1]
    assert not filter_base([], Settings(family="IPv6"))["KUBE-FIREWALL"]
