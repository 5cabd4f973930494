"""A watch over WebSocket: each event is one text message, the same line that a chunked answer would have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import anyio
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from kcore.api.errors import ApiError, BadRequest
from kcore.registry.watching import Watch
from kcore.server.errors import status_of
from kcore.server.metrics import Labels
from kcore.server.stream import BOOKMARK_INTERVAL, Lines, error_line
from kcore.server.websocket import offered_protocols
from kcore.store.store import Event

if TYPE_CHECKING:
    from kcore.server.connection import Connection

__all__ = ["EventSocket"]

_RECEIVED_MAX = 64 * 1024


class EventSocket(web.WebSocketResponse):
    """It ends with its timeout, the client, the server, or an error. What the client sends is ignored."""

    def __init__(self, request: web.BaseRequest, watch: Watch, lines: Lines, timeout: float, labels: Labels) -> None:
        """Raises BadRequest where the request is no handshake. The first subprotocol offered is agreed to: whatever
        it is called, messages are text."""
        super().__init__(protocols=offered_protocols(request.headers)[:1], compress=False, max_msg_size=_RECEIVED_MAX)
        if not self.can_prepare(request).ok:
            watch.close()
            raise BadRequest("the request is not a WebSocket handshake")
        self.labels = labels
        """How metrics count it."""
        self.on_end: Callable[[], None] | None = None
        self._watch = watch
        self._lines = lines
        self._seconds = timeout
        self._ready = asyncio.Event()
        self._scope = anyio.CancelScope()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Shake hands and send everything; returns when the watch is over."""
        streams = cast("Connection", request.protocol).streams
        streams.add(self)
        try:
            writer = await super().prepare(request)
            with self._scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._receive)
                    if self._watch.background is not None:
                        tasks.start_soon(self._watch.background)
                    await self._send()
                    tasks.cancel_scope.cancel()
        finally:
            streams.discard(self)
            self._watch.close()
            if self.on_end is not None:
                self.on_end()
        with anyio.move_on_after(1):
            await self.close()
        return writer

    def end(self) -> None:
        """Finish the stream (the server stops, or the client has gone)."""
        self._scope.cancel()

    async def _receive(self) -> None:
        """Answer pings, and notice when the client leaves."""
        async for _ in self:
            pass
        self.end()

    async def _send(self) -> None:
        """Write what there is, as fast as the client reads, and bookmarks in between."""
        self._watch.on_ready(self._ready.set)
        over = anyio.current_time() + self._seconds
        mark = anyio.current_time() + BOOKMARK_INTERVAL
        try:
            while True:
                self._ready.clear()
                events = self._watch.take_nowait()
                for event in events:
                    await self._say(event)
                if anyio.current_time() >= min(mark, over):
                    if bookmark := self._watch.bookmark():
                        await self._say(bookmark)
                    if anyio.current_time() >= over:
                        return
                    mark += BOOKMARK_INTERVAL
                elif not events:
                    with anyio.CancelScope(deadline=min(mark, over)):
                        await self._ready.wait()
        except ApiError as error:
            await self.send_str(error_line(status_of(error)).decode())
        except ConnectionError:
            pass  # the client has gone

    async def _say(self, event: Event) -> None:
        await self.send_str(self._lines.chunk((event,)).decode())
