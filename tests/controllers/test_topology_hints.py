from __future__ import annotations

import re
from collections import Counter

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import Node, NodeCondition, NodeStatus, Pod, Service, ServicePort, ServiceSpec
from kcore.api.discovery_v1 import EndpointSlice
from kcore.api.meta_v1 import ObjectMeta
from kcore.controllers.topologyhints import NoHints, allocate, cpu_shares
from tests.controllers.control import controlled, make_ready, template
from tests.sim.world import World

EVEN = {"a": 0.5, "b": 0.5}
THIRDS = {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}


@pytest.mark.parametrize(
    ("zones", "shares", "given"),
    [
        ("aabb", EVEN, "aabb"),
        ("aaab", EVEN, "baab"),
        ("aaaaab", EVEN, "bbaaab"),
        ("aaaaaaabbbbb", EVEN, "aaaaaaabbbbb"),  # a fifth more than its share a zone may bear
        ("aaaa", EVEN, "bbaa"),
        ("abc", THIRDS, "abc"),
        ("aaabbbccc", THIRDS, "aaabbbccc"),
        ("dabc", {"a": 0.5, "b": 0.25, "c": 0.25}, "aabc"),
    ],
)
def test_zones_get_their_share_of_the_endpoints(zones: str, shares: dict[str, float], given: str) -> None:
    result = allocate(zones, shares)
    for zone, share in shares.items():
        assert result.count(zone) * 1.2 >= share * len(zones)
    assert Counter(result) == Counter(given)
    assert sum(map(str.__eq__, zones, result)) == sum(map(str.__eq__, zones, given)), "they stay at home if they can"


@pytest.mark.parametrize(
    ("zones", "shares", "why"),
    [
        ([], EVEN, "0 endpoints are too few"),
        (["a", "b"], THIRDS, "2 endpoints are too few for 3 zones"),
        (["a", ""], EVEN, "zone of an endpoint"),
        (["a", "a"], {"a": 1.0}, "one zone only"),
        (["a", "a"], {}, "a node does not tell"),
        (["a", "a", "b"], {"a": 0.5, "b": 0.5}, "without overloading"),
    ],
)
def test_hints_that_would_overload_a_zone_are_not_given(zones: list[str], shares: dict[str, float], why: str) -> None:
    with pytest.raises(NoHints, match=re.escape(why)):
        allocate(zones, shares)


def node(name: str, zone: str, cpu: str = "4", ready: str = "True") -> Node:
    labels = {"topology.kubernetes.io/zone": zone} if zone else {}
    status = NodeStatus(conditions=(NodeCondition(type="Ready", status=ready),), allocatable={"cpu": cpu})
    return Node(metadata=ObjectMeta(name=name, labels=labels), status=status)


def test_shares_are_those_of_ready_nodes() -> None:
    nodes = [node("a1", "a", "6"), node("b1", "b", "1500m"), node("b2", "b", "500m"), node("c", "c", ready="False")]
    assert cpu_shares(nodes) == {"a": 0.75, "b": 0.25}
    assert cpu_shares([*nodes, node("x", "")]) == {}


async def make_node(w: World, name: str, zone: str, cpu: str = "4") -> None:
    made = node(name, zone, cpu)
    created = await w.client.create(made)
    await w.client.update(replace(created, status=made.status), subresource="status")


async def hints(w: World) -> list[str]:
    (slice_,) = (await w.client.list(EndpointSlice, "ns")).items
    return sorted(zone.name for e in slice_.endpoints or () if e.hints is not None for zone in e.hints.for_zones)


async def test_slices_follow_the_zones_of_nodes() -> None:
    async with controlled(controllers=("endpointslice",)) as w:
        for name, zone in (("n1", "a"), ("n2", "b")):
            await make_node(w, name, zone)
        for i in range(4):
            one = template()
            spec = replace(one.spec, node_name="n1")
            await make_ready(
                w, await w.client.create(Pod(metadata=replace(one.metadata, name=f"p{i}", namespace="ns"), spec=spec))
            )
        made = Service(
            metadata=ObjectMeta(
                name="web", namespace="ns", annotations={"service.kubernetes.io/topology-mode": "Auto"}
            ),
            spec=ServiceSpec(selector={"app": "web"}, ports=(ServicePort(name="http", port=80),)),
        )
        made = await w.client.create(made)
        await w.settle()
        assert await hints(w) == ["a", "a", "b", "b"]
        await w.client.patch(Node, "n1", {"status": {"allocatable": {"cpu": "12"}}}, subresource="status")
        await w.settle()
        assert await hints(w) == ["a", "a", "a", "b"]
        await w.client.delete(Node, "n2")
        await w.settle()
        assert await hints(w) == []
        told = [line.split()[1] for line in await w.told(made)]
        assert told == ["TopologyAwareHintsEnabled", "TopologyAwareHintsDisabled"]
