"""What Services are given as they come, change and go."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from kcore.api.core_v1 import Service, ServiceSpec
from kcore.api.errors import InternalError, Invalid
from kcore.registry.service_allocation import ServiceAllocator
from kcore.registry.strategies.services import _drop_fields_of_old_type
from kcore.registry.validation.services import validate_service_update
from tests.registry.rules import changed, load

RANGE = "10.96.0.0/24"
RANGE6 = "fd00:96::/112"


def allocator(*cidrs: str) -> ServiceAllocator:
    return ServiceAllocator(cidrs or (RANGE,), (30000, 30099), random.Random(1))


def service(**spec: Any) -> Service:
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], **spec}}
    loaded: Service = load(body)
    return loaded


def created(pools: ServiceAllocator, **spec: Any) -> Service:
    fresh = service(**spec)
    pools.begin(fresh, None)(True)
    return fresh


def updated(pools: ServiceAllocator, old: Service, patch: Mapping[str, Any]) -> Service:
    """A merge patch, through the steps of the registry."""
    spec = changed(msgspec.to_builtins(old.spec), patch)
    fresh = service(**spec)
    settle = pools.begin(fresh, old)
    _drop_fields_of_old_type(fresh.spec, old.spec)
    settle(True)
    return fresh


def refusal(pools: ServiceAllocator, **spec: Any) -> list[str]:
    with pytest.raises(Invalid) as refused:
        pools.begin(service(**spec), None)
    assert refused.value.details is not None
    return [f"{c.field}: {c.message}" for c in refused.value.details.causes]


def families(spec: ServiceSpec) -> tuple[str | None, tuple[str, ...], int]:
    return spec.ip_family_policy, spec.ip_families, len(spec.cluster_ips)


@pytest.mark.parametrize(
    ("cidrs", "spec", "expected"),
    [
        ((RANGE,), {}, ("SingleStack", ("IPv4",), 1)),
        ((RANGE6,), {}, ("SingleStack", ("IPv6",), 1)),
        ((RANGE,), {"ipFamilyPolicy": "PreferDualStack"}, ("PreferDualStack", ("IPv4",), 1)),
        ((RANGE, RANGE6), {}, ("SingleStack", ("IPv4",), 1)),
        ((RANGE, RANGE6), {"ipFamilyPolicy": "PreferDualStack"}, ("PreferDualStack", ("IPv4", "IPv6"), 2)),
        ((RANGE, RANGE6), {"ipFamilyPolicy": "RequireDualStack"}, ("RequireDualStack", ("IPv4", "IPv6"), 2)),
        ((RANGE, RANGE6), {"ipFamilies": ["IPv6"]}, ("SingleStack", ("IPv6",), 1)),
        ((RANGE, RANGE6), {"clusterIP": "fd00:96::5"}, ("SingleStack", ("IPv6",), 1)),
        ((RANGE,), {"clusterIP": "None"}, ("RequireDualStack", ("IPv4", "IPv6"), 1)),
        ((RANGE,), {"clusterIP": "None", "selector": {"a": "b"}}, ("SingleStack", ("IPv4",), 1)),
        ((RANGE,), {"type": "ExternalName", "externalName": "a.b"}, (None, (), 0)),
    ],
)
def test_families_follow_from_policy_range_and_addresses(
    cidrs: tuple[str, ...], spec: dict[str, Any], expected: tuple[str | None, tuple[str, ...], int]
) -> None:
    assert families(created(allocator(*cidrs), **spec).spec) == expected


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (
            {"clusterIP": "192.168.5.5"},
            'spec.clusterIPs: Invalid value: ["192.168.5.5"]: failed to allocate IP 192.168.5.5: '
            "the provided network does not match the current range",
        ),
        ({"ipFamilies": ["IPv6"]}, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'),
        (
            {"clusterIP": "fd00::1"},
            'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster',
        ),
        (
            {"ipFamilyPolicy": "RequireDualStack"},
            'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": '
            "this cluster is not configured for dual-stack services",
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]},
            "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. "
            "The range of valid ports is 30000-30099",
        ),
        (
            {"type": "NodePort", "ports": [{"port": 1, "nodePort": 30001}, {"port": 2, "nodePort": 30001}]},
            "spec.ports[1].nodePort: Invalid value: 30001: provided port is already allocated",
        ),
    ],
)
def test_what_can_not_be_had_is_refused(spec: dict[str, Any], error: str) -> None:
    assert refusal(allocator(), **spec) == [error]


def test_refused_service_leaves_nothing_behind() -> None:
    pools = allocator()
    refusal(pools, type="NodePort", clusterIP="10.96.0.9", ports=[{"port": 1, "nodePort": 1}])
    assert created(pools, clusterIP="10.96.0.9").spec.cluster_ip == "10.96.0.9"


def test_service_that_is_not_stored_gives_everything_back() -> None:
    pools = allocator()
    fresh = service(type="NodePort", clusterIP="10.96.0.9", ports=[{"port": 1, "nodePort": 30001}])
    pools.begin(fresh, None)(False)
    again = created(pools, type="NodePort", clusterIP="10.96.0.9", ports=[{"port": 1, "nodePort": 30001}])
    assert again.spec.cluster_ips == ("10.96.0.9",)


def test_until_a_create_has_ended_nobody_else_gets_what_it_took() -> None:
    pools = allocator()
    pools.begin(service(clusterIP="10.96.0.9"), None)
    assert "provided IP is already allocated" in refusal(pools, clusterIP="10.96.0.9")[0]


def test_ports_of_one_number_share_a_node_port() -> None:
    both = [{"name": "t", "port": 80}, {"name": "u", "port": 80, "protocol": "UDP"}]
    tcp, udp = created(allocator(), type="NodePort", ports=both).spec.ports
    assert tcp.node_port == udp.node_port >= 30000


def test_load_balancer_may_do_without_node_ports() -> None:
    spec = created(allocator(), type="LoadBalancer", allocateLoadBalancerNodePorts=False).spec
    assert spec.ports[0].node_port == 0


def test_local_traffic_gets_a_health_check_port_and_loses_it_again() -> None:
    pools = allocator()
    balancer = created(pools, type="LoadBalancer", externalTrafficPolicy="Local")
    port = balancer.spec.health_check_node_port
    assert port >= 30000
    after = updated(pools, balancer, {"externalTrafficPolicy": "Cluster"})
    assert after.spec.health_check_node_port == 0
    assert created(pools, type="NodePort", ports=[{"port": 1, "nodePort": port}]).spec.ports[0].node_port == port


def test_node_ports_go_with_the_type_and_are_free_once_that_is_stored() -> None:
    pools = allocator()
    first = created(pools, type="NodePort", ports=[{"port": 80, "nodePort": 30007}])
    plain = updated(pools, first, {"type": "ClusterIP"})
    assert (plain.spec.ports[0].node_port, plain.spec.external_traffic_policy) == (0, "")
    assert plain.spec.cluster_ip == first.spec.cluster_ip
    created(pools, type="NodePort", ports=[{"port": 80, "nodePort": 30007}])


def test_failed_update_keeps_what_the_service_had() -> None:
    pools = allocator()
    first = created(pools, type="NodePort", ports=[{"port": 80, "nodePort": 30007}])
    settle = pools.begin(service(**changed(msgspec.to_builtins(first.spec), {"type": "ClusterIP"})), first)
    settle(False)
    error = refusal(pools, type="NodePort", ports=[{"port": 80, "nodePort": 30007}])[0]
    assert error.endswith("provided port is already allocated")


def test_external_name_gives_up_its_address_and_gets_a_new_one_later() -> None:
    pools = allocator()
    first = created(pools, clusterIP="10.96.0.9")
    external = updated(pools, first, {"type": "ExternalName", "externalName": "a.example.com"})
    spec = external.spec
    assert (spec.cluster_ip, spec.cluster_ips, spec.ip_families, spec.internal_traffic_policy) == ("", (), (), None)
    created(pools, clusterIP="10.96.0.9")
    back = updated(pools, external, {"type": "ClusterIP", "externalName": None})
    assert back.spec.cluster_ip not in ("", "10.96.0.9")


def test_update_that_leaves_allocated_values_out_keeps_them() -> None:
    pools = allocator()
    first = created(pools, type="NodePort", ports=[{"name": "a", "port": 80}])
    fresh = service(type="NodePort", ports=[{"name": "a", "port": 8080}])
    pools.begin(fresh, first)(True)
    assert fresh.spec.cluster_ip == first.spec.cluster_ip
    assert fresh.spec.ports[0].node_port == first.spec.ports[0].node_port


def test_going_dual_and_back_takes_and_frees_the_second_address() -> None:
    pools = allocator(RANGE, RANGE6)
    single = created(pools, clusterIP="10.96.0.9")
    dual = updated(pools, single, {"ipFamilyPolicy": "RequireDualStack"})
    first, second = dual.spec.cluster_ips
    assert first == "10.96.0.9"
    again = updated(pools, dual, {"ipFamilyPolicy": "SingleStack"})
    assert again.spec.cluster_ips == (first,)
    assert created(pools, clusterIP=second).spec.ip_families == ("IPv6",)


def test_pools_are_rebuilt_from_stored_services() -> None:
    stored = created(allocator(), type="NodePort", clusterIP="10.96.0.9", ports=[{"port": 1, "nodePort": 30001}])
    pools = allocator()
    pools.adopt([stored, replace(stored)])
    assert refusal(pools, clusterIP="10.96.0.9")
    pools.release(stored)
    created(pools, type="NodePort", clusterIP="10.96.0.9", ports=[{"port": 1, "nodePort": 30001}])


_SPECS: list[dict[str, Any]] = [
    {"type": "ClusterIP"},
    {"type": "NodePort"},
    {"type": "NodePort", "ports": [{"name": "a", "port": 1, "nodePort": 30003}, {"name": "b", "port": 2}]},
    {"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
    {"type": "ExternalName", "externalName": "a.example.com"},
    {"type": "ClusterIP", "clusterIP": "10.96.0.9"},
]


def test_a_further_range_is_asked_once_the_first_is_full() -> None:
    pools = allocator("10.0.0.0/30")
    held = [service(clusterIP="10.0.1.1", clusterIPs=["10.0.1.1"])]
    pools.offer(["10.0.0.0/30", "10.0.1.0/30"], lambda: held)
    got = [created(pools).spec.cluster_ip for _ in range(3)]
    assert sorted(got) == ["10.0.0.1", "10.0.0.2", "10.0.1.2"]
    pools.offer(["10.0.0.0/30"], list)
    with pytest.raises(InternalError, match="range is full"):
        pools.begin(service(), None)


def test_overlapping_ranges_never_give_an_address_twice() -> None:
    pools = allocator("10.0.0.0/30")
    pools.offer(["10.0.0.0/29"], list)
    got = [created(pools).spec.cluster_ip for _ in range(6)]
    assert sorted(got) == [f"10.0.0.{i}" for i in range(1, 7)]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(_SPECS), st.booleans()), max_size=25))
def test_whatever_happens_pools_hold_exactly_what_the_services_have(
    steps: list[tuple[int, dict[str, Any], bool]],
) -> None:
    """Four names are created, changed, deleted and not stored at random."""
    pools = allocator()
    standing: dict[int, Service] = {}
    for name, spec, stored in steps:
        old = standing.get(name)
        if old is not None and spec["type"] == old.spec.type:
            pools.release(standing.pop(name))
            continue
        fresh = service(**spec)
        try:
            settle = pools.begin(fresh, old)
        except Invalid:
            continue
        if old is not None:
            _drop_fields_of_old_type(fresh.spec, old.spec)
            stored = stored and not validate_service_update(fresh, old)
        settle(stored)
        if stored:
            standing[name] = fresh
    held: list[str | int] = []
    for one in standing.values():
        held += one.spec.cluster_ips
        held += {port.node_port for port in one.spec.ports if port.node_port}
        held += [one.spec.health_check_node_port] if one.spec.health_check_node_port else []
    assert len(held) == len(set(held))
    assert len(held) == len(pools._addresses["IPv4"]) + len(pools._ports)
