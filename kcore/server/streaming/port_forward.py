"""port-forward: each connection that a client has taken, joined to one that `dial` makes to a port of the pod.

Over SPDY (plain, or carried by a WebSocket, as kubectl does since 1.31) a connection is a pair of streams, data and
error, with the same request id. The older way puts them on numbered channels of a WebSocket, for ports named in the
query.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import anyio
from aiohttp import web
from anyio.abc import ByteReceiveStream, ByteSendStream, ByteStream

from kcore.api.errors import BadRequest
from kcore.api.field import quote
from kcore.server.query import Query
from kcore.server.streaming.channels import CHANNEL_PROTOCOLS
from kcore.server.streaming.relaying import GONE, copy
from kcore.server.streaming.spdy import SpdyConnection, SpdyStream, accept_spdy
from kcore.server.streaming.upgraded import Done
from kcore.server.streaming.upgrading import Upgrade, spdy_protocol, upgrade_of
from kcore.server.streaming.websocket import (
    ChannelSocket,
    MessageStream,
    accept_websocket,
    websocket_protocol,
)
from kcore.server.websocket import offered_protocols

__all__ = ["Dial", "forwarded_ports", "serve_port_forward"]

Dial = Callable[[int], Awaitable[ByteStream]]
"""Connects to a port of the pod. What it raises is told to the client, in words."""

PROTOCOL = "portforward.k8s.io"
TUNNEL = f"SPDY/3.1+{PROTOCOL}"
CHANNELS = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io", "")
PORTS_MAX = 127
"""Two channels a port, and 255 is no channel."""
CREATION_SECONDS = 30.0
"""How long the second stream of a pair may be missing."""


def forwarded_ports(query: Query) -> Sequence[int]:
    """The ports of the older way. Raises BadRequest."""
    values = query.all("ports") or query.all("port")
    if not values:
        raise BadRequest('query parameter "port" is required')
    ports = [_port(text, value) for value in values for text in value.split(",")]
    if len(ports) > PORTS_MAX:
        raise BadRequest(f"{len(ports)} ports are more than the {PORTS_MAX} that there are channels for")
    return ports


def _port(text: str, whole: str) -> int:
    if not whole:
        raise BadRequest('query parameter "port" cannot be empty')
    if not (text.isascii() and text.isdigit() and len(text) < 20) or int(text) > 65535:
        raise BadRequest(
            f"unable to parse {quote(whole)} as a port: strconv.ParseUint: parsing {quote(text)}: invalid syntax"
        )
    if int(text) < 1:
        raise BadRequest(f"port {quote(whole)} must be > 0")
    return int(text)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) < 65536


async def serve_port_forward(request: web.BaseRequest, query: Query, pod: str, dial: Dial) -> web.StreamResponse:
    """Forward until the client has gone. `pod` is its name, for messages. Raises ApiError before the upgrade."""
    if upgrade_of(request.headers) is Upgrade.SPDY:
        name = spdy_protocol(request.headers, (PROTOCOL,))
        with suppress(*GONE):
            await _Forwarding(await accept_spdy(request, name), pod, dial).run()
    elif TUNNEL in offered_protocols(request.headers):
        name = websocket_protocol(request, (TUNNEL,))
        with suppress(*GONE):
            carrier = MessageStream(await accept_websocket(request, name))
            await _Forwarding(SpdyConnection(carrier), pod, dial).run()
    else:
        ports, name = forwarded_ports(query), websocket_protocol(request, CHANNELS)
        with suppress(*GONE):
            await _forward_channels(await accept_websocket(request, name), name, ports, pod, dial)
    return Done()


_Pair = dict[str, SpdyStream]
"""The streams of one connection that have come so far, by type."""


class _Forwarding:
    """The pairs of one SPDY connection."""

    def __init__(self, connection: SpdyConnection, pod: str, dial: Dial) -> None:
        self._connection = connection
        self._pod = pod
        self._dial = dial
        self._pairs: dict[str, _Pair] = {}

    async def run(self) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                await self._connection.run(self._opened)
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._connection.aclose()

    def _opened(self, stream: SpdyStream) -> None:
        kind, port = stream.headers.get("streamtype", ""), stream.headers.get("port", "")
        if kind not in ("data", "error") or not _is_port(port):
            self._tasks.start_soon(stream.reset)
            return
        request_id = stream.headers.get("requestid") or _older_request_id(kind, stream.stream_id)
        pair = self._pairs.get(request_id)
        if pair is None:
            pair = self._pairs[request_id] = {}
            self._tasks.start_soon(self._await_other, request_id, pair)
        if kind in pair:
            self._tasks.start_soon(stream.reset)
            return
        pair[kind] = stream
        if len(pair) == 2:
            del self._pairs[request_id]
            self._tasks.start_soon(self._forward, int(port), pair["data"], pair["error"])

    async def _await_other(self, request_id: str, pair: _Pair) -> None:
        await anyio.sleep(CREATION_SECONDS)
        if self._pairs.get(request_id) is pair:
            del self._pairs[request_id]
            for stream in pair.values():
                await stream.reset()

    async def _forward(self, port: int, data: SpdyStream, error: SpdyStream) -> None:
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                await data.over.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            with suppress(*GONE):
                await _forward(port, self._pod, self._dial, data, data, error)
            tasks.cancel_scope.cancel()
        with suppress(*GONE):
            await data.aclose()
            await error.aclose()


def _older_request_id(kind: str, stream_id: int) -> str:
    """Clients of old give no id; their two streams follow one another, the error stream first."""
    return f"#{stream_id if kind == 'error' else stream_id - 2}"


async def _forward(
    port: int, pod: str, dial: Dial, source: ByteReceiveStream, sink: ByteSendStream, error: ByteSendStream
) -> None:
    """Join a client's streams to a new connection, until its other end has closed it."""
    try:
        target = await dial(port)
    except Exception as reason:
        await error.send(f"error forwarding port {port} to pod {pod}: {reason}".encode())
        return
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_copy_to_end, source, target)
            await _copy_to_end(target, sink)
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await target.aclose()


async def _copy_to_end(source: ByteReceiveStream, sink: ByteSendStream) -> None:
    """Copy, and pass on that there is no more."""
    await copy(source, sink)
    if isinstance(sink, ByteStream):
        with suppress(*GONE):
            await sink.send_eof()


async def _forward_channels(
    websocket: web.WebSocketResponse, name: str, ports: Sequence[int], pod: str, dial: Dial
) -> None:
    """Two channels a port, data and error; each begins with the port's number."""
    count = 2 * len(ports)
    socket = ChannelSocket(websocket, CHANNEL_PROTOCOLS[name], count, reading=range(0, count, 2))
    async with anyio.create_task_group() as tasks:

        async def listen() -> None:
            await socket.run()
            tasks.cancel_scope.cancel()

        tasks.start_soon(listen)
        async with anyio.create_task_group() as forwards:
            for index, port in enumerate(ports):
                forwards.start_soon(_forward_channel, socket, 2 * index, port, pod, dial)
        await socket.aclose()
        tasks.cancel_scope.cancel()


async def _forward_channel(socket: ChannelSocket, number: int, port: int, pod: str, dial: Dial) -> None:
    data, error = socket.channels[number], socket.channels[number + 1]
    with suppress(*GONE):
        await data.send(port.to_bytes(2, "little"))
        await error.send(port.to_bytes(2, "little"))
        await _forward(port, pod, dial, data.inbox, data, error)
