"""The scheduler at work over the registry, in virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from msgspec.structs import replace

from kcore.api.core_v1 import Node, Pod
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.object import Object
from kcore.client.informer import Informers
from kcore.client.local import LocalClient
from kcore.scheduler.config.plan import DEFAULT_PLAN, Plan
from kcore.scheduler.scheduler import Scheduler
from tests.scheduler.clusters import node, pod, taint
from tests.sim.world import World, world


@asynccontextmanager
async def scheduled(*nodes: Node, plan: Plan = DEFAULT_PLAN) -> AsyncIterator[World]:
    """A world with nodes and a scheduler."""
    async with world() as w:
        await w.create_namespace()
        for one in nodes:
            await add(w, one)
        scheduler = Scheduler(w.client, w.informers, w.events, w.clock, w.chance, plan)
        await w.tasks.start(w.informers.run)
        await w.tasks.start(scheduler.run)
        yield w


async def add(w: World, given: Node) -> None:
    """Create a node that has been seen ready, as far as its taints tell."""
    created = await w.client.create(given)
    await w.client.update(replace(created, spec=replace(created.spec, taints=given.spec.taints)))


async def where(w: World, name: str = "p") -> str:
    return (await w.client.get(Pod, name, "ns")).spec.node_name


async def test_pods_are_bound_and_it_is_told() -> None:
    async with scheduled(node("a")) as w:
        created = await w.client.create(pod())
        await w.settle()
        assert await where(w) == "a"
        assert await w.told(created) == ["Normal Scheduled Successfully assigned ns/p to a"]


async def test_a_burst_spreads_over_all_nodes() -> None:
    async with scheduled(*[node(f"n{number}") for number in range(10)]) as w:
        for number in range(100):
            await w.client.create(pod(f"p{number}", cpu="100m", memory="400Mi"))
        await w.settle()
        bound = (await w.client.list(Pod, "ns")).items
        counts = Counter(p.spec.node_name for p in bound)
        assert "" not in counts
        assert len(counts) == 10
        assert max(counts.values()) <= 20


async def test_nodes_are_never_overcommitted() -> None:
    async with scheduled(node("a", cpu="2"), node("b", cpu="1")) as w:
        for number in range(10):
            await w.client.create(pod(f"p{number}", cpu="500m"))
        await w.settle(30)
        counts = Counter(p.spec.node_name for p in (await w.client.list(Pod, "ns")).items)
        assert counts == {"a": 4, "b": 2, "": 4}


async def test_an_unschedulable_pod_says_why() -> None:
    async with scheduled(node("a", cpu="1"), node("b", taints=[taint()])) as w:
        created = await w.client.create(pod(cpu="2"))
        await w.settle()
        reason = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s)."
        told = await w.told(created)
        assert [line.partition(" preemption")[0] for line in told] == [f"Warning FailedScheduling {reason}"]
        status = (await w.client.get(Pod, "p", "ns")).status
        (condition,) = status.conditions
        assert (condition.type, condition.status, condition.reason) == ("PodScheduled", "False", "Unschedulable")
        assert condition.message.startswith(reason)


async def test_a_new_node_wakes_who_fits_it() -> None:
    async with scheduled(node("a", cpu="1")) as w:
        await w.client.create(pod(cpu="2"))
        await w.settle()
        assert await where(w) == ""
        await add(w, node("b", cpu="4"))
        await w.settle(5)
        assert await where(w) == "b"


async def test_a_deleted_pod_makes_room() -> None:
    async with scheduled(node("a", cpu="1")) as w:
        await w.client.create(pod("first", cpu="1"))
        await w.settle()
        await w.client.create(pod("second", cpu="1"))
        await w.settle()
        assert await where(w, "second") == ""
        await w.client.delete(Pod, "first", "ns", DeleteOptions(grace_period_seconds=0))
        await w.settle(5)
        assert await where(w, "second") == "a"


async def test_a_pod_that_ended_makes_room() -> None:
    async with scheduled(node("a", cpu="1")) as w:
        await w.client.create(pod("first", cpu="1"))
        await w.settle()
        await w.client.create(pod("second", cpu="1"))
        await w.client.patch(Pod, "first", {"status": {"phase": "Succeeded"}}, "ns", subresource="status")
        await w.settle(5)
        assert await where(w, "second") == "a"


async def test_uncordoning_wakes_waiting_pods() -> None:
    async with scheduled(node("a", unschedulable=True)) as w:
        await w.client.create(pod())
        await w.settle()
        assert await where(w) == ""
        await w.client.patch(Node, "a", {"spec": {"unschedulable": False}})
        await w.settle(5)
        assert await where(w) == "a"


async def test_a_gated_pod_waits_for_its_gates() -> None:
    async with scheduled(node("a")) as w:
        await w.client.create(pod(gates=["example.com/later"]))
        await w.settle(600)
        assert await where(w) == ""
        await w.client.patch(Pod, "p", {"spec": {"schedulingGates": []}}, "ns")
        await w.settle()
        assert await where(w) == "a"


async def test_other_schedulers_pods_are_left_alone() -> None:
    async with scheduled(node("a")) as w:
        given = pod()
        await w.client.create(replace(given, spec=replace(given.spec, scheduler_name="mine")))
        await w.settle(60)
        assert await where(w) == ""


async def test_a_pod_bound_by_somebody_else_is_counted_and_not_fought_over() -> None:
    async with scheduled(node("a", cpu="1"), node("b", cpu="1")) as w:
        await w.client.create(pod("theirs", cpu="1", node_name="a"))
        await w.client.create(pod("ours", cpu="1"))
        await w.settle()
        assert await where(w, "ours") == "b"


class SilentClient(LocalClient):
    """Claims to have bound pods, and has done it or not; what has become of them it tells late."""

    def __init__(self, client: LocalClient, binds: bool, tells_after: float) -> None:
        super().__init__(client._registry, client._user)
        self._binds = binds
        self._tells_at = anyio.current_time() + tells_after

    async def create_subresource(self, kind: Any, name: str, namespace: str, subresource: str, body: Object) -> Any:
        binds, self._binds = self._binds, True
        return await super().create_subresource(kind, name, namespace, subresource, body) if binds else None

    @asynccontextmanager
    async def watch(self, kind: Any, *args: Any, **options: Any) -> AsyncIterator[AsyncIterator[Any]]:
        async with super().watch(kind, *args, **options) as batches:
            yield self._late(batches)

    async def _late(self, batches: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for batch in batches:
            if any(isinstance(event.object, Pod) and event.object.spec.node_name for event in batch):
                await anyio.sleep_until(self._tells_at)
            yield batch


@asynccontextmanager
async def scheduled_silently(*, binds: bool, tells_after: float) -> AsyncIterator[tuple[World, Scheduler]]:
    async with world() as w:
        await w.create_namespace()
        await add(w, node("a", cpu="1"))
        client = SilentClient(w.inside, binds, tells_after)
        informers = Informers(client, w.chance)
        scheduler = Scheduler(client, informers, w.events, w.clock, w.chance)
        await w.tasks.start(informers.run)
        await w.tasks.start(scheduler.run)
        yield w, scheduler


async def test_a_binding_that_was_not_made_although_it_was_said_is_made_again() -> None:
    async with scheduled_silently(binds=False, tells_after=0) as (w, scheduler):
        await w.client.create(pod(cpu="1"))
        await w.settle(29)
        assert scheduler.cache.statistics().assumed == 1
        assert await where(w) == ""
        await w.settle(60)
        assert await where(w) == "a"
        assert scheduler.cache.statistics().assumed == 0


async def test_a_binding_that_nobody_tells_of_is_looked_up() -> None:
    async with scheduled_silently(binds=True, tells_after=1000) as (w, scheduler):
        await w.client.create(pod("first", cpu="1"))
        await w.client.create(pod("second", cpu="1"))
        await w.settle(90)
        assert (await where(w, "first"), await where(w, "second")) == ("a", "")
        assert scheduler.cache.statistics() == (1, 1, 0)
        assert scheduler.queue.statistics().in_flight == 0
        await w.settle(1000)
        assert scheduler.cache.statistics() == (1, 1, 0)


async def test_the_same_seed_takes_the_same_decisions() -> None:
    async def decisions() -> list[str]:
        async with scheduled(*[node(f"n{number}") for number in range(5)]) as w:
            for number in range(20):
                await w.client.create(pod(f"p{number}"))
            await w.settle()
            return [p.spec.node_name for p in (await w.client.list(Pod, "ns")).items]

    assert await decisions() == await decisions()
