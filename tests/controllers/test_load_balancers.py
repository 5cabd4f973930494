from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import Node, Service, ServicePort, ServiceSpec
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.client.runner import Runner
from kcore.controllers.cloud.provider import MemoryLoadBalancers
from kcore.controllers.cloud.services import FINALIZER, ServiceController
from kcore.controllers.context import Context
from tests.controllers.control import controlled
from tests.controllers.test_nodes import make_node
from tests.sim.world import World, world

CIDR = "172.19.0.0/29"


def service(name: str = "web", **spec: Any) -> Service:
    port = ServicePort(name="http", port=80)
    return Service(
        metadata=ObjectMeta(name=name, namespace="ns"), spec=ServiceSpec(type="LoadBalancer", ports=(port,), **spec)
    )


async def get(w: World, name: str = "web") -> Service:
    return await w.client.get(Service, name, "ns")


def addresses(found: Service) -> list[str]:
    return [entry.ip for entry in found.status.load_balancer.ingress]


async def test_service_gets_an_address_and_gives_it_back() -> None:
    async with controlled(load_balancer_cidr=CIDR) as w:
        made = await w.client.create(service())
        await w.settle()
        found = await get(w)
        assert addresses(found) == ["172.19.0.1"]
        assert found.status.load_balancer.ingress[0].ip_mode == "VIP"
        assert found.metadata.finalizers == (FINALIZER,)
        await w.client.delete(Service, "web", "ns")
        await w.settle()
        with pytest.raises(NotFound):
            await get(w)
        assert await w.told(made) == [
            "Normal EnsuringLoadBalancer Ensuring load balancer",
            "Normal EnsuredLoadBalancer Ensured load balancer",
            "Normal DeletingLoadBalancer Deleting load balancer",
            "Normal DeletedLoadBalancer Deleted load balancer",
        ]
        await w.client.create(service())
        await w.settle()
        assert addresses(await get(w)) == ["172.19.0.1"]


async def test_service_of_another_type_has_no_load_balancer_any_more() -> None:
    async with controlled(load_balancer_cidr=CIDR) as w:
        await w.client.create(service())
        await w.settle()
        found = await get(w)
        await w.client.update(replace(found, spec=replace(found.spec, type="ClusterIP")))
        await w.settle()
        found = await get(w)
        assert (addresses(found), found.metadata.finalizers) == ([], ())


async def test_address_asked_for_is_given_if_it_can_be_had() -> None:
    async with controlled(load_balancer_cidr=CIDR) as w:
        await w.client.create(service("first", load_balancer_ip="172.19.0.3"))
        await w.settle()
        assert addresses(await get(w, "first")) == ["172.19.0.3"]
        second = await w.client.create(service("second", load_balancer_ip="172.19.0.3"))
        stranger = await w.client.create(service("stranger", load_balancer_ip="10.0.0.1"))
        await w.settle()
        failed = "Warning SyncLoadBalancerFailed Error syncing load balancer: failed to ensure load balancer: "
        assert f"{failed}the address 172.19.0.3 is in use" in await w.told(second)
        assert f"{failed}the address 10.0.0.1 is not of 172.19.0.0/29" in await w.told(stranger)


async def test_service_waits_for_a_free_address() -> None:
    async with controlled(load_balancer_cidr=CIDR) as w:
        for i in range(7):
            await w.client.create(service(f"s{i}"))
        await w.settle()
        services = (await w.client.list(Service, "ns")).items
        given = [a for s in services for a in addresses(s)]
        assert len(given) == len(set(given)) == 6
        waiting = next(s for s in services if not addresses(s))
        await w.client.delete(Service, next(s for s in services if addresses(s)).metadata.name, "ns")
        await w.settle(60)
        assert addresses(await get(w, waiting.metadata.name))


async def test_class_of_somebody_else_is_left_to_them() -> None:
    async with controlled(load_balancer_cidr=CIDR) as w:
        await w.client.create(service(load_balancer_class="example.com/lb"))
        await w.settle()
        assert addresses(await get(w)) == []


async def test_without_a_cloud_nobody_answers() -> None:
    async with controlled() as w:
        await w.client.create(service())
        await w.settle()
        assert (await get(w)).metadata.finalizers == ()


async def test_load_balancer_follows_the_nodes_and_survives_its_controller() -> None:
    async with world() as w:
        await w.create_namespace()
        cloud = MemoryLoadBalancers(CIDR)
        context = Context(w.client, w.informers, w.clock, w.chance, w.events)
        await w.tasks.start(w.informers.run)
        await w.tasks.start(Runner(ServiceController(context, cloud), w.informers, w.clock).run)
        await make_node(w, "n1")
        await w.client.create(service())
        await w.settle()
        made = await get(w)
        assert cloud.nodes(made) == ("n1",)
        await make_node(w, "n2")
        await w.settle()
        assert cloud.nodes(made) == ("n1", "n2")
        excluded = {"metadata": {"labels": {"node.kubernetes.io/exclude-from-external-load-balancers": ""}}}
        await w.client.patch(Node, "n1", excluded)
        await w.settle()
        assert cloud.nodes(made) == ("n2",)
        assert "Normal UpdatedLoadBalancer Updated load balancer with new hosts" in await w.told(made)

        fresh = MemoryLoadBalancers(CIDR)
        await w.tasks.start(Runner(ServiceController(context, fresh), w.informers, w.clock).run)
        await w.settle()
        assert addresses(await get(w)) == addresses(made)
        assert fresh.nodes(made) == ("n2",)
