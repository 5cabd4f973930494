"""The proxier over the caches of a small cluster, with a back end that notes what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskStatus
from msgspec.structs import replace

from kcore.api.core_v1 import Node, Service, Taint
from kcore.api.discovery_v1 import EndpointSlice
from kcore.api.meta_v1 import ObjectMeta
from kcore.proxy.backend import BackendFault
from kcore.proxy.health import health_checks, healthz, service_health
from kcore.proxy.proxier import Proxier
from kcore.proxy.rules import Diff
from kcore.proxy.topology import Place
from tests.proxy.cluster import endpoint, one_rule, service, slice_of
from tests.sim.world import World, world


class Notes:
    """A back end that does nothing else. `fault`: what it refuses with."""

    def __init__(self) -> None:
        self.told: list[Diff] = []
        self.fault = ""

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        task_status.started()
        await anyio.sleep_forever()

    async def apply(self, diff: Diff) -> None:
        await anyio.sleep(0.1)
        if self.fault:
            raise BackendFault(self.fault)
        self.told.append(diff)

    def statistics(self) -> Any:
        return len(self.told)

    @property
    def last(self) -> str:
        """What was said last: names, with the endpoints that they now have."""
        diff = self.told[-1]
        put = [f"{n.service}={','.join(e.address for e in r.endpoints.cluster)}" for n, r in diff.put.items()]
        return " ".join([*put, *(f"-{name.service}" for name in diff.gone)])


@asynccontextmanager
async def proxying(*services: Service, node: str = "") -> AsyncIterator[tuple[World, Proxier, Notes]]:
    async with world() as w:
        await w.create_namespace("ns1")
        for one in services or (service(),):
            await w.client.create(one)
            await w.client.create(named(one, slice_of(endpoint("10.0.0.1", node="here"))))
        notes = Notes()
        proxier = Proxier(w.informers, notes, w.clock, node)
        await w.tasks.start(w.informers.run)
        await w.tasks.start(proxier.run)
        yield w, proxier, notes


def named(service: Service, slice_: EndpointSlice) -> EndpointSlice:
    name = service.metadata.name
    metadata = ObjectMeta(name=f"{name}-1", namespace="ns1", labels={"kubernetes.io/service-name": name})
    return replace(slice_, metadata=metadata)


async def test_what_there_is_at_the_start_is_told_at_once() -> None:
    async with proxying(service(), service(name="ns1/b", ip="10.96.0.42")) as (_, proxier, notes):
        assert len(notes.told) == 1
        assert sorted(notes.last.split()) == ["b=10.0.0.1", "svc1=10.0.0.1"]
        assert proxier.state.pending_since is None


async def test_only_the_services_that_change_are_told_of() -> None:
    async with proxying(service(), service(name="ns1/b", ip="10.96.0.42")) as (w, _, notes):
        fresh = await w.client.get(EndpointSlice, "b-1", "ns1")
        await w.client.update(replace(fresh, endpoints=(endpoint("10.0.0.2"),)))
        await w.settle()
        assert notes.last == "b=10.0.0.2"
        await w.client.delete(Service, "b", "ns1")
        await w.settle()
        assert notes.last == "-b"


async def test_changes_that_come_while_the_back_end_works_are_taken_together() -> None:
    async with proxying() as (w, _, notes):
        before = len(notes.told)
        for name, ip in (("a", "10.96.0.2"), ("b", "10.96.0.3"), ("c", "10.96.0.4")):
            await w.client.create(service(name=f"ns1/{name}", ip=ip))
        await w.settle()
        assert len(notes.told) - before <= 2
        assert {name.service for diff in notes.told[before:] for name in diff.put} == {"a", "b", "c"}


async def test_a_change_that_changes_no_rule_is_not_told() -> None:
    async with proxying() as (w, _, notes):
        one = await w.client.get(Service, "svc1", "ns1")
        await w.client.update(replace(one, metadata=replace(one.metadata, labels={"a": "b"})))
        await w.settle()
        assert len(notes.told) == 1


async def test_what_the_back_end_refused_is_told_again_with_what_came_since() -> None:
    async with proxying() as (w, proxier, notes):
        notes.fault = "no permission"
        await w.client.create(service(name="ns1/a", ip="10.96.0.2"))
        await w.settle(0.5)
        assert proxier.state.pending_since is not None
        await w.client.create(service(name="ns1/b", ip="10.96.0.3"))
        await w.settle(100)
        assert proxier.state.failures > 2
        assert healthz(proxier.state, w.clock.now(), eligible=True).code == 503
        notes.fault = ""
        await w.settle(40)
        assert {name.service for name in notes.told[-1].put} == {"a", "b"}
        assert healthz(proxier.state, w.clock.now(), eligible=True).code == 200


async def test_services_of_another_proxy_are_left_alone() -> None:
    for label in ("service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"):
        other = service()
        other = replace(other, metadata=replace(other.metadata, labels={label: "x"}))
        async with proxying(other) as (_, proxier, _notes):
            assert proxier.rules == {}


async def test_the_zone_of_the_node_counts_as_soon_as_it_is_known() -> None:
    async with proxying(service(internal_traffic_policy="Local"), node="there") as (w, proxier, _):
        [rule] = proxier.rules.values()
        assert rule.endpoints.local == ()
        labels = {"topology.kubernetes.io/zone": "z1"}
        await w.client.create(Node(metadata=ObjectMeta(name="there", labels=labels)))
        await w.settle()
        assert proxier.state.syncs >= 1


async def test_a_node_on_its_way_out_is_no_longer_eligible() -> None:
    async with proxying(node="here") as (w, proxier, _):
        node = await w.client.create(Node(metadata=ObjectMeta(name="here")))
        await w.settle()
        codes = [healthz(proxier.state, w.clock.now(), eligible=proxier.node_eligible).code]
        taint = Taint(key="ToBeDeletedByClusterAutoscaler", effect="NoSchedule")
        await w.client.update(replace(node, spec=replace(node.spec, taints=(taint,))))
        await w.settle()
        codes.append(healthz(proxier.state, w.clock.now(), eligible=proxier.node_eligible).code)
        assert codes == [200, 503]


async def test_health_check_node_ports_tell_how_many_endpoints_are_here() -> None:
    balancer = service(
        type="LoadBalancer", external_traffic_policy="Local", health_check_node_port=30123, ingress=("1.2.3.4",)
    )
    ends = (endpoint("10.0.0.1", node="here"), endpoint("10.0.0.2", node="there"))
    async with proxying() as (w, proxier, _):
        for node, count, code in (("here", 1, 200), ("elsewhere", 0, 503)):
            checks = health_checks([one_rule(balancer, *ends, place=Place(node))])
            assert checks[30123].local_endpoints == count
            assert service_health(checks[30123], proxier.state, w.clock.now()).code == code
