"""port-forward over SPDY, over SPDY in a WebSocket, and over channels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
import pytest
from aiohttp import web
from anyio.abc import ByteStream, SocketStream

from kcore.api.errors import BadRequest
from kcore.server.query import Query, parse_query
from kcore.server.streaming.port_forward import forwarded_ports, serve_port_forward
from kcore.server.streaming.spdy import SpdyConnection, SpdyStream
from tests.server.streaming.talking import answering, listening, messages, read_all, shout, spdy, tunnelled, websocket

Connect = Callable[[int], AbstractAsyncContextManager[SpdyConnection]]


@asynccontextmanager
async def forwarding(target: int) -> AsyncIterator[int]:
    """A server that forwards port 80 of a pod to `target`; its other ports are closed."""

    async def dial(port: int) -> ByteStream:
        if port != 80:
            raise ConnectionRefusedError(f"nobody listens on {port}")
        return await anyio.connect_tcp("127.0.0.1", target)

    async def handle(request: web.BaseRequest, query: Query) -> web.StreamResponse:
        return await serve_port_forward(request, query, "web-0", dial)

    async with answering(handle) as port:
        yield port


def plainly(port: int) -> AbstractAsyncContextManager[SpdyConnection]:
    return spdy(port, "/portForward", "portforward.k8s.io")


def in_a_tunnel(port: int) -> AbstractAsyncContextManager[SpdyConnection]:
    return tunnelled(port, "/portForward", "SPDY/3.1+portforward.k8s.io")


async def pair(connection: SpdyConnection, port: int, **headers: str) -> tuple[SpdyStream, SpdyStream]:
    """The data and the error stream of a new connection, the error stream opened first and ended, as kubectl does."""
    error = await connection.open({"streamtype": "error", "port": str(port), **headers})
    await error.send_eof()
    data = await connection.open({"streamtype": "data", "port": str(port), **headers})
    return data, error


@pytest.mark.parametrize("connect", [plainly, in_a_tunnel])
async def test_connections_are_forwarded_side_by_side(connect: Connect) -> None:
    async with listening(shout) as target, forwarding(target) as port, connect(port) as connection:
        pairs = [await pair(connection, 80, requestid=str(number)) for number in range(3)]
        for number, (data, _) in enumerate(pairs):
            await data.send(f"hello {number}".encode())
            await data.send_eof()
        for number, (data, error) in enumerate(pairs):
            assert await read_all(data) == f"HELLO {number}".encode()
            assert await read_all(error) == b""


@pytest.mark.parametrize("connect", [plainly, in_a_tunnel])
async def test_closed_port_is_told_on_the_error_stream(connect: Connect) -> None:
    async with forwarding(0) as port, connect(port) as connection:
        data, error = await pair(connection, 81, requestid="0")
        assert await read_all(error) == b"error forwarding port 81 to pod web-0: nobody listens on 81"
        assert await read_all(data) == b""


async def test_much_data_is_forwarded_both_ways() -> None:
    size = 3_000_000
    async with listening(shout) as target, forwarding(target) as port, in_a_tunnel(port) as connection:
        data, _ = await pair(connection, 80, requestid="0")

        async def send() -> None:
            for _ in range(size // 50_000):
                await data.send(b"a" * 50_000)
            await data.send_eof()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            assert await read_all(data) == b"A" * size


async def test_clients_of_old_give_no_request_id() -> None:
    async with listening(shout) as target, forwarding(target) as port, plainly(port) as connection:
        data, _ = await pair(connection, 80)
        await data.send(b"old")
        await data.send_eof()
        assert await read_all(data) == b"OLD"


async def test_client_that_resets_its_stream_closes_the_connection() -> None:
    closed = anyio.Event()

    async def wait(stream: SocketStream) -> None:
        async with stream:
            async for _ in stream:
                pass
        closed.set()

    async with listening(wait) as target, forwarding(target) as port, plainly(port) as connection:
        data, _ = await pair(connection, 80, requestid="0")
        await data.send(b"hello")
        await data.reset()
        with anyio.fail_after(10):
            await closed.wait()


@pytest.mark.parametrize(
    "headers",
    [
        {"streamtype": "data"},
        {"streamtype": "data", "port": "0"},
        {"streamtype": "data", "port": "65536"},
        {"streamtype": "data", "port": "http"},
        {"streamtype": "data", "port": "8" * 5000},
        {"streamtype": "other", "port": "80"},
        {"port": "80"},
    ],
)
async def test_stream_that_makes_no_sense_is_reset(headers: dict[str, str]) -> None:
    async with forwarding(0) as port, plainly(port) as connection:
        stream = await connection.open(headers)
        with anyio.fail_after(10):
            await stream.over.wait()


async def test_ports_on_channels_begin_with_their_number() -> None:
    async with (
        listening(shout) as target,
        forwarding(target) as port,
        websocket(port, "/portForward?ports=80,81", "v4.channel.k8s.io") as socket,
    ):
        first = [await socket.receive_bytes() for _ in range(4)]
        assert sorted(first) == [b"\0\x50\0", b"\1\x50\0", b"\2\x51\0", b"\3\x51\0"]
        assert await socket.receive_bytes() == b"\3error forwarding port 81 to pod web-0: nobody listens on 81"
        await socket.send_bytes(b"\0hello")
        assert await socket.receive_bytes() == b"\0HELLO"


async def test_socket_with_channels_closes_when_every_target_has() -> None:
    async def greet(stream: SocketStream) -> None:
        async with stream:
            await stream.send(b"bye")

    async with (
        listening(greet) as target,
        forwarding(target) as port,
        websocket(port, "/portForward?port=80", "v4.channel.k8s.io") as socket,
    ):
        assert (await messages(socket))[0] == b"\x50\0bye"


@pytest.mark.parametrize(
    ("query", "ports"),
    [
        ("ports=80", [80]),
        ("port=80&port=81", [80, 81]),
        ("port=80,81", [80, 81]),
        ("", 'query parameter "port" is required'),
        ("port=", 'query parameter "port" cannot be empty'),
        ("port=http", 'unable to parse "http" as a port: strconv.ParseUint: parsing "http": invalid syntax'),
        ("port=0", 'port "0" must be > 0'),
        ("port=" + ",".join(["80"] * 128), "128 ports are more than the 127 that there are channels for"),
    ],
)
def test_ports_that_a_query_names(query: str, ports: list[int] | str) -> None:
    if isinstance(ports, list):
        assert forwarded_ports(parse_query(query)) == ports
    else:
        with pytest.raises(BadRequest) as refused:
            forwarded_ports(parse_query(query))
        assert refused.value.message == ports
