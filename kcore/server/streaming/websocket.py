"""WebSockets as byte streams: one with numbered channels, or one that carries another protocol whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

import anyio
from aiohttp import WSMsgType, web
from anyio.abc import ByteSendStream, ByteStream

from kcore.api.errors import BadRequest, Forbidden
from kcore.server.streaming.channels import ChannelClosed, ChannelData, ChannelProtocol, decode, encode, negotiate
from kcore.server.streaming.inbox import Inbox
from kcore.server.websocket import offered_protocols

__all__ = ["Channel", "ChannelSocket", "MessageStream", "accept_websocket", "websocket_protocol"]

MESSAGE_MAX = 16 * 1024 * 1024
LINGER_SECONDS = 60.0
"""How long a client may take to read what is left and to close its side."""


def websocket_protocol(request: web.BaseRequest, offered: Sequence[str]) -> str:
    """The subprotocol to speak. Raises Forbidden where there is none in common, BadRequest for no proper handshake."""
    asked = offered_protocols(request.headers)
    chosen = negotiate(asked, offered)
    if chosen is None:
        raise Forbidden(f"requested protocol(s) are not supported: [{' '.join(asked)}]; supports [{' '.join(offered)}]")
    if not _socket(chosen).can_prepare(request).ok:
        raise BadRequest("the WebSocket handshake is not complete")
    return chosen


async def accept_websocket(request: web.BaseRequest, protocol: str) -> web.WebSocketResponse:
    """Answer the handshake."""
    socket = _socket(protocol)
    await socket.prepare(request)
    return socket


def _socket(protocol: str) -> web.WebSocketResponse:
    return web.WebSocketResponse(
        protocols=(protocol,), compress=False, max_msg_size=MESSAGE_MAX, timeout=LINGER_SECONDS
    )


async def _receive(socket: web.WebSocketResponse) -> bytes | None:
    """The next message; None once the client has closed or is lost."""
    message = await socket.receive()
    if message.type is WSMsgType.BINARY:
        return bytes(message.data)
    return str(message.data).encode() if message.type is WSMsgType.TEXT else None


async def _close_soon(socket: web.WebSocketResponse) -> None:
    """Close a socket whose client has said all, or is not waited for."""
    with suppress(ConnectionError), anyio.move_on_after(1, shield=True):
        await socket.close(drain=False)


class Channel(ByteSendStream):
    """One channel: what comes on it is in `inbox`, what is sent goes out as messages."""

    def __init__(self, socket: ChannelSocket, number: int) -> None:
        self._socket = socket
        self._number = number
        self.inbox = Inbox()

    async def send(self, item: bytes) -> None:
        await self._socket.send(self._number, item)

    async def aclose(self) -> None:
        """Throw away what still comes. (That a channel has ended is not said to clients: the status says it.)"""
        await self.inbox.aclose()


class ChannelSocket:
    """A WebSocket with channels, of which those in `reading` are listened to."""

    def __init__(
        self, socket: web.WebSocketResponse, protocol: ChannelProtocol, count: int, reading: Collection[int]
    ) -> None:
        self.protocol = protocol
        self.channels: Sequence[Channel] = [Channel(self, number) for number in range(count)]
        self._reading: Mapping[int, Inbox] = {number: self.channels[number].inbox for number in reading}
        self._socket = socket
        self._listening = anyio.CancelScope()

    async def run(self) -> None:
        """Sort messages into channels until the client has gone."""
        with self._listening:
            while (message := await _receive(self._socket)) is not None:
                await self._sort(message)
        for inbox in self._reading.values():
            inbox.end()
        if self._listening.cancel_called:
            await anyio.sleep_forever()  # `aclose` hears the client's last word

    async def _sort(self, message: bytes) -> None:
        match decode(self.protocol, message):
            case ChannelClosed(channel) if channel in self._reading:
                self._reading[channel].end()
            case ChannelData(channel, data) if channel in self._reading:
                self._reading[channel].put(data)
                await self._reading[channel].wait_room()

    async def send(self, channel: int, data: bytes) -> None:
        """Raises BrokenResourceError once the client has gone."""
        message = encode(self.protocol, channel, data)
        try:
            if isinstance(message, str):
                await self._socket.send_str(message)
            else:
                await self._socket.send_bytes(message)
        except ConnectionError as error:
            raise anyio.BrokenResourceError from error

    async def aclose(self) -> None:
        """Say that all is said, and wait for the client to close its side."""
        self._listening.cancel()
        await anyio.lowlevel.checkpoint()  # lets `run` leave the socket
        with suppress(ConnectionError):
            await self._socket.close()

    async def abort(self) -> None:
        """Close the connection, unless that has happened."""
        await _close_soon(self._socket)


class MessageStream(ByteStream):
    """A WebSocket whose messages, joined, are the bytes of another protocol."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._rest = b""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        while not self._rest:
            message = await _receive(self._socket)
            if message is None:
                raise anyio.EndOfStream
            self._rest = message
        chunk, self._rest = self._rest[:max_bytes], self._rest[max_bytes:]
        return chunk

    async def send(self, item: bytes) -> None:
        await self._socket.send_bytes(item)

    async def send_eof(self) -> None:
        """A WebSocket has no half-open state."""

    async def aclose(self) -> None:
        await _close_soon(self._socket)
