"""Pods whose resources are changed while they run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import (
    Container,
    ContainerResizePolicy,
    ContainerStatus,
    Event,
    Node,
    Pod,
    PodStatus,
    ResourceRequirements,
)
from kcore.api.meta_v1 import DeleteOptions
from kcore.client.client import PatchType
from kcore.node.allocation import Allocation
from kcore.node.pod_admission import NodeLoad
from kcore.node.pod_lifecycle import StartContainer, StopContainer, step
from kcore.node.pod_status import pod_status
from kcore.node.registration import NodeShape
from tests.node.pods import HOST_IP, NOW, container, pod
from tests.node.test_engine import current, engine, run, served
from tests.node.test_pod_lifecycle import record, state
from tests.sim.world import World, world

SMALL = NodeShape(cpu="2", memory="1Gi")
RESTART = (ContainerResizePolicy(resource_name="memory", restart_policy="RestartContainer"),)


def asking(cpu: str, memory: str = "64Mi") -> ResourceRequirements:
    return ResourceRequirements(requests={"cpu": cpu, "memory": memory})


def sized(cpu: str, memory: str = "64Mi", name: str = "app") -> Container:
    return replace(container(name), resources=asking(cpu, memory), resize_policy=RESTART)


@asynccontextmanager
async def small_node() -> AsyncIterator[World]:
    """A world with one node that has not much to give."""
    async with served(1, shape=SMALL) as w:
        yield w


async def resize(w: World, wanted: Container, name: str = "web") -> Pod:
    body = {"spec": {"containers": [{"name": "app", "resources": {"requests": dict(wanted.resources.requests)}}]}}
    await w.client.patch(Pod, name, body, "default", patch_type=PatchType.STRATEGIC, subresource="resize")
    await w.settle(1)
    return await current(w, name)


def told(given: Pod) -> Mapping[str, tuple[str, str, int]]:
    """The conditions about resizes: reason, message, generation."""
    return {
        c.type: (c.reason, c.message, c.observed_generation)
        for c in given.status.conditions
        if c.type.startswith("PodResize")
    }


def has(given: Pod, name: str = "app") -> tuple[Mapping[str, str], Mapping[str, str], int]:
    """What a container runs with, what it was allotted, and how often it was started again."""
    status = next(s for s in given.status.container_statuses if s.name == name)
    assert status.resources is not None
    return status.resources.requests, status.allocated_resources, status.restart_count


async def reasons(w: World) -> list[str]:
    events = (await w.client.list(Event, "default")).items
    return [event.reason for event in events if event.reason.startswith("Resize") or event.reason == "Killing"]


async def test_a_container_gets_other_resources_while_it_runs() -> None:
    async with small_node() as w:
        await run(w, pod(containers=[sized("1")]))
        await w.settle(1)
        found = await resize(w, sized("1500m"))
        wanted = {"cpu": "1500m", "memory": "64Mi"}
        assert has(found) == (wanted, wanted, 0)
        assert told(found) == {}
        assert found.status.observed_generation == found.metadata.generation == 2
        assert await reasons(w) == ["ResizeStarted", "ResizeCompleted"]


async def test_a_container_starts_again_where_its_policy_says_so() -> None:
    async with small_node() as w:
        await run(w, pod(containers=[sized("1")]))
        await w.settle(1)
        found = await resize(w, sized("1", "128Mi"))
        wanted = {"cpu": "1", "memory": "128Mi"}
        assert has(found) == (wanted, wanted, 1)
        assert found.status.container_statuses[0].state.running is not None
        assert sorted(await reasons(w)) == ["Killing", "ResizeCompleted", "ResizeStarted"]
        killing = [e for e in (await w.client.list(Event, "default")).items if e.reason == "Killing"]
        assert [event.message for event in killing] == ["Container app resize requires restart"]


async def test_more_than_the_node_has_is_infeasible_and_the_pod_goes_on_as_it_is() -> None:
    async with small_node() as w:
        await run(w, pod(containers=[sized("1")]))
        await w.settle(1)
        found = await resize(w, sized("3"))
        message = "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000"
        assert told(found) == {"PodResizePending": ("Infeasible", message, 2)}
        before = {"cpu": "1", "memory": "64Mi"}
        assert has(found) == (before, before, 0)
        assert await reasons(w) == ["ResizeInfeasible"]
        assert told(await resize(w, sized("1"))) == {}


async def test_a_deferred_resize_happens_once_another_pod_has_gone() -> None:
    async with small_node() as w:
        await run(w, pod(containers=[sized("1")]))
        await run(w, pod(containers=[sized("1")]), "other")
        await w.settle(1)
        found = await resize(w, sized("1500m"))
        message = "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"
        assert told(found) == {"PodResizePending": ("Deferred", message, 2)}
        await w.client.delete(Pod, "other", "default", DeleteOptions(grace_period_seconds=1))
        await w.settle(5)
        found = await current(w)
        assert told(found) == {}
        assert has(found)[0]["cpu"] == "1500m"


async def test_a_deferred_resize_happens_once_another_pod_has_shrunk() -> None:
    async with small_node() as w:
        await run(w, pod(containers=[sized("1")]))
        await run(w, pod(containers=[sized("1")]), "other")
        await w.settle(1)
        await resize(w, sized("1500m"))
        await resize(w, sized("500m"), "other")
        assert has(await current(w))[0]["cpu"] == "1500m"


async def test_the_next_engine_knows_what_a_pod_was_allotted() -> None:
    async with world() as w:
        for name in ("default", "kube-node-lease"):
            await w.create_namespace(name)
        await w.tasks.start(w.informers.run)
        async with anyio.create_task_group() as first:
            await first.start(engine(w, 1, shape=SMALL).run)
            await w.settle(0.5)
            await run(w, pod(containers=[sized("1")]))
            await w.settle(1)
            await resize(w, sized("3"))
            first.cancel_scope.cancel()
        await w.tasks.start(engine(w, 1, shape=SMALL).run)
        await w.settle(1)
        found = await current(w)
        assert told(found)["PodResizePending"][0] == "Infeasible"
        assert has(found)[0]["cpu"] == "1"


def test_a_resize_is_in_progress_until_the_container_runs_with_it() -> None:
    wanted = pod(containers=[sized("2")])
    found = pod_status(wanted, state(record()._replace(resources=asking("1"))), NOW, HOST_IP)
    assert told(replace(wanted, status=found)) == {"PodResizeInProgress": ("", "", 3)}
    assert has(replace(wanted, status=found)) == (asking("1").requests, asking("2").requests, 0)


@pytest.mark.parametrize(
    ("before", "stops"),
    [(asking("1"), False), (asking("2", "32Mi"), True), (asking("2", "65536Ki"), False), (None, False)],
    ids=["cpu", "memory", "written otherwise", "unknown"],
)
def test_only_what_the_policy_names_ends_a_container(before: ResourceRequirements | None, stops: bool) -> None:
    found = step(pod(containers=[sized("2")]), state(record()._replace(resources=before)), NOW, HOST_IP)
    assert [type(effect) for effect in found.effects] == ([StopContainer] if stops else [])


def test_a_container_ended_for_a_resize_starts_again_whatever_the_pod_does_otherwise() -> None:
    ended = record(exit_code=143)._replace(resources=asking("2", "32Mi"), stop_by=NOW)
    found = step(pod(containers=[sized("2")], restart_policy="OnFailure"), state(ended), NOW, HOST_IP)
    assert [type(effect) for effect in found.effects] == [StartContainer]


def test_a_pod_that_is_to_go_is_not_resized_any_more() -> None:
    status = ContainerStatus(name="app", resources=asking("1"), allocated_resources=asking("1").requests)
    given = pod(
        containers=[sized("9")], deleted_at="2023-11-14T22:13:20Z", status=PodStatus(container_statuses=(status,))
    )
    allocation = Allocation(given)
    assert list(allocation.decide(given, Node(), NodeLoad())) == []
    assert allocation.of(given).spec.containers[0].resources == asking("1")
