"""A webhook for tests: HTTPS on loopback, with a certificate of its own authority."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from kcore.kit.clock import SystemClock
from kcore.server.certificates import Pki

__all__ = ["Hook", "hooking", "issue"]

Respond = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Hook:
    """Where it is, whom to trust, and what it was sent."""

    def __init__(self, port: int, authority: bytes) -> None:
        self.port = port
        self.ca_bundle = base64.b64encode(authority).decode()
        self.requests: list[web.BaseRequest] = []
        self.documents: list[Any] = []

    def url(self, path: str = "/") -> str:
        return f"https://127.0.0.1:{self.port}{path}"

    def client_config(self, path: str = "/") -> dict[str, Any]:
        return {"url": self.url(path), "caBundle": self.ca_bundle}


def issue(folder: Path, *names: str) -> Pki:
    """An authority, and a server certificate for these names."""
    return Pki.ensure(folder, SystemClock(), names)


@asynccontextmanager
async def hooking(pki: Pki, respond: Respond) -> AsyncIterator[Hook]:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        hook.requests.append(request)
        hook.documents.append(json.loads(await request.read()))
        return await respond(request)

    server = web.Server(handle)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=pki.server_context())
    await site.start()
    hook = Hook(int(runner.addresses[0][1]), pki.authority)
    try:
        yield hook
    finally:
        await runner.cleanup()
