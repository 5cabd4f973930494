"""A client's connection once HTTP is over on it: plain bytes both ways."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from anyio.abc import ByteStream

from kcore.server.streaming.inbox import Inbox

__all__ = ["Done", "UpgradedConnection", "switching_head"]


class Done(web.StreamResponse):
    """What a handler returns that has answered on the connection itself: nothing is left to write but the end."""

    def __init__(self, code: int = 101) -> None:
        self._code = code

    @property
    def status(self) -> int:
        return self._code

    @property
    def keep_alive(self) -> bool | None:
        return False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Everything has been written."""


def switching_head(upgrade: str, protocol: str = "") -> bytes:
    """The answer that ends HTTP on a connection, in favour of SPDY and what is spoken over it."""
    version = f"X-Stream-Protocol-Version: {protocol}\r\n" if protocol else ""
    phrase = HTTPStatus.SWITCHING_PROTOCOLS.phrase
    return f"HTTP/1.1 101 {phrase}\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n{version}\r\n".encode()


class UpgradedConnection(ByteStream):
    """aiohttp hands over what arrives through `feed_data` and `feed_eof`, as it does for WebSockets."""

    def __init__(self, request: web.BaseRequest) -> None:
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._transport: asyncio.Transport = transport
        self._writer = request.writer
        self._inbox = Inbox(self._on_read)
        self._paused = False
        request.protocol.set_parser(self)  # type: ignore[arg-type]

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self._inbox.put(bytes(data))
        if self._inbox.is_full and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        self._inbox.end()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        return await self._inbox.receive(max_bytes)

    async def send(self, item: bytes) -> None:
        """Raises ConnectionError once the client has gone."""
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._transport.write(item)
        await self._writer.drain()

    async def send_eof(self) -> None:
        if self._transport.can_write_eof():
            self._transport.write_eof()

    async def aclose(self) -> None:
        self._transport.close()
        await self._inbox.aclose()

    def _on_read(self, size: int) -> None:
        if self._paused and not self._inbox.is_full:
            self._paused = False
            self._transport.resume_reading()
