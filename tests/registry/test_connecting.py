"""Where requests for logs, commands and proxies go: tables of objects and addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from kcore.api.core_v1 import Endpoints, Node, Pod, Service
from kcore.api.errors import ApiError, NotFound
from kcore.kit.clock import Chance
from kcore.registry.connecting.containers import assigned_node, chosen_container
from kcore.registry.connecting.locations import (
    Named,
    endpoint_of,
    node_address,
    pod_port,
    proxyable,
    split_name,
)
from kcore.registry.connecting.log_options import PodLogOptions, log_option_errors


def pod(*containers: str, init: Sequence[str] = (), ephemeral: Sequence[str] = (), **status: Any) -> Pod:
    lists = {"containers": containers, "initContainers": init, "ephemeralContainers": ephemeral}
    tree = {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {key: [{"name": name, "image": "x"} for name in names] for key, names in lists.items()},
        "status": status,
    }
    return msgspec.convert(tree, Pod)


@pytest.mark.parametrize(
    ("of", "asked", "chosen"),
    [
        (pod("app"), "", "app"),
        (pod("app", "log"), "log", "log"),
        (pod("app", init=["setup"]), "setup", "setup"),
        (pod("app", init=["setup"]), "", "app"),
        (pod("app", ephemeral=["debug"]), "debug", "debug"),
        (pod("app"), "db", "container db is not valid for pod web"),
        (pod(), "", "a container name must be specified for pod web"),
        (
            pod("app", "log", init=["setup"], ephemeral=["debug"]),
            "",
            "a container name must be specified for pod web, choose one of: [setup app log debug]",
        ),
    ],
)
def test_container_that_is_meant(of: Pod, asked: str, chosen: str) -> None:
    if " " not in chosen:
        assert chosen_container(of, asked) == chosen
    else:
        assert refusal(lambda: chosen_container(of, asked)) == (400, chosen)


def refusal(act: Any) -> tuple[int, str]:
    with pytest.raises(ApiError) as refused:
        act()
    return refused.value.code, refused.value.message


def test_pod_without_a_node_can_not_be_entered() -> None:
    assert refusal(lambda: assigned_node(pod("app"))) == (400, "pod web does not have a host assigned")


@pytest.mark.parametrize(
    ("options", "errors"),
    [
        (PodLogOptions(tail_lines=0, limit_bytes=1, since_seconds=1), []),
        (
            PodLogOptions(tail_lines=-1),
            ["tailLines: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (PodLogOptions(limit_bytes=0), ["limitBytes: Invalid value: 0: must be greater than 0"]),
        (PodLogOptions(since_seconds=0), ["sinceSeconds: Invalid value: 0: must be greater than 0"]),
        (
            PodLogOptions(since_seconds=5, since_time=5.0),
            ["[]: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"],
        ),
        (PodLogOptions(stream="Stdout"), ["stream: Forbidden: may not be specified"]),
    ],
)
def test_log_options_that_make_no_sense(options: PodLogOptions, errors: list[str]) -> None:
    assert [str(error) for error in log_option_errors(options)] == errors


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("web", ("", "web", "")),
        ("web:80", ("", "web", "80")),
        ("https:web:", ("https", "web", "")),
        (":web:http", ("", "web", "http")),
        ("ftp:web:80", None),
        (":80", None),
        ("a:b:c:d", None),
        ("", None),
    ],
)
def test_name_carries_scheme_and_port(text: str, named: tuple[str, str, str] | None) -> None:
    if named is not None:
        assert split_name(text, "pod") == Named(text, *named)
    else:
        assert refusal(lambda: split_name(text, "pod")) == (400, f'invalid pod request "{text}"')


@pytest.mark.parametrize(
    ("asked", "port", "tls"),
    [("web", 8080, False), ("web:9090", 9090, False), ("https:web:", 8080, True), ("https:web:8443", 8443, True)],
)
def test_first_declared_port_is_the_default(asked: str, port: int, tls: bool) -> None:
    spec = {"containers": [{"name": "a"}, {"name": "b", "ports": [{"containerPort": 8080}, {"containerPort": 81}]}]}
    found = pod_port(msgspec.convert({"spec": spec}, Pod), split_name(asked, "pod"))
    assert (found.port, found.tls) == (port, tls)


@pytest.mark.parametrize(("asked", "port"), [("web", 80), ("https:web:", 443)])
def test_pod_that_declares_no_port_has_the_schemes_own(asked: str, port: int) -> None:
    assert pod_port(pod("app"), split_name(asked, "pod")).port == port


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_port_must_be_a_number(port: str) -> None:
    assert refusal(lambda: pod_port(pod("app"), split_name(f"web:{port}", "pod")))[0] == 400


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "ff02::1",
        "",
        "host",
    ],
)
def test_addresses_of_nobody_else_are_not_connected_to(address: str) -> None:
    assert refusal(lambda: proxyable(address)) == (400, "address not allowed")


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "8.8.8.8", "2001:db8::1"])
def test_other_addresses_are(address: str) -> None:
    assert proxyable(address) == address


def test_part_of_the_loopback_range_may_be_the_pods() -> None:
    pods = ipaddress.ip_network("127.128.0.0/9")
    assert proxyable("127.200.0.1", pods) == "127.200.0.1"
    assert refusal(lambda: proxyable("127.0.0.1", pods)) == (400, "address not allowed")


def service(**ports: int) -> Service:
    tree = {
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"ports": [{"name": name, "port": port} for name, port in ports.items()]},
    }
    return msgspec.convert(tree, Service)


def endpoints(*ips: str, target: str = "web", namespace: str = "shop", **ports: int) -> Endpoints:
    addresses = [{"ip": ip, "targetRef": {"kind": "Pod", "name": target, "namespace": namespace}} for ip in ips]
    subset = {"addresses": addresses, "ports": [{"name": name, "port": port} for name, port in ports.items()]}
    return msgspec.convert({"subsets": [subset] if ips else []}, Endpoints)


def at_ip(ip: str) -> Pod:
    return pod("app", podIPs=[{"ip": ip}])


def one_pod(name: str) -> Pod:
    if name != "web":
        raise NotFound(name)
    return at_ip("10.0.0.5")


@pytest.mark.parametrize("asked", ["shop:http", "shop:80", "http:shop:http"])
def test_service_leads_to_a_pod_behind_the_port(asked: str) -> None:
    found = endpoint_of(
        service(http=80, admin=81),
        endpoints("10.0.0.5", http=8080, admin=8081),
        split_name(asked, "service"),
        one_pod,
        Chance(1),
    )
    assert (found.pod.status.pod_ips[0].ip, found.port) == ("10.0.0.5", 8080)


@pytest.mark.parametrize(
    ("behind", "asked", "why"),
    [
        (endpoints(), "shop:http", 'no endpoints available for service "shop"'),
        (endpoints("10.0.0.5", http=80), "shop:82", 'no service port 82 found for service "shop"'),
        (endpoints("10.0.0.5", http=80), "shop:dns", 'no endpoints available for service "shop:dns"'),
        (endpoints("10.0.0.5", http=80, target="gone"), "shop:http", 'no endpoints available for service "shop:http"'),
        (endpoints("10.0.0.9", http=80), "shop:http", 'no endpoints available for service "shop:http"'),
        (
            endpoints("10.0.0.5", http=80, namespace="other"),
            "shop:http",
            'no endpoints available for service "shop:http"',
        ),
    ],
)
def test_service_without_a_true_endpoint_is_unavailable(behind: Endpoints, asked: str, why: str) -> None:
    named = split_name(asked, "service")
    assert refusal(lambda: endpoint_of(service(http=80), behind, named, one_pod, Chance(1))) == (503, why)


def test_node_is_reached_at_its_internal_address() -> None:
    addresses = [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "10.0.0.1"}]
    assert node_address(msgspec.convert({"status": {"addresses": addresses}}, Node)) == "10.0.0.1"
    assert refusal(lambda: node_address(Node()))[0] == 500
