"""Explanations: what refused each node or how it scored, what preemption would evict, where a pod would go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import Node, Pod, PodTemplateSpec
from kcore.api.errors import BadRequest, Invalid, NotFound
from kcore.api.explanation_v1alpha1 import PODS, PodExplanation
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.scheduling_v1 import PriorityClass
from kcore.scheduler import explanation
from kcore.scheduler.plugins import default_preemption
from kcore.scheduler.scheduler import Scheduler
from tests.scheduler.clusters import node, pod, taint
from tests.scheduler.test_scheduler import add
from tests.sim.world import World, world


@asynccontextmanager
async def explained(*nodes: Node) -> AsyncIterator[World]:
    async with world() as w:
        await w.create_namespace()
        for one in nodes:
            await add(w, one)
        scheduler = Scheduler(w.client, w.informers, w.events, w.clock, w.chance)
        w.registry.serve_explanations(scheduler.explainer)
        await w.tasks.start(w.informers.run)
        await w.tasks.start(scheduler.run)
        yield w


async def explain(w: World, name: str = "p") -> PodExplanation:
    found: PodExplanation = await w.client.get(PODS, name, "ns")
    return found


async def rehearse(w: World, given: Pod) -> PodExplanation:
    template = PodTemplateSpec(metadata=ObjectMeta(labels=given.metadata.labels), spec=given.spec)
    return await w.client.create(PodExplanation(metadata=ObjectMeta(namespace="ns"), template=template))


async def test_every_node_says_what_it_has_against_a_pod() -> None:
    async with explained(node("a", cpu="1"), node("b", taints=[taint()])) as w:
        await w.client.create(pod(cpu="2"))
        await w.settle()
        explanation = await explain(w)
        assert explanation.state == "unschedulable"
        assert explanation.candidates == ()
        assert {verdict.name: (verdict.refused_by, verdict.reasons) for verdict in explanation.nodes} == {
            "a": ("NodeResourcesFit", ("Insufficient cpu",)),
            "b": ("TaintToleration", ("node(s) had untolerated taint(s)",)),
        }
        assert explanation.message.startswith("0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated")


async def test_scores_add_up_to_the_totals() -> None:
    async with explained(node("a"), node("b"), node("c", cpu="2")) as w:
        await w.client.create(pod("there", cpu="2", node_name="a"))
        await w.client.create(pod(cpu="1", memory="1Gi"))
        await w.settle()
        explanation = await explain(w)
        assert explanation.state == "scheduled"
        assert explanation.node_name == "b"
        assert explanation.candidates == ("b",)
        totals = {verdict.name: verdict.total for verdict in explanation.nodes}
        assert max(totals, key=lambda name: totals[name] or 0) == "b"
        for verdict in explanation.nodes:
            assert verdict.fits
            assert verdict.total == sum(score.weighted for score in verdict.scores)
            assert all(score.weighted == score.scaled * score.weight for score in verdict.scores)


async def test_a_pod_that_is_bound_is_judged_as_if_it_were_not() -> None:
    async with explained(node("a", cpu="1")) as w:
        await w.client.create(pod(cpu="1"))
        await w.settle()
        for _ in range(2):  # and looking changes nothing
            explanation = await explain(w)
            assert (explanation.node_name, explanation.candidates) == ("a", ("a",))
        await w.client.create(pod("q", cpu="1"))
        await w.settle()
        assert (await explain(w, "q")).candidates == ()


async def test_what_preemption_would_evict() -> None:
    async with explained(node("a", cpu="1"), node("b", cpu="1")) as w:
        await w.client.create(PriorityClass(metadata=ObjectMeta(name="some"), value=5))
        await w.client.create(PriorityClass(metadata=ObjectMeta(name="more"), value=10))
        for name, priority in (("x", ""), ("y", "some")):
            given = pod(name, cpu="1", node_name="a" if name == "x" else "b")
            spec = replace(given.spec, priority=None, priority_class_name=priority)
            await w.client.create(replace(given, spec=spec))
        await w.settle()
        given = pod(cpu="1")
        explanation = await rehearse(
            w, replace(given, spec=replace(given.spec, priority=None, priority_class_name="more"))
        )
        assert explanation.preemption == "a"
        victims = {verdict.name: [victim.name for victim in verdict.victims] for verdict in explanation.nodes}
        assert victims == {"a": ["x"], "b": ["y"]}


async def test_what_takes_many_turns_to_tell_is_told_of_every_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explanation, "TOLD_AT_ONCE", 1)
    monkeypatch.setattr(default_preemption, "JUDGED_AT_ONCE", 1)
    async with explained(*[node(name, cpu="1") for name in "abc"]) as w:
        for name in "abc":
            await w.client.create(pod(f"on-{name}", cpu="1", selector={"kubernetes.io/hostname": name}))
        await w.settle()
        await w.client.create(PriorityClass(metadata=ObjectMeta(name="urgent"), value=1000))
        urgent = pod(cpu="1")
        rehearsed = await rehearse(
            w, replace(urgent, spec=replace(urgent.spec, priority=None, priority_class_name="urgent"))
        )
        assert [verdict.name for verdict in rehearsed.nodes] == ["a", "b", "c"]
        assert [victim.name for verdict in rehearsed.nodes for victim in verdict.victims] == ["on-a", "on-b", "on-c"]


async def test_a_rehearsed_pod_goes_through_admission_and_is_not_created() -> None:
    async with explained(node("a"), node("b", taints=[taint("node.kubernetes.io/not-ready", effect="NoExecute")])) as w:
        explanation = await rehearse(w, pod(cpu="1"))
        # DefaultTolerationSeconds lets every pod tolerate nodes that are not ready.
        assert {verdict.name for verdict in explanation.nodes if verdict.fits} == {"a", "b"}
        assert (explanation.state, explanation.candidates) == ("rehearsed", ("a", "b"))
        assert list((await w.client.list(Pod, "ns")).items) == []


async def test_a_gated_pod_says_so() -> None:
    async with explained(node("a")) as w:
        await w.client.create(pod(gates=["example.com/later"]))
        await w.settle()
        explanation = await explain(w)
        assert (explanation.state, explanation.gated_by) == ("gated", "SchedulingGates")
        assert explanation.candidates == ("a",)


async def test_what_cannot_be_explained() -> None:
    async with explained(node("a")) as w:
        with pytest.raises(NotFound, match=r'pods\.scheduling\.kcore\.dev "p" not found'):
            await explain(w)
        with pytest.raises(Invalid, match="template: Required value"):
            await w.client.create(PodExplanation(metadata=ObjectMeta(namespace="ns")))
        stranger = pod()
        with pytest.raises(BadRequest, match='no profile of this scheduler is named "mine"'):
            await rehearse(w, replace(stranger, spec=replace(stranger.spec, scheduler_name="mine")))
        broken = pod()
        with pytest.raises(Invalid):
            await rehearse(w, replace(broken, spec=replace(broken.spec, containers=())))
