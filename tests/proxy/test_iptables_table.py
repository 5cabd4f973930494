"""From the rules in force to others: the text for iptables-restore holds what changed, and no more."""

from __future__ import annotations

from kcore.api.core_v1 import Service, ServicePort
from kcore.api.discovery_v1 import Endpoint
from kcore.proxy.iptables import table as table_module
from kcore.proxy.iptables.layout import Settings
from kcore.proxy.iptables.table import RuleTable
from kcore.proxy.rules import Diff
from tests.proxy.cluster import endpoint, one_rule, service

SVC = "KUBE-SVC-XPGD46QRK7WJZT7O"
ONE, TWO = "KUBE-SEP-SXIVWICOYRO3J4NJ", "KUBE-SEP-LXVODXWDISEETFEF"


def put(service: Service, *addresses: str) -> Diff:
    rule = one_rule(service, *(endpoint(address) for address in addresses))
    return Diff(put={rule.name: rule})


def declared(text: str) -> list[str]:
    return [line[1:].split()[0] for line in text.splitlines() if line.startswith(":")]


def removed(text: str) -> list[str]:
    return [line[3:] for line in text.splitlines() if line.startswith("-X")]


def test_everything_stands_in_the_full_text() -> None:
    table = RuleTable(Settings())
    table.update(put(service(), "10.180.0.1"))
    text = table.full()
    assert text.count("COMMIT\n") == 2
    assert text.index("*filter") < text.index("*nat")
    assert {SVC, ONE, "KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-FORWARD"} <= set(declared(text))


def test_what_earlier_runs_left_behind_goes() -> None:
    table = RuleTable(Settings())
    table.update(put(service(), "10.180.0.1"))
    text = table.full(["PREROUTING", "KUBE-SERVICES", "KUBE-SEP-OLDOLDOLDOLDOLD", SVC])
    assert removed(text) == ["KUBE-SEP-OLDOLDOLDOLDOLD"]
    assert "KUBE-SEP-OLDOLDOLDOLDOLD" in declared(text)


def test_one_more_endpoint_touches_its_own_chains_only() -> None:
    table = RuleTable(Settings())
    table.update(put(service(), "10.180.0.1"))
    text = table.update(put(service(), "10.180.0.1", "10.180.0.2"))
    assert declared(text) == [SVC, TWO]
    assert removed(text) == []
    assert "*filter" not in text


def test_one_endpoint_less_takes_its_chain_away() -> None:
    table = RuleTable(Settings())
    table.update(put(service(), "10.180.0.1", "10.180.0.2"))
    text = table.update(put(service(), "10.180.0.1"))
    assert declared(text) == [SVC, TWO]
    assert removed(text) == [TWO]


def test_the_last_endpoint_takes_the_service_to_the_filter_table() -> None:
    table = RuleTable(Settings())
    table.update(put(service(), "10.180.0.1"))
    text = table.update(put(service()))
    assert sorted(removed(text)) == [ONE, SVC]
    assert "has no endpoints" in text
    assert declared(text)[0] == "KUBE-SERVICES"


def test_a_service_that_goes_leaves_nothing() -> None:
    table = RuleTable(Settings())
    fresh = table.full()
    diff = put(service(), "10.180.0.1")
    table.update(diff)
    text = table.update(Diff(gone=diff.put))
    assert sorted(removed(text)) == [ONE, SVC]
    assert table.full() == fresh


def test_no_change_is_no_text() -> None:
    table = RuleTable(Settings())
    table.update(put(service(), "10.180.0.1"))
    assert table.update(put(service(), "10.180.0.1")) == ""


def test_each_family_has_its_own_table() -> None:
    six: Endpoint = endpoint("fd00::1")
    rule = one_rule(service(ip="fd00::41"), six)
    diff = Diff(put={rule.name: rule})
    assert RuleTable(Settings(family="IPv4")).update(diff) == ""
    assert "-j DNAT --to-destination [fd00::1]:80" in RuleTable(Settings(family="IPv6")).update(diff)


def test_a_table_that_has_grown_large_is_written_again_without_comments() -> None:
    table = RuleTable(Settings())
    other = service(name="ns1/other", ip="10.96.0.42", ports=(ServicePort(name="p80", port=80, protocol="TCP"),))
    table.update(put(service(), "10.180.0.1"))
    many = [f"10.181.{i // 250}.{i % 250 + 1}" for i in range(table_module.LARGE_CLUSTER_ENDPOINTS)]
    rule = one_rule(service(), *(endpoint(address) for address in many), endpoint("10.180.0.1"))
    text = table.update(Diff(put={rule.name: rule}))
    assert "->" not in text
    assert ONE in declared(text)
    assert "->" in table.update(put(service(), "10.180.0.1"))
    assert table.update(put(other)) != ""
