"""Questions of probes to real sockets."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from kcore.api.core_v1 import GRPCAction, HTTPGetAction, HTTPHeader, TCPSocketAction
from kcore.node.kuberuntime.questions import Questioner
from tests.node.pods import container

HEADERS, DATA, SETTINGS = 1, 0, 4


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def health(status: int) -> bytes:
    """What a gRPC server answers: settings, headers, a message, trailers."""
    message = bytes([0x08, status])
    return (
        frame(SETTINGS, 0, 0, b"")
        + frame(HEADERS, 4, 1, b"\x88")
        + frame(DATA, 0, 1, struct.pack(">BI", 0, len(message)) + message)
        + frame(HEADERS, 5, 1, b"\x00\x0bgrpc-status\x010")
    )


@asynccontextmanager
async def serving(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A port at which each connection is read once and gets the same answer."""
    heard: list[bytes] = []

    async def handle(stream: SocketStream) -> None:
        async with stream:
            heard.append(await stream.receive())
            await stream.send(answer)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield listener.extra(SocketAttribute.local_port), heard
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("status", "good", "output"),
    [(1, True, ""), (2, False, 'service unhealthy (responded with "NOT_SERVING")')],
)
async def test_grpc_servers_say_how_they_are(status: int, good: bool, output: str) -> None:
    async with serving(health(status)) as (port, heard):
        asked = await Questioner().grpc("127.0.0.1", GRPCAction(port=port, service="shop"))
        assert asked == (good, output)
        assert b"/grpc.health.v1.Health/Check" in heard[0]
        assert heard[0].endswith(b"\x0a\x04shop")


async def test_a_port_that_answers_something_else_is_no_grpc_server() -> None:
    async with serving(frame(3, 0, 1, b"\0\0\0\1")) as (port, _):
        asked = await Questioner().grpc("127.0.0.1", GRPCAction(port=port))
        assert not asked.good


@pytest.mark.parametrize(
    ("code", "good", "output"),
    [
        ("200 OK", True, "hello"),
        ("302 Found", True, "hello"),
        ("500 Oh", False, "HTTP probe failed with statuscode: 500"),
    ],
)
async def test_http_codes_decide(code: str, good: bool, output: str) -> None:
    answer = f"HTTP/1.1 {code}\r\nContent-Length: 5\r\n\r\nhello".encode()
    questioner = Questioner()
    async with serving(answer) as (port, heard):
        action = HTTPGetAction(port=port, path="/health?x=1", http_headers=(HTTPHeader(name="X-Me", value="you"),))
        assert await questioner.http_get(container(), "127.0.0.1", action) == (good, output)
        assert b"GET /health?x=1 HTTP/1.1" in heard[0]
        assert b"X-Me: you" in heard[0]
        assert b"User-Agent: kube-probe/1.36" in heard[0]
    await questioner.aclose()


async def test_nobody_there_is_told_in_the_words_of_upstream() -> None:
    async with serving(b"") as (port, _):
        pass
    questioner = Questioner()
    refused = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    asked = await questioner.tcp_socket(container(), "127.0.0.1", TCPSocketAction(port=port))
    assert asked == (False, refused)
    asked = await questioner.http_get(container(), "127.0.0.1", HTTPGetAction(port=port))
    assert asked == (False, f'Get "http://127.0.0.1:{port}/": {refused}')
    await questioner.aclose()
