from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import (
    ContainerPort,
    EndpointAddress,
    Endpoints,
    EndpointSubset,
    Pod,
    Service,
    ServicePort,
    ServiceSpec,
)
from kcore.api.core_v1 import EndpointPort as CoreEndpointPort
from kcore.api.discovery_v1 import Endpoint, EndpointHints, EndpointPort, EndpointSlice, ForNode, ForZone
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.controllers.slices import plan
from tests.controllers.control import controlled, make_ready, template
from tests.controllers.test_nodes import make_node
from tests.sim.world import World


async def make_pod(w: World, name: str, port: int = 8080) -> Pod:
    one = template()
    [container] = one.spec.containers
    container = replace(container, ports=(ContainerPort(name="http", container_port=port),))
    spec = replace(one.spec, containers=(container,))
    return await w.client.create(Pod(metadata=replace(one.metadata, name=name, namespace="ns"), spec=spec))


async def make_service(w: World, **spec: Any) -> Service:
    ports = (ServicePort(name="web", port=80, target_port="http"), ServicePort(name="raw", port=81))
    whole: dict[str, Any] = {"selector": {"app": "web"}, "ports": ports, **spec}
    metadata = ObjectMeta(name="svc", namespace="ns", labels={"own": "1"})
    return await w.client.create(Service(metadata=metadata, spec=ServiceSpec(**whole)))


async def slices(w: World) -> list[EndpointSlice]:
    return list((await w.client.list(EndpointSlice, "ns")).items)


async def test_ready_pods_are_addresses_and_others_are_not_ready_ones() -> None:
    async with controlled() as w:
        await make_service(w)
        one, other = await make_pod(w, "one"), await make_pod(w, "other")
        one = await make_ready(w, one)
        await make_ready(w, other, ready=False)
        await w.settle()
        [subset] = (await w.client.get(Endpoints, "svc", "ns")).subsets
        [address] = subset.addresses
        assert address.ip == one.status.pod_ip
        assert address.target_ref is not None
        assert (address.target_ref.name, address.target_ref.uid) == ("one", one.metadata.uid)
        assert len(subset.not_ready_addresses) == 1
        assert [(p.name, p.port) for p in subset.ports] == [("web", 8080), ("raw", 81)]


async def test_slice_follows_the_conditions_of_its_pods() -> None:
    async with controlled() as w:
        service = await make_service(w)
        pod = await make_ready(w, await make_pod(w, "one"))
        await w.settle()
        [slice_] = await slices(w)
        assert slice_.metadata.labels == {
            "own": "1",
            "kubernetes.io/service-name": "svc",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        }
        assert slice_.metadata.owner_references[0].uid == service.metadata.uid
        assert [(p.name, p.port) for p in slice_.ports or ()] == [("web", 8080), ("raw", 81)]
        [endpoint] = slice_.endpoints or ()
        assert endpoint.addresses == (pod.status.pod_ip,)
        conditions = endpoint.conditions
        assert (conditions.ready, conditions.serving, conditions.terminating) == (True, True, False)
        await make_ready(w, await w.client.get(Pod, "one", "ns"), ready=False)
        await w.settle()
        [slice_] = await slices(w)
        [endpoint] = slice_.endpoints or ()
        assert (endpoint.conditions.ready, endpoint.conditions.serving) == (False, False)


async def test_named_port_with_two_numbers_gives_two_slices() -> None:
    async with controlled() as w:
        await make_service(w)
        for name, port in (("one", 8080), ("other", 9090)):
            await make_ready(w, await make_pod(w, name, port))
        await w.settle()
        assert sorted((s.ports or ())[0].port or 0 for s in await slices(w)) == [8080, 9090]
        subsets = (await w.client.get(Endpoints, "svc", "ns")).subsets
        assert [subset.ports[0].port for subset in subsets] == [8080, 9090]


async def test_service_without_pods_has_one_empty_slice_that_is_used_later() -> None:
    async with controlled() as w:
        await make_service(w)
        await w.settle()
        [empty] = await slices(w)
        assert not empty.endpoints
        await make_ready(w, await make_pod(w, "one"))
        await w.settle()
        [used] = await slices(w)
        assert used.metadata.uid == empty.metadata.uid
        assert len(used.endpoints or ()) == 1


async def test_service_without_selector_gets_nothing() -> None:
    async with controlled() as w:
        await make_service(w, selector={})
        await w.settle()
        assert await slices(w) == []
        with pytest.raises(NotFound):
            await w.client.get(Endpoints, "svc", "ns")


async def test_everything_goes_with_the_service() -> None:
    async with controlled() as w:
        await make_service(w)
        await make_ready(w, await make_pod(w, "one"))
        await w.settle()
        await w.client.delete(Service, "svc", "ns")
        await w.settle()
        assert await slices(w) == []
        with pytest.raises(NotFound):
            await w.client.get(Endpoints, "svc", "ns")


PORTS = (EndpointPort(name="web", port=80),)


def endpoints(first: int, last: int) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(addresses=(f"10.0.{n // 250}.{n % 250}",)) for n in range(first, last))


def full_slice(name: str, first: int, last: int) -> EndpointSlice:
    return EndpointSlice(metadata=ObjectMeta(name=name), ports=PORTS, endpoints=endpoints(first, last))


def test_many_endpoints_fill_slices_of_a_hundred() -> None:
    steps = plan({PORTS: list(endpoints(0, 250))}, [])
    assert [len(e or ()) for _, e in steps.create] == [100, 100, 50]
    assert (steps.update, steps.delete) == ([], [])


def test_endpoints_stay_in_their_slices_and_newcomers_fill_the_gaps() -> None:
    standing = [full_slice("a", 0, 100), full_slice("b", 100, 160)]
    steps = plan({PORTS: list(endpoints(1, 170))}, standing)
    assert (steps.create, steps.delete) == ([], [])
    by_name = {s.metadata.name: s.endpoints or () for s in steps.update}
    assert sum(len(e) for e in by_name.values()) + (0 if "b" in by_name else 60) == 169
    assert by_name["a"][:99] == endpoints(1, 100)


def test_what_is_right_is_left_alone() -> None:
    steps = plan({PORTS: list(endpoints(0, 50))}, [full_slice("a", 0, 50)])
    assert steps == ([], [], [])


def test_slice_of_other_ports_is_used_anew() -> None:
    other = (EndpointPort(name="web", port=81),)
    steps = plan({other: list(endpoints(0, 5))}, [full_slice("a", 0, 5), full_slice("b", 5, 9)])
    assert len(steps.update) == 1
    assert steps.update[0].ports == other
    assert len(steps.delete) == 1


async def test_endpoints_written_by_hand_are_mirrored_for_services_without_selector() -> None:
    async with controlled() as w:
        await make_service(w, selector={}, ports=(ServicePort(port=1),))
        metadata = ObjectMeta(name="svc", namespace="ns")
        subset = EndpointSubset(
            addresses=(EndpointAddress(ip="192.0.2.70"),),
            not_ready_addresses=(EndpointAddress(ip="2001:db8::1"),),
            ports=(CoreEndpointPort(port=1),),
        )
        written = await w.client.create(Endpoints(metadata=metadata, subsets=(subset,)))
        await w.settle()
        four, six = sorted(await slices(w), key=lambda s: s.address_type)
        assert (four.address_type, six.address_type) == ("IPv4", "IPv6")
        assert [(e.addresses, e.conditions.ready) for e in four.endpoints or ()] == [(("192.0.2.70",), True)]
        assert [(e.addresses, e.conditions.ready) for e in six.endpoints or ()] == [(("2001:db8::1",), False)]
        assert four.metadata.owner_references[0].kind == "Endpoints"
        await w.client.update(replace(written, subsets=(replace(subset, not_ready_addresses=()),)))
        await w.settle()
        assert [s.address_type for s in await slices(w)] == ["IPv4"]
        await w.client.delete(Endpoints, "svc", "ns")
        await w.settle()
        assert await slices(w) == []


@pytest.mark.parametrize(
    ("wish", "hinted"),
    [
        (None, None),
        ("PreferClose", EndpointHints(for_zones=(ForZone(name="a"),))),
        ("PreferSameZone", EndpointHints(for_zones=(ForZone(name="a"),))),
        ("PreferSameNode", EndpointHints(for_zones=(ForZone(name="a"),), for_nodes=(ForNode(name="n1"),))),
    ],
)
async def test_traffic_distribution_becomes_hints(wish: str | None, hinted: EndpointHints | None) -> None:
    async with controlled() as w:
        await make_node(w, "n1", "a")
        one = template()
        spec = replace(one.spec, node_name="n1")
        pod = await w.client.create(Pod(metadata=replace(one.metadata, name="p", namespace="ns"), spec=spec))
        await make_ready(w, pod)
        port = ServicePort(name="http", port=80)
        made = ServiceSpec(selector={"app": "web"}, ports=(port,), traffic_distribution=wish)
        await w.client.create(Service(metadata=ObjectMeta(name="web", namespace="ns"), spec=made))
        await w.settle()
        (slice_,) = (await w.client.list(EndpointSlice, "ns")).items
        assert [endpoint.hints for endpoint in slice_.endpoints or ()] == [hinted]
