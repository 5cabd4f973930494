"""A watch on the wire: events go from the store's channel to the socket without a task in between.

Whenever the channel has something, `_pump` takes it and writes it, many events in one chunk, unless the client reads
too slowly: then nothing is taken until its socket is writable again, so that it harms only itself, and what it misses
waits in the store's ring (or, once that has moved on, ends the watch with an ERROR event).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import anyio
import msgspec
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from kcore.api.errors import ApiError
from kcore.api.meta_v1 import Status
from kcore.registry.watching import Watch
from kcore.server.errors import status_of
from kcore.server.metrics import Labels
from kcore.server.response import JSON_TYPE
from kcore.store.store import Event

if TYPE_CHECKING:
    from kcore.server.connection import Connection

__all__ = ["BOOKMARK_INTERVAL", "EventStream", "Lasting", "Lines", "cached_lines", "error_line", "table_lines"]

K = TypeVar("K")
V = TypeVar("V")

BOOKMARK_INTERVAL = 60.0
_EVENTS_PER_CHUNK = 256


class Lasting(Protocol):
    """An answer that goes on until it is ended. `labels`: how metrics count it."""

    labels: Labels

    def end(self) -> None: ...


class Lines(Protocol):
    """Turns events into the lines of one representation."""

    def chunk(self, events: Sequence[Event]) -> bytes: ...


class EventStream(web.StreamResponse):
    """The answer to a watch. It ends with its timeout, the client, the server, or an error."""

    def __init__(self, watch: Watch, lines: Lines, timeout: float, labels: Labels, headers: bytes = b"") -> None:
        self.labels = labels
        """How metrics count it."""
        self.on_end: Callable[[], None] | None = None
        self._watch = watch
        self._lines = lines
        self._timeout = timeout
        self.extra = headers
        self._events: Sequence[Event] = ()
        self._position = 0
        self._closing = False

    @property
    def status(self) -> int:
        return 200

    @property
    def keep_alive(self) -> bool | None:
        return not self._closing

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write everything; returns when the watch is over."""
        connection = self._connection = cast("Connection", request.protocol)
        transport = request.transport
        if transport is None or transport.is_closing():
            self._watch.close()
            raise ConnectionResetError("the client has gone")
        self._transport = transport
        loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = loop.create_future()
        self._chunked = request.version >= (1, 1)
        self._closing = not (self._chunked and request.keep_alive)
        transport.write(self._head(request))
        connection.on_lost, connection.on_writable = self.end, self._pump
        connection.streams.add(self)
        timers = [loop.call_later(self._timeout, self._time_is_up), loop.call_later(BOOKMARK_INTERVAL, self._mark)]
        self._timers = timers
        self._watch.on_ready(self._pump)
        self._pump()
        try:
            if self._watch.background is None:
                await self._over
            else:
                await self._beside(self._watch.background)
        finally:
            for timer in timers:
                timer.cancel()
            connection.on_lost = connection.on_writable = None
            connection.streams.discard(self)
            self._watch.close()
            if self.on_end is not None:
                self.on_end()
        return None

    async def _beside(self, background: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(background)
            await self._over
            tasks.cancel_scope.cancel()

    async def write_eof(self, data: bytes = b"") -> None:
        """End the body, unless the client has gone."""
        if self._chunked and not self._transport.is_closing():
            self._transport.write(b"0\r\n\r\n")

    def end(self) -> None:
        """Finish the stream (the server stops, or the client has gone)."""
        if not self._over.done():
            self._over.set_result(None)

    def _head(self, request: web.BaseRequest) -> bytes:
        heads = self._connection.heads
        transfer = b"Transfer-Encoding: chunked\r\n" if self._chunked else b""
        if self._closing:
            transfer += b"Connection: close\r\n"
        audit = heads.audit_id(self._connection.audit_id or request.headers.get("Audit-Id"))
        return b"".join((heads.opening(200, JSON_TYPE), audit, self.extra, transfer, b"\r\n"))

    def _pump(self) -> None:
        """Write what there is, as long as the client keeps up."""
        if self._over.done():
            return
        try:
            while not self._connection.clogged:
                if self._position >= len(self._events):
                    self._events, self._position = self._watch.take_nowait(), 0
                    if not self._events:
                        return
                events = self._events
                if len(events) > _EVENTS_PER_CHUNK:
                    events = events[self._position : self._position + _EVENTS_PER_CHUNK]
                self._position += len(events)
                self._write(self._lines.chunk(events))
        except ApiError as error:
            self._write(error_line(status_of(error)))
            self.end()

    def _write(self, lines: bytes) -> None:
        if self._chunked:
            lines = b"%x\r\n%b\r\n" % (len(lines), lines)
        self._transport.write(lines)

    def _mark(self) -> None:
        self._timers[1] = asyncio.get_running_loop().call_later(BOOKMARK_INTERVAL, self._mark)
        self._bookmark()

    def _bookmark(self) -> None:
        """Say how far the watch has come, if all that came before has been written."""
        self._pump()
        if self._over.done() or self._connection.clogged or self._position < len(self._events):
            return
        bookmark = self._watch.bookmark()
        if bookmark is not None:
            self._write(self._lines.chunk((bookmark,)))

    def _time_is_up(self) -> None:
        self._bookmark()
        self.end()


def error_line(status: Status) -> bytes:
    """The last line of a watch that fails."""
    return b'{"type":"ERROR","object":%b}\n' % msgspec.json.encode(status)


def cached_lines(line: Callable[[Event], bytes]) -> Lines:
    """Lines whose encodings are shared by all watchers of one representation."""
    return _CachedLines(line)


def table_lines(first: Callable[[Event], bytes], rest: Lines) -> Lines:
    """The lines of one watch of tables: `first` writes the event that tells the columns."""
    return _TableLines(first, rest)


class _TableLines:
    def __init__(self, first: Callable[[Event], bytes], rest: Lines) -> None:
        self._first: Callable[[Event], bytes] | None = first
        self._rest = rest

    def chunk(self, events: Sequence[Event]) -> bytes:
        if self._first is None:
            return self._rest.chunk(events)
        opening, self._first = self._first(events[0]), None
        return opening + b"".join([self._rest.chunk((event,)) for event in events[1:]])


class _CachedLines:
    """Remembers lines by event, and chunks by batch.

    Watchers that select the same are handed the very same batch in the same turn of the loop. Identity is the key: the
    entries hold what they were made of, whose addresses thus can not be used anew.
    """

    _LINES_KEPT = 1024
    _CHUNKS_KEPT = 32

    def __init__(self, line: Callable[[Event], bytes]) -> None:
        self._line = line
        self._lines: dict[int, tuple[Event, bytes]] = {}
        self._chunks: dict[int, tuple[Sequence[Event], bytes]] = {}

    def chunk(self, events: Sequence[Event]) -> bytes:
        if len(events) == 1:
            return self._line_of(events[0])
        found = self._chunks.get(id(events))
        if found is None:
            found = events, b"".join(map(self._line_of, events))
            _keep(self._chunks, id(events), found, self._CHUNKS_KEPT)
        return found[1]

    def _line_of(self, event: Event) -> bytes:
        found = self._lines.get(id(event))
        if found is None:
            found = event, self._line(event)
            _keep(self._lines, id(event), found, self._LINES_KEPT)
        return found[1]


def _keep(cache: dict[K, V], key: K, value: V, limit: int) -> None:
    """Add to a cache that forgets its oldest entry."""
    if len(cache) >= limit:
        del cache[next(iter(cache))]
    cache[key] = value
