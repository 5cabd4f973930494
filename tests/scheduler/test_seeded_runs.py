"""Seeded runs with node churn, lost bindings and conflicts: nothing is overcommitted, bound twice or lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest

from kcore.api.core_v1 import Node, Pod
from kcore.api.errors import ApiError, Conflict, NotFound, ServiceUnavailable
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.object import Object
from kcore.client.local import LocalClient
from kcore.kit.clock import Chance
from kcore.registry.verbs import Registry
from kcore.scheduler.pod_info import amount
from kcore.scheduler.scheduler import Scheduler
from tests.scheduler.clusters import node, pod
from tests.scheduler.test_scheduler import add
from tests.sim.world import World, world

NODES = ("a", "b", "c", "d")
STEPS = 60
NOW = DeleteOptions(grace_period_seconds=0)


class UnreliableClient(LocalClient):
    """Loses some bindings on their way, some on their way back, and has some refused."""

    def __init__(self, registry: Registry, chance: Chance) -> None:
        super().__init__(registry)
        self._chance = chance
        self.bound: dict[str, list[str]] = defaultdict(list)
        """To which nodes the server has bound each pod."""

    async def create_subresource(self, kind: Any, name: str, namespace: str, subresource: str, body: Object) -> Any:
        luck = self._chance.random.random()
        if luck < 0.1:
            raise ServiceUnavailable("the binding was lost")
        if luck < 0.15:
            raise Conflict("the binding was in conflict")
        answer = await super().create_subresource(kind, name, namespace, subresource, body)
        self.bound[body.metadata.uid].append(body.target.name)  # type: ignore[attr-defined]
        if luck < 0.25:
            raise ServiceUnavailable("the answer to the binding was lost")
        return answer


async def step(w: World, chance: Chance, number: int) -> None:
    """One thing that happens."""
    luck, name = chance.random.random(), chance.random.choice(NODES)
    if luck < 0.55:
        cpu = chance.random.choice(["250m", "500m", "1", "2"])
        await w.client.create(pod(f"p{number}", cpu=cpu, priority=0))
    elif luck < 0.75:
        pods: Sequence[Pod] = (await w.client.list(Pod, "ns")).items
        if pods:
            await w.client.delete(Pod, chance.random.choice(pods).metadata.name, "ns", NOW)
    elif luck < 0.85:
        await remove(w, name)
    elif luck < 0.95:
        try:
            await add(w, node(name, cpu=chance.random.choice(["1", "2", "4"])))
        except ApiError:  # it is there
            await w.client.patch(Node, name, {"spec": {"unschedulable": chance.random.random() < 0.5}})
    await w.settle(chance.random.choice([0.0, 0.01, 0.5, 2.0]))


async def remove(w: World, name: str) -> None:
    try:
        await w.client.delete(Node, name)
    except NotFound:
        return


async def collect_orphans(w: World) -> None:
    """Pods go when their nodes have gone, as PodGC has it."""
    nodes = {one.metadata.name for one in (await w.client.list(Node)).items}
    for one in (await w.client.list(Pod, "ns")).items:
        if one.spec.node_name and one.spec.node_name not in nodes:
            await w.client.delete(Pod, one.metadata.name, "ns", NOW)


async def check(w: World, scheduler: Scheduler, client: UnreliableClient) -> None:
    """What must hold at any time."""
    await w.settle(0.01)  # what was written a moment ago has to be seen
    await collect_orphans(w)
    await w.settle(0.01)
    taken: dict[str, int] = defaultdict(int)
    pods = (await w.client.list(Pod, "ns")).items
    for one in pods:
        requests = one.spec.containers[0].resources.requests
        taken[one.spec.node_name] += amount("cpu", requests.get("cpu", "0"))
    for there in (await w.client.list(Node)).items:
        assert taken[there.metadata.name] <= amount("cpu", there.status.allocatable["cpu"]), "a node is overcommitted"
    assert all(len(nodes) == 1 for nodes in client.bound.values()), "a pod was bound twice"
    for one in pods:
        if not one.spec.node_name:
            uid = one.metadata.uid
            assert uid in scheduler.queue or scheduler.cache.is_placed(uid), "a pod was lost"


async def run(seed: int) -> None:
    async with world(seed) as w:
        chance = Chance(seed)
        client = UnreliableClient(w.registry, chance)
        await w.create_namespace()
        for name in NODES[:2]:
            await add(w, node(name, cpu="2"))
        scheduler = Scheduler(client, w.informers, w.events, w.clock, w.chance)
        await w.tasks.start(w.informers.run)
        await w.tasks.start(scheduler.run)
        for number in range(STEPS):
            await step(w, chance, number)
            await check(w, scheduler, client)
        await remove(w, "big")
        await add(w, node("big", cpu="1000", pods="1000"))
        await w.settle(700)
        left = [one.metadata.name for one in (await w.client.list(Pod, "ns")).items if not one.spec.node_name]
        assert left == [], "with room for all, all are bound in the end"
        await check(w, scheduler, client)
        assert scheduler.cache.statistics().assumed == 0
        assert scheduler.queue.statistics().in_flight == 0


@pytest.mark.parametrize("seed", range(24))
async def test_nothing_is_overcommitted_bound_twice_or_lost(seed: int) -> None:
    await run(seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("block", range(10))
async def test_a_thousand_seeds(block: int) -> None:
    for seed in range(1000 + block * 100, 1100 + block * 100):
        await run(seed)
