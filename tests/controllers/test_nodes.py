from __future__ import annotations

import ipaddress
from contextlib import suppress

import msgspec
import pytest
from msgspec.structs import replace

from kcore.api.coordination_v1 import Lease, LeaseSpec
from kcore.api.core_v1 import Node, NodeCondition, NodeSpec, NodeStatus, Pod, Taint, Toleration
from kcore.api.errors import AlreadyExists, NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.timestamp import format_micro, format_seconds
from kcore.controllers.nodeipam import Pool
from kcore.controllers.options import ControllerOptions
from kcore.controllers.pods import is_ready
from kcore.controllers.tainteviction import seconds_tolerated
from tests.controllers.control import controlled, make_ready, template
from tests.sim.world import World


async def make_node(w: World, name: str = "n1", zone: str = "") -> Node:
    now = format_seconds(w.clock.now())
    ready = NodeCondition(type="Ready", status="True", last_heartbeat_time=now, last_transition_time=now)
    labels = {"topology.kubernetes.io/zone": zone} if zone else {}
    with suppress(AlreadyExists):
        await w.client.create(Node(metadata=ObjectMeta(name=name, labels=labels)))
    status = {"status": {"conditions": [msgspec.to_builtins(ready)]}}
    return await w.client.patch(Node, name, status, subresource="status")


async def keep_alive(w: World, *names: str) -> None:
    """Nodes that report as those do that are well."""
    for name in names:
        await make_node(w, name)

    async def report() -> None:
        while True:
            await w.settle(10)
            for name in names:
                found = await w.client.get(Node, name)
                beat = format_seconds(w.clock.now())
                conditions = tuple(replace(c, last_heartbeat_time=beat) for c in found.status.conditions)
                status = replace(found.status, conditions=conditions)
                await w.client.update(replace(found, status=status), subresource="status")

    w.tasks.start_soon(report)


async def make_pod(w: World, name: str, *tolerations: Toleration) -> Pod:
    one = template()
    spec = replace(one.spec, node_name="n1", tolerations=tolerations)
    pod = await w.client.create(Pod(metadata=replace(one.metadata, name=name, namespace="ns"), spec=spec))
    return await make_ready(w, pod)


async def node(w: World) -> Node:
    return await w.client.get(Node, "n1")


def taints(n: Node) -> set[tuple[str, str]]:
    return {(t.key.removeprefix("node.kubernetes.io/"), t.effect) for t in n.spec.taints}


def ready(n: Node) -> tuple[str, str]:
    return next((c.status, c.reason) for c in n.status.conditions if c.type == "Ready")


async def test_silent_node_becomes_unknown_and_its_pods_unready() -> None:
    async with controlled() as w:
        await w.create_namespace("default")
        n = await make_node(w)
        await keep_alive(w, "n2")
        await make_pod(w, "p", Toleration(operator="Exists"))
        await w.settle(45)
        assert ready(await node(w))[0] == "True"
        await w.settle(10)
        assert ready(await node(w)) == ("Unknown", "NodeStatusUnknown")
        assert taints(await node(w)) == {("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}
        assert not is_ready(await w.client.get(Pod, "p", "ns"))
        assert "Normal NodeNotReady Node n1 status is now: NodeNotReady" in await w.told(n)


async def test_node_that_renews_its_lease_is_left_alone_and_one_that_comes_back_is_cleared() -> None:
    async with controlled() as w:
        await w.create_namespace("kube-node-lease")
        await make_node(w)
        spec = LeaseSpec(holder_identity="n1", renew_time=format_micro(w.clock.now()))
        lease = await w.client.create(Lease(metadata=ObjectMeta(name="n1", namespace="kube-node-lease"), spec=spec))
        for _ in range(10):
            await w.settle(10)
            lease = await w.client.update(replace(lease, spec=replace(spec, renew_time=format_micro(w.clock.now()))))
        assert ready(await node(w))[0] == "True"
        await w.settle(60)
        silent = await node(w)
        assert ready(silent)[0] == "Unknown"
        now = format_seconds(w.clock.now())
        back = NodeCondition(type="Ready", status="True", last_heartbeat_time=now, last_transition_time=now)
        await w.client.update(replace(silent, status=NodeStatus(conditions=(back,))), subresource="status")
        await w.settle()
        assert taints(await node(w)) == set()


async def test_conditions_and_cordon_become_taints_beside_those_of_others() -> None:
    async with controlled() as w:
        n = await make_node(w)
        await w.settle()
        n = await node(w)
        own = (Taint(key="example.com/gpu", effect="NoSchedule"),)
        n = await w.client.update(replace(n, spec=replace(n.spec, unschedulable=True, taints=own)))
        pressure = NodeCondition(type="MemoryPressure", status="True")
        status = replace(n.status, conditions=(*n.status.conditions, pressure))
        await w.client.update(replace(n, status=status), subresource="status")
        await w.settle()
        expected = {
            ("example.com/gpu", "NoSchedule"),
            ("unschedulable", "NoSchedule"),
            ("memory-pressure", "NoSchedule"),
        }
        assert taints(await node(w)) == expected
        n = await node(w)
        await w.client.update(replace(n, spec=replace(n.spec, unschedulable=False)))
        await w.settle()
        assert ("unschedulable", "NoSchedule") not in taints(await node(w))


async def evicting(w: World) -> set[str]:
    """The nodes whose pods are told to leave."""
    nodes = (await w.client.list(Node)).items
    return {n.metadata.name for n in nodes if ("unreachable", "NoExecute") in taints(n)}


async def test_nodes_that_have_not_reported_yet_take_nobodys_turn() -> None:
    async with controlled() as w:
        await w.create_namespace("default")
        for i in range(6):
            await w.client.create(Node(metadata=ObjectMeta(name=f"well{i}")))
        await w.settle()
        for i in range(6):
            await keep_alive(w, f"well{i}")
        await make_node(w)
        await w.settle(51)
        assert await evicting(w) == {"n1"}


async def test_silent_nodes_of_a_zone_are_emptied_one_after_the_other() -> None:
    async with controlled() as w:
        await w.create_namespace("default")
        await keep_alive(w, *(f"well{i}" for i in range(6)))
        for name in ("n1", "n2", "n3"):
            await make_node(w, name)
        await w.settle(51)
        assert len(await evicting(w)) == 1
        await w.settle(12)
        assert len(await evicting(w)) == 2
        await w.settle(12)
        assert await evicting(w) == {"n1", "n2", "n3"}


async def test_small_zone_of_which_most_is_silent_keeps_its_pods() -> None:
    async with controlled() as w:
        await w.create_namespace("default")
        await keep_alive(w, "well")
        for name in ("n1", "n2", "n3", "n4"):
            await make_node(w, name)
        await w.settle(300)
        # The first ones were silent while the zone still looked well.
        assert len(await evicting(w)) <= 1
        assert ("unreachable", "NoSchedule") in taints(await node(w))


async def test_when_every_node_is_silent_the_fault_is_ours() -> None:
    async with controlled() as w:
        await w.create_namespace("default")
        for name, zone in (("n1", "a"), ("n2", "b")):
            await make_node(w, name, zone)
        await w.settle(300)
        assert await evicting(w) == set()
        assert ("unreachable", "NoSchedule") in taints(await node(w))


async def test_pods_leave_a_tainted_node_when_they_tolerate_it_no_longer() -> None:
    async with controlled() as w:
        n = await make_node(w)
        tolerated = Toleration(key="example.com/out", operator="Exists", effect="NoExecute")
        await make_pod(w, "never")
        await make_pod(w, "for-a-while", replace(tolerated, toleration_seconds=20))
        await make_pod(w, "for-ever", tolerated)
        await w.settle()
        n = await node(w)
        out = Taint(key="example.com/out", effect="NoExecute", time_added=format_seconds(w.clock.now()))
        await w.client.update(replace(n, spec=replace(n.spec, taints=(out,))))

        async def leaving(name: str) -> bool:
            try:
                pod = await w.client.get(Pod, name, "ns")
            except NotFound:
                return True
            return pod.metadata.deletion_timestamp is not None

        await w.settle(5)
        assert [await leaving(name) for name in ("never", "for-a-while", "for-ever")] == [True, False, False]
        await w.settle(20)
        assert [await leaving(name) for name in ("never", "for-a-while", "for-ever")] == [True, True, False]


async def test_every_node_gets_its_own_pod_range() -> None:
    async with controlled(cluster_cidr="10.244.0.0/16") as w:
        taken = Node(
            metadata=ObjectMeta(name="n0"), spec=NodeSpec(pod_cidr="10.244.1.0/24", pod_cidrs=("10.244.1.0/24",))
        )
        await w.client.create(taken)
        for name in ("n1", "n2"):
            await make_node(w, name)
            await w.settle()
        ranges = [(await w.client.get(Node, name)).spec.pod_cidr for name in ("n0", "n1", "n2")]
        assert ranges == ["10.244.1.0/24", "10.244.0.0/24", "10.244.2.0/24"]


async def test_mask_size_and_second_family_are_as_told() -> None:
    async with controlled(cluster_cidr="10.244.0.0/16,fd00::/48", node_cidr_mask_size=26) as w:
        await make_node(w)
        await w.settle()
        assert (await node(w)).spec.pod_cidrs == ("10.244.0.0/26", "fd00::/64")


def test_mask_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"nodes can not have a /24 out of the cluster CIDR 10\.0\.0\.0/25"):
        ControllerOptions(cluster_cidr="10.0.0.0/25")


def test_range_given_back_is_used_when_no_fresh_one_is_left() -> None:
    pool = Pool(ipaddress.ip_network("10.0.0.0/22"), 24)
    given = [pool.take() for _ in range(4)]
    assert given == ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"]
    assert pool.take() is None
    pool.give_back("10.0.2.0/24")
    assert pool.take() == "10.0.2.0/24"


def test_shortest_of_several_tolerations_counts() -> None:
    taint = Taint(key="k", value="v", effect="NoExecute")
    long = Toleration(key="k", operator="Exists", toleration_seconds=300)
    short = Toleration(key="k", value="v", toleration_seconds=-5)
    assert seconds_tolerated(taint, [long]) == 300
    assert seconds_tolerated(taint, [long, short]) == 0
    assert seconds_tolerated(taint, [Toleration(operator="Exists")]) is None
    assert seconds_tolerated(taint, [Toleration(key="other", operator="Exists")]) == 0
