"""Preemption evicts the fewest and least important pods that make room, and tells why where it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import Pod
from kcore.api.meta_v1 import DeleteOptions, LabelSelector, ObjectMeta
from kcore.api.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus
from kcore.api.scheduling_v1 import PriorityClass
from kcore.kit.clock import Chance
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.cycle import Refused, SchedulingCycle
from kcore.scheduler.evaluator import Evaluator
from kcore.scheduler.plugins import default_preemption
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.scheduler import Scheduler
from kcore.scheduler.victims import Candidate, budget_violations, candidate, choose, find_victims
from tests.scheduler.clusters import node, pod, taint
from tests.scheduler.profiles import default_profile
from tests.scheduler.test_scheduler import add, scheduled, where
from tests.sim.world import world


def on(name: str, node_name: str, *, cpu: str = "1", priority: int = 0, labels: Mapping[str, str] | None = None) -> Pod:
    return pod(name, cpu=cpu, node_name=node_name, priority=priority, labels=labels)


def budget(allowed: int, labels: Mapping[str, str]) -> PodDisruptionBudget:
    return PodDisruptionBudget(
        metadata=ObjectMeta(name="b", namespace="ns"),
        spec=PodDisruptionBudgetSpec(selector=LabelSelector(match_labels=labels)),
        status=PodDisruptionBudgetStatus(disruptions_allowed=allowed),
    )


@pytest.mark.parametrize(
    ("wanted", "residents", "budgets", "victims"),
    [
        pytest.param("1", [("a", "1", 0), ("b", "1", 5)], [], ["a"], id="the least important one is enough"),
        pytest.param("2", [("a", "1", 0), ("b", "1", 5)], [], ["b", "a"], id="both have to go"),
        pytest.param("1", [("a", "2", 0)], [], ["a"], id="a big one for a small one"),
        pytest.param("1", [("a", "1", 0), ("b", "1", 10)], [], ["a"], id="equals are not touched"),
        pytest.param("1", [("a", "1", 0), ("b", "1", 5)], [("a", 0)], ["b"], id="a budget spares even the lowest"),
        pytest.param("2", [("a", "1", 0), ("b", "1", 5)], [("a", 0)], ["b", "a"], id="unless there is no other way"),
    ],
)
def test_victims_of_a_node(
    wanted: str, residents: Sequence[tuple[str, str, int]], budgets: Sequence[tuple[str, int]], victims: Sequence[str]
) -> None:
    cache = SchedulerCache()
    cache.set_node(node("n", cpu="2"))
    for name, cpu, priority in residents:
        cache.set_pod(on(name, "n", cpu=cpu, priority=priority, labels={"app": name}))
    info = PodInfo(pod(cpu=wanted, priority=10))
    ask = Evaluator(cache.columns).evaluate(default_profile(cache), info)
    rules = [budget(allowed, {"app": name}) for name, allowed in budgets]
    found = find_victims(info, cache["n"], ask, lambda lower: budget_violations(lower, rules))
    assert isinstance(found, Candidate)
    assert [victim.pod.metadata.name for victim in found.victims] == victims


def on_node(name: str, *priorities: int, violations: int = 0, started: str = "2024-01-01T00:00:00Z") -> Candidate:
    victims = []
    for priority in sorted(priorities, reverse=True):
        given = pod(priority=priority)
        victims.append(PodInfo(replace(given, status=replace(given.status, start_time=started))))
    return candidate(name, victims, violations)


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        ([on_node("a", 1, violations=1), on_node("b", 9)], "b"),
        ([on_node("a", 5, 1), on_node("b", 4, 4, 4)], "b"),
        ([on_node("a", 5, 3), on_node("b", 5, 2)], "b"),
        ([on_node("a", 5, 5), on_node("b", 5)], "b"),
        ([on_node("a", -5, -5), on_node("b", -5)], "b"),
        ([on_node("a", 5), on_node("b", 5, started="2024-02-01T00:00:00Z")], "b"),
        ([on_node("a", 5), on_node("b", 5)], "a"),
    ],
)
def test_choice_between_nodes(candidates: Sequence[Candidate], chosen: str) -> None:
    assert choose(candidates).node_name == chosen


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            pod(cpu="2", priority=10),
            "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. preemption: 0/3 "
            "nodes are available: 1 No preemption victims found for incoming pod, "
            "2 Preemption is not helpful for scheduling.",
        ),
        (
            pod(cpu="1", priority=0),
            "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. preemption: 0/3 "
            "nodes are available: 1 Preemption is not helpful for scheduling, "
            "2 No preemption victims found for incoming pod.",
        ),
        (
            pod(cpu="1", priority=10, preemption_policy="Never"),
            "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. preemption: not eligible "
            "due to preemptionPolicy=Never.",
        ),
    ],
)
def test_why_preemption_does_not_help(given: Pod, message: str) -> None:
    cache = SchedulerCache()
    for one in (node("tainted", taints=[taint()]), node("small", cpu="1"), node("big", cpu="2")):
        cache.set_node(one)
    cache.set_pod(on("x", "small", priority=10))
    cache.set_pod(on("y", "big", cpu="2", priority=10))
    outcome = SchedulingCycle(cache, Chance(1)).schedule(default_profile(cache), PodInfo(given))
    assert isinstance(outcome, Refused)
    assert outcome.message == message


def test_a_search_over_many_nodes_rests_between_and_finds_the_best_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default_preemption, "JUDGED_AT_ONCE", 2)
    cache = SchedulerCache()
    for number, priority in enumerate([5, 4, 3, 1, 2]):
        cache.set_node(node(f"n{number}", cpu="1"))
        cache.set_pod(on(f"p{number}", f"n{number}", priority=priority))
    cycle, profile, info = SchedulingCycle(cache, Chance(1)), default_profile(cache), PodInfo(pod(cpu="1", priority=10))
    assert cycle.schedule(profile, info) is None
    cache.remove_node("n4")
    cache.set_pod(on("another", "n0", priority=0))  # what has been judged already is judged anew where it changed
    assert cycle.schedule(profile, info) is None
    outcome = cycle.schedule(profile, info)
    assert isinstance(outcome, Refused)
    assert outcome.post_filter.nominated_node == "n3"


async def test_others_are_scheduled_while_victims_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default_preemption, "JUDGED_AT_ONCE", 1)
    async with scheduled(*[node(f"n{number}", cpu="1") for number in range(4)]) as w:
        for number in range(4):
            given = pod(f"p{number}", cpu="1", priority=0)
            await w.client.create(replace(given, spec=replace(given.spec, termination_grace_period_seconds=0)))
        await w.settle()
        await w.client.create(PriorityClass(metadata=ObjectMeta(name="urgent"), value=1000))
        urgent = pod("urgent", cpu="1")
        spec = replace(urgent.spec, priority=None, priority_class_name="urgent")
        await w.client.create(replace(urgent, spec=spec))
        await w.settle(5)
        assert await where(w, "urgent") != ""
        assert len((await w.client.list(Pod, "ns")).items) == 4


async def test_a_more_important_pod_takes_the_place_of_a_less_important_one() -> None:
    async with scheduled(node("a", cpu="2")) as w:
        for name in ("x", "y"):
            given = pod(name, cpu="1")
            await w.client.create(replace(given, spec=replace(given.spec, termination_grace_period_seconds=0)))
        await w.settle()
        bound = {p.metadata.name: p for p in (await w.client.list(Pod, "ns")).items}
        await w.client.create(PriorityClass(metadata=ObjectMeta(name="urgent"), value=1000))
        urgent = pod("urgent", cpu="1")
        spec = replace(urgent.spec, priority=None, priority_class_name="urgent")
        await w.client.create(replace(urgent, spec=spec))
        await w.settle(5)
        left = {p.metadata.name for p in (await w.client.list(Pod, "ns")).items}
        assert await where(w, "urgent") == "a"
        (victim,) = set(bound) - left
        assert any("Normal Preempted Preempted by pod" in line for line in await w.told(bound[victim]))


async def test_a_pod_goes_where_its_victims_have_left_even_if_a_better_node_has_come() -> None:
    async with scheduled(node("a", cpu="1")) as w:
        await w.client.create(PriorityClass(metadata=ObjectMeta(name="urgent"), value=1000))
        await w.client.create(pod("x", cpu="1"))  # leaves in its own time
        await w.settle()
        urgent = pod("urgent", cpu="1")
        spec = replace(urgent.spec, priority=None, priority_class_name="urgent")
        await w.client.create(replace(urgent, spec=spec))
        await w.settle(0.5)
        nominated = (await w.client.get(Pod, "urgent", "ns")).status.nominated_node_name
        assert nominated == "a"
        await w.client.delete(Pod, "x", "ns", DeleteOptions(grace_period_seconds=0))
        await add(w, node("b", cpu="64"))
        await w.settle(5)
        assert await where(w, "urgent") == "a"


async def test_room_is_kept_for_pods_that_were_nominated_before_the_scheduler_began() -> None:
    async with world() as w:
        await w.create_namespace()
        await add(w, node("a", cpu="2"))
        waiting = await w.client.create(pod("waiting", cpu="2", gates=["example.com/later"]))
        status = replace(waiting.status, nominated_node_name="a")
        await w.client.update(replace(waiting, status=status), subresource="status")
        scheduler = Scheduler(w.client, w.informers, w.events, w.clock, w.chance)
        await w.tasks.start(w.informers.run)
        await w.tasks.start(scheduler.run)
        await w.client.create(pod("late", cpu="1"))
        await w.settle(5)
        assert await where(w, "late") == ""
