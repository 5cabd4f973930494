"""One client's connection: what is known about it is found out once, when it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import BadHttpMethod

from kcore.registry.request import User
from kcore.server.authentication.client_certificates import PeerCertificate
from kcore.server.body import BODY_LIMIT
from kcore.server.errors import error_reply, method_not_allowed
from kcore.server.response import TEXT_TYPE, Heads, Reply
from kcore.server.stream import Lasting

if TYPE_CHECKING:
    from aiohttp.web_protocol import RequestHandler, _RequestHandler
else:
    RequestHandler = web.RequestHandler

__all__ = ["Connection", "Connections"]


class Connection(RequestHandler):
    """aiohttp's protocol, with the client's certificate read once and word of a stream's readiness and end."""

    __slots__ = ("audit_id", "certificate", "everyone", "heads", "on_lost", "on_started", "on_writable", "streams")

    def __init__(self, manager: Connections, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self.heads = manager.heads
        self.streams = manager.streams
        self.everyone = manager.everyone
        self.audit_id = ""
        """That of the request under way, where it is audited."""
        self.certificate: PeerCertificate | None = None
        self.on_lost: Callable[[], None] | None = None
        self.on_started: Callable[[int], None] | None = None
        """Told the code of an answer that lasts, when it begins."""
        self.on_writable: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        names = transport.get_extra_info("peercert")
        if names:
            self.certificate = PeerCertificate(transport.get_extra_info("ssl_object"), names)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.on_writable is not None:
            self.on_writable()

    @property
    def clogged(self) -> bool:
        """Whether the client reads more slowly than we write."""
        return self.writing_paused

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What aiohttp could not parse as a request, in the words of upstream's (Go's) server."""
        if isinstance(exc, BadHttpMethod):
            reply = error_reply(method_not_allowed())
        else:
            reply = Reply(status, b"400 Bad Request" if status == 400 else b"", TEXT_TYPE)
        reply.closing = True
        return reply


class Connections(web.Server):
    """Makes a Connection for each client that connects, and knows them all. `everyone`: who they all are."""

    def __init__(
        self, handler: _RequestHandler, heads: Heads, streams: set[Lasting], everyone: User | None = None
    ) -> None:
        super().__init__(
            handler,
            access_log=None,
            keepalive_timeout=180,
            tcp_keepalive=True,
            auto_decompress=False,  # as upstream; so that a small body does not become a large one
        )
        self.heads = heads
        self.everyone = everyone
        self.streams = streams

    def __call__(self) -> RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)

    def _make_request(
        self,
        message: Any,
        payload: Any,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        return web.BaseRequest(message, payload, protocol, writer, task, self._loop, client_max_size=BODY_LIMIT)
