"""Clients of the streaming protocols, and commands and ports for them to reach."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
from aiohttp import web
from anyio.abc import ByteReceiveStream, ByteSendStream, ByteStream, SocketStream

from kcore.api.errors import ApiError
from kcore.server.query import Query, parse_query
from kcore.server.streaming.inbox import Inbox
from kcore.server.streaming.spdy import SpdyConnection, SpdyStream

Handler = Callable[[web.BaseRequest, Query], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[int]:
    """An HTTP server on a free port, which it yields; errors of the API are plain text."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handler(request, parse_query(request.query_string))
        except ApiError as error:
            return web.Response(status=error.code, text=error.message)

    server = web.Server(handle)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await server.shutdown(1)
        await asyncio.sleep(0)


class Refused(Exception):
    """The server did not upgrade: its answer."""


@asynccontextmanager
async def spdy(port: int, path: str, *protocols: str, token: str = "") -> AsyncIterator[SpdyConnection]:
    """A connection upgraded to SPDY, as client-go makes it."""
    lines = [f"POST {path} HTTP/1.1", "Host: kcore", "Connection: Upgrade", "Upgrade: SPDY/3.1", "Content-Length: 0"]
    lines += [f"X-Stream-Protocol-Version: {protocol}" for protocol in protocols]
    lines += [f"Authorization: Bearer {token}"] if token else []
    async with await anyio.connect_tcp("127.0.0.1", port) as socket:
        await socket.send("\r\n".join((*lines, "", "")).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += await socket.receive(1)
        if not head.startswith(b"HTTP/1.1 101 "):
            raise Refused(head.decode() + (await socket.receive()).decode())
        connection = SpdyConnection(socket, is_server=False)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connection.run)
            yield connection
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def tunnelled(port: int, path: str, protocol: str) -> AsyncIterator[SpdyConnection]:
    """The same inside a WebSocket."""
    async with websocket(port, path, protocol) as socket:
        connection = SpdyConnection(_Messages(socket), is_server=False)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connection.run)
            yield connection
            tasks.cancel_scope.cancel()


class _Messages(ByteStream):
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def receive(self, max_bytes: int = 65536) -> bytes:
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise anyio.EndOfStream
        return bytes(message.data)

    async def send(self, item: bytes) -> None:
        await self._socket.send_bytes(item)

    async def send_eof(self) -> None: ...

    async def aclose(self) -> None:
        await self._socket.close()


@asynccontextmanager
async def websocket(
    port: int, path: str, *protocols: str, token: str = ""
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(f"http://127.0.0.1:{port}{path}", protocols=protocols) as socket,
    ):
        yield socket


async def messages(socket: aiohttp.ClientWebSocketResponse) -> dict[int, bytes]:
    """What a server says on each channel until it closes; text is base64."""
    heard: dict[int, bytes] = {}
    async for message in socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            channel, data = int(message.data[0]), base64.b64decode(message.data[1:])
        else:
            channel, data = message.data[0], message.data[1:]
        heard[channel] = heard.get(channel, b"") + data
    return heard


async def read_all(stream: ByteReceiveStream) -> bytes:
    data = b""
    try:
        while True:
            data += await stream.receive()
    except anyio.EndOfStream:
        return data


async def command_streams(connection: SpdyConnection, *kinds: str) -> dict[str, SpdyStream]:
    return {kind: await connection.open({"streamtype": kind}) for kind in kinds}


class Outbox(ByteSendStream):
    """Hands on what is sent."""

    def __init__(self, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self._on_data, self._on_end = on_data, on_end

    async def send(self, item: bytes) -> None:
        self._on_data(item)

    async def aclose(self) -> None:
        self._on_end()


class Command:
    """A command of a test: `cat` when nothing else is scripted, and it ends when its input does."""

    def __init__(
        self, stdout: bytes = b"", stderr: bytes = b"", code: int | Exception = 0, *, cat: bool = False
    ) -> None:
        self._out, self._err = Inbox(), Inbox()
        self._ended = anyio.Event()
        self._code = code
        self.sizes: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        self.closed = anyio.Event()
        self._out.put(stdout)
        self._err.put(stderr)
        if not cat:
            self._end()

    def _end(self) -> None:
        self._out.end()
        self._err.end()
        self._ended.set()

    @property
    def stdin(self) -> ByteSendStream | None:
        return Outbox(self._out.put, self._end)

    @property
    def stdout(self) -> ByteReceiveStream:
        return self._out

    @property
    def stderr(self) -> ByteReceiveStream | None:
        return self._err

    async def wait(self) -> int:
        await self._ended.wait()
        if isinstance(self._code, Exception):
            raise self._code
        return self._code

    def resize(self, columns: int, rows: int) -> None:
        self.sizes.put_nowait((columns, rows))

    async def aclose(self) -> None:
        self.closed.set()


@asynccontextmanager
async def listening(serve: Callable[[SocketStream], Awaitable[Any]]) -> AsyncIterator[int]:
    """A TCP server for a forwarded port; yields its port."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield listener.extra(anyio.abc.SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


async def shout(stream: SocketStream) -> None:
    """Echo in capitals, until the client ends."""
    async with stream:
        async for data in stream:
            await stream.send(data.upper())
