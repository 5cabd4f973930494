from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import ConfigMap, Pod, PodCondition
from kcore.api.errors import TooManyRequests
from kcore.api.meta_v1 import LabelSelector, ObjectMeta, OwnerReference
from kcore.api.policy_v1 import Eviction, PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus
from kcore.api.timestamp import format_seconds
from kcore.controllers.budget import desired_healthy
from tests.controllers.control import controlled, deployment, make_ready, pods_of, run_pods, template
from tests.sim.world import World


async def budget(w: World, **spec: Any) -> None:
    selector = LabelSelector(match_labels={"app": "web"})
    metadata = ObjectMeta(name="b", namespace="ns")
    await w.client.create(
        PodDisruptionBudget(metadata=metadata, spec=PodDisruptionBudgetSpec(selector=selector, **spec))
    )
    await w.settle()


async def status(w: World) -> PodDisruptionBudgetStatus:
    return (await w.client.get(PodDisruptionBudget, "b", "ns")).status


def figures(found: PodDisruptionBudgetStatus) -> tuple[int, int, int, int]:
    return found.expected_pods, found.desired_healthy, found.current_healthy, found.disruptions_allowed


async def evict(w: World, pod: Pod) -> None:
    eviction = Eviction(metadata=ObjectMeta(name=pod.metadata.name, namespace="ns"))
    await w.client.create_subresource(Pod, pod.metadata.name, "ns", "eviction", eviction)


@pytest.mark.parametrize(
    ("spec", "expected", "desired"),
    [
        ({"min_available": 2}, 5, 2),
        ({"min_available": "50%"}, 5, 3),
        ({"max_unavailable": 1}, 5, 4),
        ({"max_unavailable": 9}, 5, 0),
        ({"max_unavailable": "30%"}, 5, 3),
        ({}, 5, 0),
    ],
)
def test_how_many_must_be_healthy(spec: dict[str, Any], expected: int, desired: int) -> None:
    assert desired_healthy(PodDisruptionBudgetSpec(**spec), expected) == desired


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"min_available": 2}, (3, 2, 3, 1)),
        ({"max_unavailable": "34%"}, (3, 1, 3, 2)),
        ({"min_available": "100%"}, (3, 3, 3, 0)),
    ],
)
async def test_a_budget_counts_the_pods_of_a_deployment(
    spec: dict[str, Any], expected: tuple[int, int, int, int]
) -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_pods, w)
        await w.client.create(deployment(replicas=3))
        await budget(w, **spec)
        await w.settle(5)
        found = await status(w)
        assert figures(found) == expected
        condition = found.conditions[0]
        allowed = expected[3] > 0
        assert (condition.status, condition.reason) == (
            ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
        )
        assert found.observed_generation == 1


async def test_an_empty_budget_allows_nothing() -> None:
    async with controlled() as w:
        await budget(w, max_unavailable=1)
        assert figures(await status(w)) == (0, 0, 0, 0)


async def test_evictions_stop_where_the_budget_ends_and_go_on_when_pods_are_back() -> None:
    async with controlled() as w:
        await w.client.create(deployment(replicas=3))
        await budget(w, max_unavailable=1)
        for pod in await pods_of(w):
            await make_ready(w, pod)
        await w.settle()
        first, second, _ = await pods_of(w)
        await evict(w, first)
        await w.settle()
        with pytest.raises(TooManyRequests):
            await evict(w, second)
        for pod in await pods_of(w):
            if pod.status.phase != "Running":
                await make_ready(w, pod)
        await w.settle()
        assert (await status(w)).disrupted_pods == {}
        await evict(w, second)


async def test_an_eviction_that_never_came_is_forgotten_after_two_minutes() -> None:
    async with controlled() as w:
        await w.client.create(deployment(replicas=2))
        await budget(w, max_unavailable=1)
        for pod in await pods_of(w):
            await make_ready(w, pod)
        await w.settle()
        name = (await pods_of(w))[0].metadata.name
        standing = await w.client.get(PodDisruptionBudget, "b", "ns")
        granted = replace(standing.status, disrupted_pods={name: "2023-11-14T22:13:25Z"}, disruptions_allowed=0)
        await w.client.update(replace(standing, status=granted), subresource="status")
        await w.settle()
        assert figures(await status(w)) == (2, 1, 1, 0)
        await w.settle(125)
        found = await status(w)
        assert (figures(found), found.disrupted_pods) == ((2, 1, 2, 1), {})


async def test_pods_of_something_without_a_scale_may_not_be_disrupted() -> None:
    async with controlled() as w:
        made = await w.client.create(ConfigMap(metadata=ObjectMeta(name="c", namespace="ns")))
        owner = OwnerReference(api_version="v1", kind="ConfigMap", name="c", uid=made.metadata.uid, controller=True)
        metadata = ObjectMeta(name="p", namespace="ns", labels={"app": "web"}, owner_references=(owner,))
        await w.client.create(Pod(metadata=metadata, spec=template().spec))
        await budget(w, max_unavailable=1)
        condition = (await status(w)).conditions[0]
        assert (condition.status, condition.reason) == ("False", "SyncFailed")
        assert condition.message == "configmaps does not implement the scale subresource"


async def test_announced_disruption_that_never_comes_is_taken_back() -> None:
    async with controlled() as w:
        one = template()
        pod = await w.client.create(Pod(metadata=replace(one.metadata, name="p", namespace="ns"), spec=one.spec))
        announced = PodCondition(
            type="DisruptionTarget",
            status="True",
            reason="PreemptionByScheduler",
            last_transition_time=format_seconds(w.clock.now()),
        )
        await w.client.update(replace(pod, status=replace(pod.status, conditions=(announced,))), subresource="status")

        async def told() -> str:
            conditions = (await w.client.get(Pod, "p", "ns")).status.conditions
            return next(c.status for c in conditions if c.type == "DisruptionTarget")

        await w.settle(115)
        assert await told() == "True"
        await w.settle(10)
        assert await told() == "False"
