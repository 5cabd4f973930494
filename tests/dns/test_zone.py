"""Questions about the cluster's zone, as the specification answers them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from kcore.api.core_v1 import Service, ServicePort, ServiceSpec
from kcore.api.meta_v1 import ObjectMeta
from kcore.dns.directory import NamedEndpoint
from kcore.dns.zone import Outcome, Zone

HTTP = (("http", "tcp", 8080),)


def service(name: str, *ips: str, **spec: object) -> Service:
    ports = (ServicePort(name="http", port=80, protocol="TCP"), ServicePort(name="dns", port=53, protocol="UDP"))
    made = ServiceSpec(cluster_ip=ips[0] if ips else "", cluster_ips=ips, ports=ports, **spec)  # type: ignore[arg-type]
    return Service(metadata=ObjectMeta(name=name, namespace="ns"), spec=made)


class Town:
    """A directory of three Services."""

    def __init__(self) -> None:
        made = (
            service("web", "10.96.0.5", "fd00::5"),
            service("db", "None"),
            service("out", type="ExternalName", external_name="Example.org"),
        )
        self._services = {s.metadata.name: s for s in made}
        self._endpoints = [NamedEndpoint("db-0", "10.0.0.1", HTTP), NamedEndpoint("10-0-0-2", "10.0.0.2", HTTP)]

    def service(self, namespace: str, name: str) -> Service | None:
        return self._services.get(name) if namespace == "ns" else None

    def services_at(self, address: str) -> Iterable[Service]:
        return [s for s in self._services.values() if address in s.spec.cluster_ips]

    def endpoints(self, namespace: str, service: str) -> Iterable[NamedEndpoint]:
        return self._endpoints if service == "db" else ()

    def endpoint_at(self, address: str) -> tuple[Service, NamedEndpoint] | None:
        return (self._services["db"], self._endpoints[0]) if address == "10.0.0.1" else None

    def has_namespace(self, name: str) -> bool:
        return name == "ns"


ZONE = Zone("cluster.local.", Town())
V6 = "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa"

ANSWERS = [
    ("web.ns.svc.cluster.local", "A", ["10.96.0.5"]),
    ("WEB.ns.SVC.cluster.local", "A", ["10.96.0.5"]),
    ("web.ns.svc.cluster.local", "AAAA", ["fd00::5"]),
    ("db.ns.svc.cluster.local", "A", ["10.0.0.1", "10.0.0.2"]),
    ("db-0.db.ns.svc.cluster.local", "A", ["10.0.0.1"]),
    ("10-0-0-2.db.ns.svc.cluster.local", "A", ["10.0.0.2"]),
    ("out.ns.svc.cluster.local", "A", ["Example.org."]),
    ("_http._tcp.web.ns.svc.cluster.local", "SRV", ["0 100 80 web.ns.svc.cluster.local."]),
    (
        "_http._tcp.db.ns.svc.cluster.local",
        "SRV",
        ["0 50 8080 db-0.db.ns.svc.cluster.local.", "0 50 8080 10-0-0-2.db.ns.svc.cluster.local."],
    ),
    ("5.0.96.10.in-addr.arpa", "PTR", ["web.ns.svc.cluster.local."]),
    (V6, "PTR", ["web.ns.svc.cluster.local."]),
    ("1.0.0.10.in-addr.arpa", "PTR", ["db-0.db.ns.svc.cluster.local."]),
    ("10-1-2-3.ns.pod.cluster.local", "A", ["10.1.2.3"]),
    ("fd00--7.ns.pod.cluster.local", "AAAA", ["fd00::7"]),
    ("dns-version.cluster.local", "TXT", ['"1.1.0"']),
]


@pytest.mark.parametrize(("name", "type_", "data"), ANSWERS, ids=[f"{n.split('.')[0]} {t}" for n, t, _ in ANSWERS])
def test_names_are_found(name: str, type_: str, data: list[str]) -> None:
    answer = ZONE.answer(name, type_)
    assert answer.outcome is Outcome.FOUND
    assert [record.data for record in answer.records] == data


def test_services_of_srv_records_come_with_their_addresses() -> None:
    answer = ZONE.answer("_http._tcp.web.ns.svc.cluster.local", "SRV")
    assert [record.data for record in answer.extra] == ["10.96.0.5", "fd00::5"]


OUTCOMES = {
    Outcome.EMPTY: [
        ("cluster.local", "A"),
        ("svc.cluster.local", "A"),
        ("ns.svc.cluster.local", "A"),
        ("web.ns.svc.cluster.local", "MX"),
        ("db.ns.svc.cluster.local", "AAAA"),
        ("_http._tcp.web.ns.svc.cluster.local", "A"),
        ("10-1-2-3.ns.pod.cluster.local", "AAAA"),
    ],
    Outcome.UNKNOWN: [
        ("nope.cluster.local", "A"),
        ("elsewhere.svc.cluster.local", "A"),
        ("nope.ns.svc.cluster.local", "A"),
        ("web.elsewhere.svc.cluster.local", "A"),
        ("db-0.web.ns.svc.cluster.local", "A"),
        ("db-9.db.ns.svc.cluster.local", "A"),
        ("_http._udp.web.ns.svc.cluster.local", "SRV"),
        ("nonsense.ns.pod.cluster.local", "A"),
    ],
    Outcome.FOREIGN: [
        ("example.org", "A"),
        ("notcluster.local", "A"),
        ("9.9.9.9.in-addr.arpa", "PTR"),
        ("9.9.in-addr.arpa", "PTR"),
        ("x.9.9.9.in-addr.arpa", "PTR"),
    ],
}
CASES = [(name, type_, outcome) for outcome, cases in OUTCOMES.items() for name, type_ in cases]


@pytest.mark.parametrize(("name", "type_", "outcome"), CASES, ids=[f"{n} {t}" for n, t, _ in CASES])
def test_other_names_are_empty_unknown_or_not_ours(name: str, type_: str, outcome: Outcome) -> None:
    answer = ZONE.answer(name, type_)
    assert answer.outcome is outcome
    assert answer.records == ()
