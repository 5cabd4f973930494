"""Peers that break the protocols lose their connection, and nobody else loses anything."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from aiohttp import web
from anyio.abc import SocketStream

from kcore.server.query import Query
from kcore.server.streaming.remote_command import command_options, serve_command
from kcore.server.streaming.spdy_headers import DICTIONARY
from tests.server.streaming.talking import Command, answering, websocket

HANDSHAKE = (
    b"POST /exec?stdin=1&stdout=1 HTTP/1.1\r\nHost: kcore\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
)


@asynccontextmanager
async def running(command: Command) -> AsyncIterator[int]:
    async def start() -> Command:
        return command

    async def handle(request: web.BaseRequest, query: Query) -> web.StreamResponse:
        return await serve_command(request, command_options(query), start)

    async with answering(handle) as port:
        yield port


@asynccontextmanager
async def upgraded(port: int) -> AsyncIterator[SocketStream]:
    async with await anyio.connect_tcp("127.0.0.1", port) as socket:
        await socket.send(HANDSHAKE)
        head = b""
        while b"\r\n\r\n" not in head:
            head += await socket.receive(1)
        assert head.startswith(b"HTTP/1.1 101 ")
        yield socket


def syn_stream(block: bytes) -> bytes:
    body = struct.pack("!IIBB", 1, 0, 0, 0) + block
    return struct.pack("!HHB3s", 0x8003, 1, 0, len(body).to_bytes(3, "big")) + body


def bomb() -> bytes:
    """A few bytes that would be ten million once inflated."""
    deflate = zlib.compressobj(zdict=DICTIONARY)
    return deflate.compress(bytes(10_000_000)) + deflate.flush(zlib.Z_SYNC_FLUSH)


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(b"\x80\x02\x00\x01\x00\x00\x00\x00", id="an older SPDY"),
        pytest.param(syn_stream(b"garbage"), id="headers that do not inflate"),
        pytest.param(syn_stream(bomb()), id="headers that inflate to too much"),
    ],
)
async def test_peer_that_breaks_spdy_is_disconnected_and_its_command_ended(wire: bytes) -> None:
    command = Command(cat=True)
    async with running(command) as port, upgraded(port) as socket:
        try:
            await socket.send(wire)
            with anyio.fail_after(20):
                while True:
                    await socket.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            pass
        with anyio.fail_after(20):
            await command.closed.wait()


@pytest.mark.parametrize("message", [b"", b"\x09data", b"\xff", b"\xff\0\0", b"\xff\x09", b"\3not yours"])
async def test_message_that_makes_no_sense_is_ignored(message: bytes) -> None:
    command = Command(cat=True)
    async with running(command) as port, websocket(port, "/exec?stdin=1&stdout=1", "v5.channel.k8s.io") as socket:
        await socket.send_bytes(message)
        await socket.send_bytes(b"\0hello")
        assert [await socket.receive_bytes() for _ in range(2)] == [b"\1", b"\1hello"]


async def test_message_without_end_closes_the_socket() -> None:
    command = Command(cat=True)
    async with running(command) as port, websocket(port, "/exec?stdin=1&stdout=1", "v5.channel.k8s.io") as socket:
        with contextlib.suppress(ConnectionError):
            await socket.send_bytes(b"\0" + bytes(17 * 1024 * 1024))
        with anyio.fail_after(20):
            await command.closed.wait()
