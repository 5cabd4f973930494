from __future__ import annotations

from msgspec.structs import replace

from kcore.api.core_v1 import Node, NodeCondition, NodeSpec, NodeStatus, Pod, Taint
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta
from kcore.client.runner import Runner
from kcore.controllers.context import Context
from kcore.controllers.options import ControllerOptions
from kcore.controllers.podgc import PodGarbageCollector
from tests.controllers.control import controlled, make_ready, pods_of, template
from tests.controllers.jobs import end
from tests.sim.world import World, world


async def make_node(w: World, *taints: Taint, ready: str = "True") -> Node:
    condition = NodeCondition(type="Ready", status=ready)
    node = await w.client.create(Node(metadata=ObjectMeta(name="n1"), spec=NodeSpec(taints=taints)))
    return await w.client.update(replace(node, status=NodeStatus(conditions=(condition,))), subresource="status")


async def make_pod(w: World, name: str = "p", node: str = "n1", *finalizers: str) -> Pod:
    one = template()
    metadata = replace(one.metadata, name=name, namespace="ns", finalizers=finalizers)
    return await w.client.create(Pod(metadata=metadata, spec=replace(one.spec, node_name=node)))


async def collecting(w: World, most_finished: int = 3) -> None:
    """Only the collector at work, so that nobody else deletes a pod."""
    await w.create_namespace()
    options = ControllerOptions(terminated_pod_gc_threshold=most_finished)
    context = Context(w.client, w.informers, w.clock, w.chance, w.events, options)
    runner = Runner(PodGarbageCollector(context), w.informers, w.clock)
    await w.tasks.start(w.informers.run)
    await w.tasks.start(runner.run)


async def names(w: World) -> list[str]:
    return sorted(pod.metadata.name for pod in await pods_of(w))


async def test_pods_of_a_vanished_node_are_failed_and_deleted_after_a_while() -> None:
    async with world() as w:
        await collecting(w)
        await make_node(w)
        await make_ready(w, await make_pod(w, "kept", "n1", "example.com/keep"))
        await make_ready(w, await make_pod(w, "lost"))
        await w.client.delete(Node, "n1")
        await w.settle(39)
        assert await names(w) == ["kept", "lost"]
        await w.settle(2)
        (pod,) = await pods_of(w)
        assert (pod.metadata.name, pod.status.phase) == ("kept", "Failed")
        (condition,) = [c for c in pod.status.conditions if c.type == "DisruptionTarget"]
        assert (condition.reason, condition.message) == ("DeletionByPodGC", "PodGC: node no longer exists")


async def test_node_that_comes_back_in_time_keeps_its_pods() -> None:
    async with world() as w:
        await collecting(w)
        node = await make_node(w)
        await make_ready(w, await make_pod(w))
        await w.client.delete(Node, node.metadata.name)
        await w.settle(20)
        await make_node(w)
        await w.settle(100)
        assert await names(w) == ["p"]
        await w.client.delete(Node, "n1")
        await w.settle(39)
        assert await names(w) == ["p"]


async def test_pods_that_end_on_a_node_out_of_service_go_at_once() -> None:
    taint = Taint(key="node.kubernetes.io/out-of-service", value="nodeshutdown", effect="NoExecute")
    for ready, left in (("False", ["stays"]), ("True", ["ends", "stays"])):
        async with world() as w:
            await collecting(w)
            await make_node(w, taint, ready=ready)
            for name in ("ends", "stays"):
                await make_ready(w, await make_pod(w, name))
            await w.client.delete(Pod, "ends", "ns")
            await w.settle(60)
            assert await names(w) == left


async def test_only_the_newest_finished_pods_are_kept_and_evicted_ones_go_first() -> None:
    async with world() as w:
        await collecting(w, most_finished=2)
        await make_node(w)
        await make_pod(w, "running")
        await w.settle(2)
        for name in ("b", "a", "evicted"):
            await make_pod(w, name)
            await w.settle(2)
        await end(w, await w.client.get(Pod, "b", "ns"))
        await end(w, await w.client.get(Pod, "a", "ns"))
        pod = await w.client.get(Pod, "evicted", "ns")
        await end(w, replace(pod, status=replace(pod.status, reason="Evicted")), 1)
        await w.settle()
        assert await names(w) == ["a", "b", "running"]
        await end(w, await w.client.get(Pod, "running", "ns"))
        await w.settle()
        # It is the oldest, by when it was created.
        assert await names(w) == ["a", "b"]


async def test_deleted_pod_without_a_node_goes() -> None:
    async with controlled() as w:
        pod = await make_pod(w, "p", "", "example.com/wait")
        await w.client.delete(Pod, "p", "ns", DeleteOptions(grace_period_seconds=30))
        await w.settle(5)
        await w.client.patch(Pod, "p", {"metadata": {"finalizers": None}}, "ns")
        await w.settle(5)
        try:
            left = await w.client.get(Pod, pod.metadata.name, "ns")
        except NotFound:
            return
        raise AssertionError(f"still there: {left.metadata}")
