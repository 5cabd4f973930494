"""A SPDY session on a connection: its streams as byte streams."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import anyio
from aiohttp import web
from anyio.abc import ByteStream, TaskStatus

from kcore.server.streaming.inbox import Inbox
from kcore.server.streaming.spdy_frames import FrameError, ResetStatus
from kcore.server.streaming.spdy_headers import Headers
from kcore.server.streaming.spdy_session import (
    DataReceived,
    Event,
    GoneAway,
    Session,
    StreamEnded,
    StreamOpened,
    StreamReset,
    WindowOpened,
)
from kcore.server.streaming.upgraded import UpgradedConnection, switching_head

__all__ = ["SpdyConnection", "SpdyStream", "accept_spdy"]

_PIECE = 64 * 1024
_READ = 256 * 1024


class SpdyStream(ByteStream):
    """One stream: `headers` are those that it was opened with."""

    def __init__(self, connection: SpdyConnection, stream_id: int, headers: Headers) -> None:
        self.stream_id = stream_id
        self.headers = headers
        self.over = anyio.Event()
        """Set once the peer has reset the stream, or the connection is lost."""
        self._connection = connection
        self._window = anyio.Event()
        self.inbox = Inbox(self._consumed)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        return await self.inbox.receive(max_bytes)

    async def send(self, item: bytes) -> None:
        """Raises BrokenResourceError where the peer does not take it any more."""
        view = memoryview(item)
        session = self._connection.session
        while view:
            size = min(session.sendable(self.stream_id), _PIECE, len(view))
            if size > 0:
                session.send(self.stream_id, bytes(view[:size]))
                view = view[size:]
                await self._connection.flush()
            elif not session.is_sending(self.stream_id):
                raise anyio.BrokenResourceError
            else:
                self._window = anyio.Event()
                await self._window.wait()

    async def send_eof(self) -> None:
        self._connection.session.end(self.stream_id)
        await self._connection.flush()

    async def reset(self, status: ResetStatus = ResetStatus.CANCEL) -> None:
        self._connection.session.reset(self.stream_id, status)
        self._connection.forget(self)
        await self.inbox.aclose()
        await self._connection.flush()

    async def aclose(self) -> None:
        """Send no more, and read no more: what still comes is thrown away."""
        self._connection.forget(self)
        await self.inbox.aclose()
        await self.send_eof()

    def heard(self, event: Event) -> None:
        """What the connection has for this stream."""
        match event:
            case DataReceived(_, data):
                self.inbox.put(data)
            case StreamEnded():
                self.inbox.end()
            case StreamReset():
                self.lose()
            case WindowOpened():
                self._window.set()

    def lose(self) -> None:
        self.inbox.end()
        self.over.set()
        self._window.set()

    def _consumed(self, size: int) -> None:
        self._connection.session.consumed(self.stream_id, size)


class SpdyConnection:
    """Runs a session over the bytes of `carrier`. A stream whose reader is slow holds up the whole connection, as there
    are no windows that would hold up only its own sender."""

    def __init__(self, carrier: ByteStream, *, is_server: bool = True) -> None:
        self.session = Session(is_server)
        self._carrier = carrier
        self._streams: dict[int, SpdyStream] = {}
        self._lost = False

    async def run(
        self,
        on_stream: Callable[[SpdyStream], None] | None = None,
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Read until the peer has gone, or speaks no SPDY. `on_stream` is told of each stream that it opens."""
        task_status.started()
        try:
            while True:
                data = await self._carrier.receive(_READ)
                for event in self.session.receive(data):
                    self._heard(event, on_stream)
                await self.flush()
                for stream in tuple(self._streams.values()):
                    await stream.inbox.wait_room()
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, ConnectionError, FrameError):
            return
        finally:
            self._lost = True
            for stream in self._streams.values():
                stream.lose()

    async def open(self, headers: Headers) -> SpdyStream:
        stream = SpdyStream(self, self.session.open(headers), headers)
        self._streams[stream.stream_id] = stream
        await self.flush()
        return stream

    async def flush(self) -> None:
        """Send what the session has to say. Nothing is awaited between taking and writing, so order is kept."""
        output = self.session.take_output()
        if output and not self._lost:
            try:
                await self._carrier.send(output)
            except ConnectionError as error:
                raise anyio.BrokenResourceError from error

    def forget(self, stream: SpdyStream) -> None:
        """Nobody listens to a stream any more."""
        self._streams.pop(stream.stream_id, None)

    async def aclose(self) -> None:
        """Take leave and close the carrier."""
        self.session.go_away()
        with suppress(anyio.BrokenResourceError):
            await self.flush()
        await self._carrier.aclose()

    def _heard(self, event: Event, on_stream: Callable[[SpdyStream], None] | None) -> None:
        if isinstance(event, StreamOpened):
            if on_stream is None:
                self.session.reset(event.stream_id, ResetStatus.REFUSED_STREAM)
                return
            stream = self._streams[event.stream_id] = SpdyStream(self, event.stream_id, event.headers)
            self.session.reply(event.stream_id)
            on_stream(stream)
        elif not isinstance(event, GoneAway):
            known = self._streams.get(event.stream_id)
            if known is not None:
                known.heard(event)


async def accept_spdy(request: web.BaseRequest, protocol: str) -> SpdyConnection:
    """Answer the handshake and take the connection over."""
    carrier = UpgradedConnection(request)
    await carrier.send(switching_head("SPDY/3.1", protocol))
    return SpdyConnection(carrier)
