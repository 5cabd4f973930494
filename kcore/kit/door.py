"""A small HTTP door for what a component tells of itself: `/healthz`, `/metrics` and the like. GET only, plain HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import anyio
from anyio.abc import TaskStatus

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Door", "Reply"]


class Reply(NamedTuple):
    code: int
    body: bytes
    content_type: str = "text/plain"


Answer = Callable[[str], Reply | None]
"""Takes the path; None where nothing is there. Called on the loop: it must not block."""


class Door:
    """Listens while it runs. `port` 0 takes a free one, and is the real one once started."""

    def __init__(self, host: str, port: int, answer: Answer) -> None:
        self.host = host
        self.port = port
        self._answer = answer

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Listen until cancelled. Raises OSError where the port can not be had."""
        from aiohttp import web

        server = web.Server(self._handle, access_log=None)
        listener = await asyncio.get_running_loop().create_server(server, self.host, self.port)
        self.port = listener.sockets[0].getsockname()[1]
        task_status.started()
        try:
            await anyio.sleep_forever()
        finally:
            listener.close()
            with anyio.CancelScope(shield=True):
                await server.shutdown(1.0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        from aiohttp import web

        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, text="only GET\n")
        reply = self._answer(request.path)
        if reply is None:
            return web.Response(status=404, text="404 page not found\n")
        return web.Response(status=reply.code, body=reply.body, content_type=reply.content_type)
