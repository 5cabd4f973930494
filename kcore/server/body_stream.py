"""An answer whose body comes in pieces: a log that is followed, or what another server answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

if TYPE_CHECKING:
    from kcore.server.connection import Connection

__all__ = ["BodyStream"]


class BodyStream(web.StreamResponse):
    """`head` is the status line and headers, ended by CRLF each, without those that frame the body. `length` None: not
    known, so the body is chunked. A body that breaks off closes the connection, so that nobody takes it for whole."""

    def __init__(self, code: int, head: bytes, pieces: AsyncIterator[bytes], length: int | None = None) -> None:
        self._code = code
        self._head = head
        self._pieces = pieces
        self._length = length
        self._closing = self._sent = False

    @property
    def status(self) -> int:
        return self._code

    @property
    def keep_alive(self) -> bool | None:
        return not self._closing

    async def deliver(self, request: web.BaseRequest) -> BodyStream:
        """Write it now, before the handler returns. A client that has gone is no error."""
        with suppress(ConnectionError):
            await self.prepare(request)
        return self

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write everything, as fast as the client reads; called again, nothing."""
        if self._sent:
            return None
        self._sent = True
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        chunked = self._length is None and request.version >= (1, 1)
        bodiless = request.method == "HEAD" or self._code in (204, 304)
        self._closing = not request.keep_alive or (self._length is None and not chunked)
        transport.write(self._head + self._framing(request, chunked, bodiless) + b"\r\n")
        if bodiless:
            return None
        drain = request.writer.drain
        try:
            async for piece in self._pieces:
                if piece:
                    transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                    await drain()
        except BaseException:
            self._closing = True
            transport.close()
            raise
        if chunked:
            transport.write(b"0\r\n\r\n")
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Everything has been written."""

    def _framing(self, request: web.BaseRequest, chunked: bool, bodiless: bool) -> bytes:
        connection = cast("Connection", request.protocol)
        lines = connection.heads.audit_id(request.headers.get("Audit-Id"))
        if self._length is not None:
            lines += b"Content-Length: %d\r\n" % self._length
        elif chunked and not bodiless:
            lines += b"Transfer-Encoding: chunked\r\n"
        return lines + b"Connection: close\r\n" if self._closing else lines
