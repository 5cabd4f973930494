"""The DNS server over real sockets, asked with dnspython, over the caches of a small cluster."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode

from kcore.api.core_v1 import Service, ServicePort, ServiceSpec
from kcore.api.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from kcore.api.meta_v1 import ObjectMeta
from kcore.dns.directory import InformedDirectory
from kcore.dns.server import DnsServer
from tests.sim.world import World, world

HOST = "127.0.0.1"


@asynccontextmanager
async def serving(upstream: str = "") -> AsyncIterator[tuple[World, DnsServer]]:
    async with world() as w:
        await w.create_namespace()
        ports = (ServicePort(name="http", port=80),)
        for name, ip in (("web", "10.96.0.5"), ("many", "None")):
            spec = ServiceSpec(cluster_ip=ip, ports=ports, selector={"a": "b"})
            await w.client.create(Service(metadata=ObjectMeta(name=name, namespace="ns"), spec=spec))
        labels = {"kubernetes.io/service-name": "many"}
        slice_ = EndpointSlice(
            metadata=ObjectMeta(name="many-1", namespace="ns", labels=labels),
            address_type="IPv4",
            endpoints=tuple(Endpoint(addresses=(f"10.0.{i // 200}.{i % 200 + 1}",)) for i in range(200)),
            ports=(EndpointPort(name="http", port=80),),
        )
        await w.client.create(slice_)
        server = DnsServer(InformedDirectory(w.informers), "cluster.local", HOST, 0, upstream=upstream)
        await w.tasks.start(w.informers.run)
        await w.tasks.start(server.run)
        yield w, server


async def ask(server: DnsServer, name: str, type_: str = "A", *, tcp: bool = False) -> dns.message.Message:
    over = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    return await over(dns.message.make_query(name, type_), HOST, timeout=10, port=server.port)


async def test_a_service_is_found_over_udp_and_over_tcp() -> None:
    async with serving() as (_, server):
        for tcp in (False, True):
            response = await ask(server, "web.ns.svc.cluster.local", tcp=tcp)
            assert [str(item) for rrset in response.answer for item in rrset] == ["10.96.0.5"]
            assert response.flags & dns.flags.AA


async def test_a_service_that_comes_and_goes_is_found_and_lost() -> None:
    async with serving() as (w, server):
        await w.client.delete(Service, "web", "ns")
        response = await ask(server, "web.ns.svc.cluster.local")
        while response.rcode() == dns.rcode.NOERROR:  # the cache is a moment behind
            response = await ask(server, "web.ns.svc.cluster.local")
        assert response.rcode() == dns.rcode.NXDOMAIN
        assert response.authority[0].to_text().startswith("cluster.local. 30 IN SOA")


async def test_an_answer_too_long_for_udp_is_cut_and_whole_over_tcp() -> None:
    async with serving() as (_, server):
        cut = await ask(server, "many.ns.svc.cluster.local")
        assert cut.flags & dns.flags.TC
        whole = await ask(server, "many.ns.svc.cluster.local", tcp=True)
        assert sum(len(rrset) for rrset in whole.answer) == 200


async def test_the_rest_of_the_world_is_refused() -> None:
    async with serving() as (_, server):
        assert (await ask(server, "example.org")).rcode() == dns.rcode.REFUSED


async def test_the_rest_of_the_world_is_asked_upstream_where_there_is_one() -> None:
    async with serving() as (_, other), serving(upstream=f"{HOST}#{other.port}") as (_, server):
        # The other server's answer, passed on as it came.
        assert (await ask(server, "example.org")).rcode() == dns.rcode.REFUSED
        response = await ask(server, "web.ns.svc.cluster.local")
        assert response.rcode() == dns.rcode.NOERROR
        assert response.flags & dns.flags.RA


async def test_noise_gets_no_answer_and_harms_nobody() -> None:
    async with serving() as (_, server):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noisy:
            noisy.sendto(b"\x00noise", (HOST, server.port))
        assert (await ask(server, "web.ns.svc.cluster.local")).rcode() == dns.rcode.NOERROR
