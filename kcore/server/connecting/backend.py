"""One HTTP/1.1 request to another server, over a connection that is made for it and closed after it.

h11 knows the protocol; this moves its bytes. Bodies stream both ways at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
import h11
from anyio.abc import ByteStream

from kcore.server.connecting.headers import Headers
from kcore.server.streaming.relaying import GONE

__all__ = ["Backend", "BackendError"]

_PIECE = 64 * 1024


class BackendError(Exception):
    """The other server has gone, or speaks no HTTP."""


class Backend:
    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=1024 * 1024)
        self._ended = False
        self.code = 0
        self.reason = b""
        self.headers: Headers = ()

    async def request(self, method: str, target: bytes, headers: Headers) -> None:
        """Send the head. Raises BackendError."""
        try:
            request = h11.Request(method=method.encode(), target=target, headers=list(headers))
        except h11.LocalProtocolError as error:
            raise BackendError(f"the request can not be passed on: {error}") from error
        await self._send(request)

    async def send_body(self, pieces: AsyncIterator[bytes]) -> None:
        """Send the body and its end, as far as the server takes it: one that has answered need not."""
        with suppress(BackendError, h11.LocalProtocolError):
            async for piece in pieces:
                await self._send(h11.Data(piece))
            await self._send(h11.EndOfMessage())

    async def response(self) -> None:
        """Wait for the head of the answer. Raises BackendError."""
        while True:
            event = await self._next()
            if isinstance(event, h11.Response) or (isinstance(event, h11.InformationalResponse) and self.upgraded):
                self.code, self.reason = event.status_code, event.reason
                self.headers = event.headers.raw_items()
                return

    @property
    def upgraded(self) -> bool:
        """Whether the server has left HTTP."""
        return self._http.their_state is h11.SWITCHED_PROTOCOL

    async def body(self) -> AsyncIterator[bytes]:
        """Raises BackendError where it breaks off."""
        while not isinstance(event := await self._next(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    def rest(self) -> bytes:
        """What came behind the head, of the protocol that was switched to."""
        return bytes(self._http.trailing_data[0])

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            try:
                await self._stream.send(data)
            except GONE as error:
                raise BackendError("EOF") from error

    async def _next(self) -> h11.Event:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise BackendError("EOF" if self._ended else f"malformed HTTP response: {error}") from error
            if event is h11.PAUSED:
                raise BackendError("malformed HTTP response")
            if event is not h11.NEED_DATA:
                assert isinstance(event, h11.Event)
                if isinstance(event, h11.ConnectionClosed):
                    raise BackendError("EOF")
                return event
            try:
                data = await self._stream.receive(_PIECE)
            except (anyio.EndOfStream, *GONE):
                data, self._ended = b"", True
            self._http.receive_data(data)
