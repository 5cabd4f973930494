"""HTTP extenders: real requests to a small server, on the real clock."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from kcore.api.core_v1 import Binding, Node, ObjectReference, Pod
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.scheduling_v1 import PriorityClass
from kcore.scheduler.config.loading import parse_configuration
from kcore.scheduler.config.plan import Plan
from kcore.scheduler.config.registry import plugin_registry
from kcore.scheduler.scheduler import Scheduler
from tests.scheduler.clusters import node, pod
from tests.scheduler.test_scheduler import add
from tests.sim.world import World, world

Answer = Callable[[Mapping[str, Any]], Any]


class Server:
    """Answers each verb by a function, and remembers what was asked."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        verb, body = request.match_info["verb"], json.loads(await request.read())
        self.asked.append((verb, body))
        answer = self._answers[verb](body)
        return answer if isinstance(answer, web.Response) else web.json_response(answer)


@asynccontextmanager
async def serving(answers: Mapping[str, Answer]) -> AsyncIterator[Server]:
    server = Server(answers)
    app = web.Application()
    app.router.add_post("/ext/{verb}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"http://127.0.0.1:{port}/ext"
    try:
        yield server
    finally:
        await runner.cleanup()


def plan(server: Server, **told: Any) -> Plan:
    extender = {"urlPrefix": server.url, "nodeCacheCapable": True, **told}
    head = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
    return parse_configuration({**head, "extenders": [extender]}, plugin_registry())


@asynccontextmanager
async def scheduled(planned: Plan, *nodes: Node) -> AsyncIterator[World]:
    async with world() as w:
        await w.create_namespace()
        for one in nodes:
            await add(w, one)
        scheduler = Scheduler(w.client, w.informers, w.events, w.clock, w.chance, planned)
        await w.tasks.start(w.informers.run)
        await w.tasks.start(scheduler.run)
        yield w


async def bound(w: World, name: str = "p") -> str:
    """Where a pod is bound, once it is."""
    pods = w.informers.of(Pod)

    def has_node() -> bool:
        found = pods.get(f"ns/{name}")
        return found is not None and bool(found.spec.node_name)

    await w.until(has_node)
    return (await w.client.get(Pod, name, "ns")).spec.node_name


async def told(w: World, created: Pod, text: str) -> None:
    """Wait for an event."""
    for _ in range(500):
        if any(text in line for line in await w.told(created)):
            return
        await w.settle(0.02)
    raise AssertionError(f"{text!r} was not told, but {await w.told(created)}")


async def test_an_extender_filters() -> None:
    async with (
        serving({"filter": lambda args: {"NodeNames": ["b"], "FailedNodes": {"a": "no"}}}) as server,
        scheduled(plan(server, filterVerb="filter"), node("a"), node("b")) as w,
    ):
        await w.client.create(pod())
        assert await bound(w) == "b"
    ((_, args),) = server.asked
    assert args["Pod"]["metadata"]["name"] == "p"
    assert sorted(args["NodeNames"]) == ["a", "b"]
    assert args["Nodes"] is None


async def test_an_extender_that_keeps_no_cache_gets_whole_nodes() -> None:
    def keep_first(args: Mapping[str, Any]) -> Any:
        items = sorted(args["Nodes"]["items"], key=lambda item: str(item["metadata"]["name"]))
        return {"nodes": {"items": items[:1]}}

    async with serving({"filter": keep_first}) as server:
        told_so = plan(server, filterVerb="filter", nodeCacheCapable=False)
        async with scheduled(told_so, node("a"), node("b")) as w:
            await w.client.create(pod())
            assert await bound(w) == "a"


async def test_an_extender_scores() -> None:
    def score(args: Mapping[str, Any]) -> Any:
        return [{"Host": name, "Score": 10 if name == "c" else 0} for name in args["NodeNames"]]

    async with serving({"score": score}) as server:
        planned = plan(server, prioritizeVerb="score", weight=10)
        async with scheduled(planned, node("a"), node("b"), node("c")) as w:
            for number in range(5):
                await w.client.create(pod(f"p{number}", cpu="500m"))
            assert {await bound(w, f"p{number}") for number in range(5)} == {"c"}


async def test_what_an_extender_refuses_is_told() -> None:
    refusing = {"NodeNames": [], "FailedNodes": {"a": "licence missing"}}
    async with (
        serving({"filter": lambda args: refusing}) as server,
        scheduled(plan(server, filterVerb="filter"), node("a")) as w,
    ):
        created = await w.client.create(pod())
        await told(w, created, "0/1 nodes are available: 1 licence missing.")


@pytest.mark.parametrize("answer", [web.Response(status=500), {"Error": "out of order"}, "what?"])
async def test_a_failing_extender_stops_pods_unless_it_may_be_ignored(answer: Any) -> None:
    async def outcome(ignorable: bool) -> None:
        async with (
            serving({"filter": lambda args: answer}) as server,
            scheduled(plan(server, filterVerb="filter", ignorable=ignorable), node("a")) as w,
        ):
            created = await w.client.create(pod())
            if ignorable:
                assert await bound(w) == "a"
            else:
                await told(w, created, "Warning FailedScheduling")

    await outcome(ignorable=False)
    if not isinstance(answer, web.Response):  # a response can be sent once
        await outcome(ignorable=True)


async def test_an_extender_is_asked_only_about_what_it_manages() -> None:
    gpu = "example.com/gpu"
    managed = [{"name": gpu, "ignoredByScheduler": True}]
    async with (
        serving({"filter": lambda args: {"NodeNames": ["b"]}}) as server,
        scheduled(plan(server, filterVerb="filter", managedResources=managed), node("a"), node("b")) as w,
    ):
        await w.client.create(pod("plain"))
        await bound(w, "plain")
        assert server.asked == []
        # No node has any, but that is the extender's affair.
        given = pod("wants", more={gpu: "1"})
        (container,) = given.spec.containers
        limited = replace(container, resources=replace(container.resources, limits={gpu: "1"}))
        await w.client.create(replace(given, spec=replace(given.spec, containers=(limited,))))
        assert await bound(w, "wants") == "b"


async def test_an_extender_binds() -> None:
    async with (
        serving({"bind": lambda args: {}, "filter": lambda args: {"NodeNames": args["NodeNames"]}}) as server,
        scheduled(plan(server, bindVerb="bind", filterVerb="filter"), node("a")) as w,
    ):
        created = await w.client.create(pod())
        await told(w, created, "Successfully assigned ns/p to a")
        asked = dict(server.asked)["bind"]
        assert asked == {"PodName": "p", "PodNamespace": "ns", "PodUID": created.metadata.uid, "Node": "a"}
        # The extender did not do what it says; kcore would take it at its word, so the test does it.
        binding = Binding(metadata=ObjectMeta(name="p", namespace="ns"), target=ObjectReference(name="a"))
        await w.client.create_subresource(Pod, "p", "ns", "binding", binding)
        assert await bound(w) == "a"


async def test_an_extender_chooses_among_victims() -> None:
    def keep_b(args: Mapping[str, Any]) -> Any:
        return {"NodeNameToMetaVictims": {"b": args["NodeNameToMetaVictims"]["b"]}}

    async with (
        serving({"preempt": keep_b}) as server,
        scheduled(plan(server, preemptVerb="preempt"), node("a", cpu="1"), node("b", cpu="1")) as w,
    ):
        await w.client.create(PriorityClass(metadata=ObjectMeta(name="urgent"), value=1000))
        for name in ("x", "y"):
            given = pod(name, cpu="1")
            await w.client.create(replace(given, spec=replace(given.spec, termination_grace_period_seconds=0)))
            await bound(w, name)
        urgent = pod("urgent", cpu="1")
        await w.client.create(replace(urgent, spec=replace(urgent.spec, priority=None, priority_class_name="urgent")))
        assert await bound(w, "urgent") == "b"
