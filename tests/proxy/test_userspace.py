"""The userspace back end over real sockets: portals, relays, flows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import pytest

from kcore.api.core_v1 import ClientIPConfig, ServicePort, SessionAffinityConfig
from kcore.api.discovery_v1 import EndpointPort
from kcore.proxy.backend import BackendFault
from kcore.proxy.rules import Diff, Rule, rules_of_service
from kcore.proxy.userspace.backend import Userspace
from tests.proxy.cluster import endpoint, service, slice_of
from tests.proxy.servers import ask, ask_udp, tcp_server, udp_server

# Loopback addresses of this file's own, so that ports never collide with anybody's.
VIP, PODS = "127.78.0.1", {"one": "127.78.1.1", "two": "127.78.1.2", "three": "127.78.1.3"}
PORT, POD_PORT, NODE_PORT = 8080, 8081, 30080


def rule(*pods: str, protocol: str = "TCP", **spec: Any) -> Rule:
    port = ServicePort(name="p", port=PORT, protocol=protocol, node_port=spec.pop("node_port", 0))
    one = service(ip=spec.pop("ip", VIP), ports=(port,), **spec)
    slices = [
        slice_of(*(endpoint(PODS[pod]) for pod in pods), port=EndpointPort(name="p", port=POD_PORT, protocol=protocol))
    ]
    [made] = rules_of_service(one, slices).values()
    return made


def put(*rules: Rule) -> Diff:
    return Diff(put={rule.name: rule for rule in rules})


@asynccontextmanager
async def running(*pods: str) -> AsyncIterator[Userspace]:
    """The back end, with TCP servers for `pods`."""
    backend = Userspace(node_addresses=("127.78.2.1",))
    async with AsyncExitStack() as stack:
        for pod in pods:
            await stack.enter_async_context(tcp_server(pod, PODS[pod], POD_PORT))
        tasks = await stack.enter_async_context(anyio.create_task_group())
        await tasks.start(backend.run)
        yield backend
        tasks.cancel_scope.cancel()


async def test_a_service_shares_its_connections_evenly() -> None:
    async with running("one", "two", "three") as backend:
        await backend.apply(put(rule("one", "two", "three")))
        answers = Counter([await ask(VIP, PORT) for _ in range(30)])
        assert answers == {"one": 10, "two": 10, "three": 10}


async def test_a_node_port_leads_to_the_same_endpoints() -> None:
    async with running("one") as backend:
        await backend.apply(put(rule("one", type="NodePort", node_port=NODE_PORT)))
        assert await ask("127.78.2.1", NODE_PORT) == "one"


async def test_a_client_keeps_its_endpoint_where_affinity_is_asked_for() -> None:
    async with running("one", "two") as backend:
        config = SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=60))
        await backend.apply(put(rule("one", "two", session_affinity="ClientIP", session_affinity_config=config)))
        mine = [await ask(VIP, PORT, "127.78.3.1") for _ in range(5)]
        others = [await ask(VIP, PORT, "127.78.3.2") for _ in range(5)]
        assert [set(mine), set(others)] == [{"one"}, {"two"}]
        [statistics] = backend.statistics()["ns1/svc1:p/TCP"]
        assert statistics["affinity"]["127.78.3.1"]["endpoint"] == f"{PODS['one']}:{POD_PORT}"


async def test_an_endpoint_that_does_not_answer_costs_a_try_not_the_connection() -> None:
    async with running("two") as backend:
        await backend.apply(put(rule("one", "two")))
        assert [await ask(VIP, PORT) for _ in range(4)] == ["two"] * 4
        [portal] = backend.statistics()["ns1/svc1:p/TCP"]
        assert portal["failedDials"] == 2


async def test_nobody_behind_a_service_is_refused_at_once() -> None:
    async with running("one") as backend:
        await backend.apply(put(rule("one")))
        await backend.apply(put(rule()))
        with pytest.raises(ConnectionRefusedError):
            await ask(VIP, PORT)


async def test_all_endpoints_dead_is_a_reset() -> None:
    async with running() as backend:
        await backend.apply(put(rule("one", "two")))
        reader, writer = await asyncio.open_connection(VIP, PORT)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_half_closed_connections_still_get_their_answer() -> None:
    async with running("one") as backend:
        await backend.apply(put(rule("one")))
        reader, writer = await asyncio.open_connection(VIP, PORT)
        writer.write(b"x\n")
        writer.write_eof()
        assert await reader.read() == b"one x\nbye\n"
        writer.close()
        await writer.wait_closed()


async def test_megabytes_pass_unchanged_through_slow_readers() -> None:
    async with running("one") as backend:
        await backend.apply(put(rule("one")))
        reader, writer = await asyncio.open_connection(VIP, PORT, limit=4096)
        line = b"y" * 60_000 + b"\n"

        async def send() -> None:
            for _ in range(100):
                writer.write(line)
                await writer.drain()
            writer.write_eof()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            received = 0
            while chunk := await reader.read(3000):
                received += len(chunk)
        assert received == 100 * (len(line) + len(b"one ")) + len(b"bye\n")
        writer.close()
        await writer.wait_closed()


async def test_connections_outlive_their_endpoint_leaving_the_service() -> None:
    async with running("one", "two") as backend:
        await backend.apply(put(rule("one")))
        reader, writer = await asyncio.open_connection(VIP, PORT)
        writer.write(b"a\n")
        assert await reader.readline() == b"one a\n"
        await backend.apply(put(rule("two")))
        assert await ask(VIP, PORT) == "two"
        writer.write(b"b\n")
        assert await reader.readline() == b"one b\n"
        await backend.apply(Diff(gone=put(rule("two")).put))
        writer.write(b"c\n")
        assert await reader.readline() == b"one c\n"
        writer.close()
        await writer.wait_closed()


async def test_udp_flows_stay_with_their_endpoint_and_move_when_it_goes() -> None:
    async with (
        running() as backend,
        udp_server("one", PODS["one"], POD_PORT),
        udp_server("two", PODS["two"], POD_PORT),
    ):
        await backend.apply(put(rule("one", "two", protocol="UDP")))
        async with ask_udp(VIP, PORT) as (mine, answers), ask_udp(VIP, PORT) as (other, other_answers):
            for _ in range(3):
                mine.sendto(b"a")
                assert await answers.get() == b"one a"
            other.sendto(b"b")
            assert await other_answers.get() == b"two b"
            await backend.apply(put(rule("two", protocol="UDP")))
            mine.sendto(b"c")
            assert await answers.get() == b"two c"


async def test_a_range_that_is_not_of_this_machine_gets_a_port_of_its_own() -> None:
    async with running("one") as backend:
        one = rule("one", ip="10.96.0.41")
        await backend.apply(put(one))
        [portal] = backend.portals(one.name)
        assert await ask("127.0.0.1", portal.port) == "one"


async def test_a_port_in_use_is_told_and_harms_nobody_else() -> None:
    async with running("one") as backend, tcp_server("squatter", "127.78.2.1", NODE_PORT):
        with pytest.raises(BackendFault, match=r"can not listen on 127\.78\.2\.1:30080"):
            await backend.apply(put(rule("one", type="NodePort", node_port=NODE_PORT)))
        assert await ask(VIP, PORT) == "one"
    async with running("one") as backend:
        await backend.apply(put(rule("one", type="NodePort", node_port=NODE_PORT)))
        assert await ask("127.78.2.1", NODE_PORT) == "one"


async def test_connections_on_which_nothing_is_said_from_look_to_look_are_ended() -> None:
    async with running("one") as backend:
        one = rule("one")
        await backend.apply(put(one))
        reader, writer = await asyncio.open_connection(VIP, PORT)
        writer.write(b"a\n")
        assert await reader.readline() == b"one a\n"
        [portal] = backend.portals(one.name)
        portal._drop_idle()
        writer.write(b"b\n")
        assert await reader.readline() == b"one b\n"
        portal._drop_idle()
        assert not reader.at_eof()
        portal._drop_idle()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
