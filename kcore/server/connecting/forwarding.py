"""Where a request is passed on to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web
from anyio.abc import ByteStream

from kcore.api.errors import ApiError
from kcore.server.connecting.headers import Headers

if TYPE_CHECKING:
    from kcore.server.connecting.links import Rewriter

__all__ = ["Destination", "forward"]


class Destination(NamedTuple):
    """Where a request goes. `target` is the path and query, quoted; `failed` makes the answer where that is not to be
    reached, and `refused`, if given, of an answer that is an error. `host`: what to call the server, where not as the
    client does; `rewriter`: pages and redirects are led back through the proxy; `redirected`: what is answered where
    the client must not be sent elsewhere."""

    dial: Callable[[], Awaitable[ByteStream]]
    target: str
    failed: Callable[[str], ApiError]
    headers: Headers = ()
    host: str = ""
    rewriter: Rewriter | None = None
    refused: Callable[[int, str], ApiError] | None = None
    redirected: ApiError | None = None


async def forward(request: web.BaseRequest, destination: Destination) -> web.StreamResponse:
    """Returns when all is passed on, both ways. Raises ApiError."""
    from kcore.server.connecting.exchange import pass_on  # what HTTP to others needs is loaded when it is

    return await pass_on(request, destination)
