"""Nodes that run out of something, or out of sight."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from kcore.api.coordination_v1 import Lease
from kcore.api.core_v1 import Node, Pod, ResourceRequirements
from kcore.node.pressure import Shortage, shortages, victim
from kcore.node.runtime import NodeUsage
from tests.node.pods import container, pod
from tests.node.test_engine import conditions, current, run, served

MIB = 2**20


def named(name: str, memory: str = "", priority: int = 0) -> Pod:
    resources = ResourceRequirements(requests={"memory": memory} if memory else {})
    made = pod(containers=[replace(container(), resources=resources)])
    metadata = replace(made.metadata, name=name, uid=name)
    return replace(made, metadata=metadata, spec=replace(made.spec, priority=priority))


@pytest.mark.parametrize(
    ("usage", "resources"),
    [
        (NodeUsage(), []),
        (NodeUsage(memory_available_bytes=99 * MIB), ["memory"]),
        (NodeUsage(memory_available_bytes=101 * MIB), []),
        (NodeUsage(disk_capacity_bytes=100, disk_available_bytes=9), ["disk"]),
        (NodeUsage(disk_capacity_bytes=100, disk_available_bytes=10), []),
    ],
)
def test_shortages(usage: NodeUsage, resources: Sequence[str]) -> None:
    assert [shortage.resource for shortage in shortages(usage)] == resources


def test_who_goes_first() -> None:
    used = {"modest": 10 * MIB, "greedy": 90 * MIB, "loved": 95 * MIB, "system": 500 * MIB}
    pods = [
        named("modest", "20Mi"),
        named("greedy", "20Mi"),
        named("loved", "20Mi", priority=100),
        named("system", priority=2_000_000_000),
    ]
    order = []
    while (chosen := victim(pods, used, Shortage("memory", 100 * MIB, 50 * MIB))) is not None:
        order.append(chosen.pod.metadata.name)
        pods.remove(chosen.pod)
    assert order == ["greedy", "loved", "modest"]


def test_the_evicted_are_told_why() -> None:
    chosen = victim([named("a", "20Mi")], {"a": 90 * MIB}, Shortage("memory", 100 * MIB, 50 * MIB))
    assert chosen is not None
    assert chosen.message == (
        "The node was low on resource: memory. Threshold quantity: 104857600, available: 51200Ki. "
        "Container app was using 92160Ki, request is 20971520. "
    )


async def test_a_scripted_shortage_shows_and_evicts() -> None:
    async with served(1) as w:
        await run(w, pod())
        await w.settle(2)
        short = {"metadata": {"annotations": {"kcore.dev/pressure": "memory"}}}
        await w.client.patch(Node, "node-0", short)
        await w.settle(15)
        assert conditions(await w.client.get(Node, "node-0"))["MemoryPressure"] == "True"
        evicted = await current(w)
        assert (evicted.status.phase, evicted.status.reason) == ("Failed", "Evicted")
        assert not any(s.state.running for s in evicted.status.container_statuses)
        await w.client.patch(Node, "node-0", {"metadata": {"annotations": {"kcore.dev/pressure": None}}})
        await w.settle(15)
        assert conditions(await w.client.get(Node, "node-0"))["MemoryPressure"] == "False"


async def test_a_lost_node_gives_no_sign_of_life() -> None:
    async with served(1) as w:
        await w.client.patch(Node, "node-0", {"metadata": {"annotations": {"kcore.dev/lost": "true"}}})
        await w.settle(15)
        before = await w.client.get(Lease, "node-0", "kube-node-lease")
        await w.settle(60)
        assert await w.client.get(Lease, "node-0", "kube-node-lease") == before
        await w.client.patch(Node, "node-0", {"metadata": {"annotations": {"kcore.dev/lost": None}}})
        await w.settle(15)
        assert await w.client.get(Lease, "node-0", "kube-node-lease") != before
