"""IPAddresses follow Services, and ServiceCIDRs give and hold addresses."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import Service, ServicePort, ServiceSpec
from kcore.api.errors import Invalid, NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.networking_v1 import IPAddress, IPAddressSpec, ParentReference, ServiceCIDR, ServiceCIDRSpec
from kcore.client.runner import Runner
from kcore.controllers.ipaddresses import IPAddressController
from tests.controllers.control import controlled
from tests.sim.world import World


async def addressed(w: World) -> None:
    await w.tasks.start(Runner(IPAddressController(w.client, w.informers), w.informers, w.clock).run)


def service(name: str, ip: str = "") -> Service:
    spec = ServiceSpec(cluster_ip=ip, ports=(ServicePort(port=80),))
    return Service(metadata=ObjectMeta(name=name, namespace="ns"), spec=spec)


def cidr(name: str, *cidrs: str) -> ServiceCIDR:
    return ServiceCIDR(metadata=ObjectMeta(name=name), spec=ServiceCIDRSpec(cidrs=cidrs))


async def addresses(w: World) -> dict[str, str]:
    await w.settle()
    return {a.metadata.name: a.spec.parent_ref.name for a in (await w.client.list(IPAddress)).items}


async def ready(w: World, name: str) -> tuple[str, str]:
    await w.settle()
    [condition] = (await w.client.get(ServiceCIDR, name)).status.conditions
    return condition.status, condition.reason


async def test_every_cluster_ip_has_an_address_that_says_whose_it_is() -> None:
    async with controlled() as w:
        await addressed(w)
        await w.client.create(service("a", "10.96.0.5"))
        await w.client.create(service("headless", "None"))
        assert await addresses(w) == {"10.96.0.5": "a"}
        [address] = (await w.client.list(IPAddress)).items
        assert address.metadata.labels == {
            "ipaddress.kubernetes.io/ip-family": "IPv4",
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
        }
        await w.client.delete(Service, "a", "ns")
        assert await addresses(w) == {}


async def test_an_address_that_passed_on_names_its_new_owner() -> None:
    async with controlled() as w:
        await w.client.create(service("a", "10.96.0.5"))
        await addressed(w)
        await w.settle()
        await w.client.delete(Service, "a", "ns")
        await w.client.create(service("b", "10.96.0.5"))
        assert await addresses(w) == {"10.96.0.5": "b"}


async def test_what_is_wrong_is_repaired_and_what_is_somebody_elses_left_alone() -> None:
    async with controlled() as w:
        parent = ParentReference(resource="services", namespace="ns", name="gone")
        ours = {"ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}
        for ip, labels in (("10.96.0.7", ours), ("10.96.0.8", {})):
            metadata = ObjectMeta(name=ip, labels=labels)
            await w.client.create(IPAddress(metadata=metadata, spec=IPAddressSpec(parent_ref=parent)))
        await w.client.create(service("a", "10.96.0.5"))
        await addressed(w)
        assert await addresses(w) == {"10.96.0.5": "a", "10.96.0.8": "gone"}


async def test_a_further_range_gives_addresses_in_the_families_of_the_cluster() -> None:
    async with controlled() as w:
        await w.client.create(cidr("more", "10.97.0.0/30"))
        assert await ready(w, "more") == ("True", "")
        made = await w.client.create(service("there", "10.97.0.2"))
        assert made.spec.cluster_ip == "10.97.0.2"
        await w.client.create(cidr("six", "fd00::/112"))
        six = service("six")
        with pytest.raises(Invalid, match="not configured on this cluster"):
            await w.client.create(replace(six, spec=replace(six.spec, ip_families=("IPv6",))))


async def test_a_range_stays_while_addresses_of_it_are_in_use() -> None:
    async with controlled() as w:
        await addressed(w)
        await w.client.create(cidr("more", "10.97.0.0/24"))
        await w.settle()
        await w.client.create(service("there", "10.97.0.2"))
        await w.settle()
        await w.client.delete(ServiceCIDR, "more")
        assert await ready(w, "more") == ("False", "Terminating")
        await w.client.delete(Service, "there", "ns")
        await w.settle()
        with pytest.raises(NotFound):
            await w.client.get(ServiceCIDR, "more")
