from __future__ import annotations

import pytest

from kcore.api.core_v1 import Node, NodeSpec, Taint
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.controllers.cloud.nodes import SHUT_DOWN, UNINITIALIZED
from tests.controllers.control import controlled
from tests.sim.world import World

OWN = Taint(key="example.com/gpu", effect="NoSchedule")


async def register(w: World) -> Node:
    taints = (Taint(key=UNINITIALIZED, value="true", effect="NoSchedule"), OWN)
    return await w.client.create(Node(metadata=ObjectMeta(name="n1"), spec=NodeSpec(taints=taints)))


async def report(w: World, ready: bool) -> None:
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    await w.client.patch(Node, "n1", {"status": {"conditions": [condition]}}, subresource="status")
    await w.settle()


async def machine(w: World, state: str | None) -> None:
    await w.client.patch(Node, "n1", {"metadata": {"annotations": {"kcore.dev/instance": state}}})


async def keys(w: World) -> set[str]:
    return {taint.key for taint in (await w.client.get(Node, "n1")).spec.taints}


async def test_node_that_registers_is_told_what_machine_it_is() -> None:
    async with controlled(cloud_nodes=True) as w:
        await w.create_namespace("default")
        made = await register(w)
        await w.settle()
        node = await w.client.get(Node, "n1")
        assert node.spec.provider_id == "kcore://n1"
        assert node.metadata.labels["node.kubernetes.io/instance-type"] == "kcore"
        assert UNINITIALIZED not in await keys(w)
        assert OWN.key in await keys(w)
        assert "Normal Synced Node synced successfully" in await w.told(made)


async def test_node_whose_machine_is_gone_goes_once_it_is_not_ready() -> None:
    async with controlled(cloud_nodes=True) as w:
        await w.create_namespace("default")
        made = await register(w)
        await report(w, ready=True)
        await machine(w, "gone")
        await w.settle(20)
        assert await w.client.get(Node, "n1")
        await report(w, ready=False)
        with pytest.raises(NotFound):
            await w.client.get(Node, "n1")
        told = "Normal DeletingNode Deleting node n1 because it does not exist in the cloud provider"
        assert told in await w.told(made)


async def test_node_whose_machine_is_stopped_is_tainted_until_it_is_back() -> None:
    async with controlled(cloud_nodes=True) as w:
        await register(w)
        await machine(w, "stopped")
        await report(w, ready=False)
        assert SHUT_DOWN in await keys(w)
        await machine(w, None)
        await w.settle(6)
        assert SHUT_DOWN not in await keys(w)
        await machine(w, "stopped")
        await w.settle(6)
        assert SHUT_DOWN in await keys(w)
        await report(w, ready=True)
        assert SHUT_DOWN not in await keys(w)


async def test_without_a_cloud_nodes_are_left_alone() -> None:
    async with controlled() as w:
        await register(w)
        await machine(w, "gone")
        await report(w, ready=False)
        await w.settle(10)
        assert UNINITIALIZED in await keys(w)
