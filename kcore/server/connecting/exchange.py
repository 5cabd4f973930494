"""A client's request passed on to another server, and the answer passed back: bodies stream, upgrades are joined."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
from aiohttp import web
from anyio.abc import ByteStream

from kcore.api.errors import ApiError
from kcore.server.body_stream import BodyStream
from kcore.server.connecting.backend import Backend, BackendError
from kcore.server.connecting.forwarding import Destination
from kcore.server.connecting.headers import Headers, answer_headers, forwarded_headers, request_target, value_of
from kcore.server.connecting.links import Rewriter
from kcore.server.connecting.pages import is_page, rewritten
from kcore.server.streaming.relaying import GONE, copy
from kcore.server.streaming.upgraded import Done, UpgradedConnection
from kcore.server.streaming.upgrading import asks_upgrade

__all__ = ["pass_on"]

_TEXT_MAX = 50_000


async def pass_on(request: web.BaseRequest, destination: Destination) -> web.StreamResponse:
    """Returns when all is passed on, both ways. Raises ApiError."""
    try:
        stream = await destination.dial()
    except OSError as error:
        raise destination.failed(str(error)) from error
    try:
        backend = Backend(stream)
        if asks_upgrade(request.headers):
            return await _upgrade(request, destination, backend, stream)
        return await _exchange(request, destination, backend)
    except BackendError as error:
        raise destination.failed(str(error)) from error
    finally:
        with anyio.CancelScope(shield=True):
            await stream.aclose()


def _head(request: web.BaseRequest, destination: Destination, *, upgrade: bool, body: bool) -> Headers:
    passed = forwarded_headers(request.headers, request.remote or "", upgrade=upgrade, body=body)
    given = {name.lower() for name, _ in destination.headers}
    headers = [pair for pair in passed if pair[0].lower() not in given]
    if destination.host:
        headers = [pair for pair in headers if pair[0].lower() != b"host"]
        headers.insert(0, (b"Host", destination.host.encode()))
    return [*headers, *destination.headers]


async def _exchange(request: web.BaseRequest, destination: Destination, backend: Backend) -> web.StreamResponse:
    has_body = request.can_read_body
    await backend.request(
        request.method, request_target(destination.target), _head(request, destination, upgrade=False, body=has_body)
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(backend.send_body, _body(request) if has_body else _nothing())
        outcome = await _passed_back(request, destination, backend)
        tasks.cancel_scope.cancel()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def _passed_back(
    request: web.BaseRequest, destination: Destination, backend: Backend
) -> web.StreamResponse | ApiError | BackendError:
    """The answer once it is written, or why there is none: what is raised here would be wrapped in a group."""
    try:
        await backend.response()
        if destination.refused is not None and backend.code >= 400:
            return destination.refused(backend.code, await _text(backend))
        if destination.redirected is not None and 300 <= backend.code < 400 and value_of(backend.headers, b"location"):
            return destination.redirected
        return await _answer(destination, backend).deliver(request)
    except BackendError as error:
        return error


async def _text(backend: Backend) -> str:
    """What an error says, as far as anybody would read it."""
    text = b""
    async for piece in backend.body():
        text += piece
        if len(text) > _TEXT_MAX:
            break
    return text[:_TEXT_MAX].decode(errors="replace")


async def _body(request: web.BaseRequest) -> AsyncIterator[bytes]:
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    async for piece in request.content.iter_any():
        yield piece


async def _nothing() -> AsyncIterator[bytes]:
    for piece in tuple[bytes, ...]():
        yield piece


def _answer(destination: Destination, backend: Backend) -> BodyStream:
    headers: Headers = list(answer_headers(backend.headers))
    length = value_of(backend.headers, b"content-length")
    pieces, rewriter = backend.body(), destination.rewriter
    if rewriter is not None:
        headers = [(name, _led_back(rewriter, name, value)) for name, value in headers]
        if is_page(headers):
            pieces, length = rewritten(headers, pieces, rewriter), ""
    return BodyStream(backend.code, _lines(backend, headers), pieces, int(length) if length.isdigit() else None)


def _led_back(rewriter: Rewriter, name: bytes, value: bytes) -> bytes:
    """A redirect goes through the proxy as well."""
    if name.lower() != b"location":
        return value
    return rewriter.url(value.decode("latin-1")).encode("latin-1", "replace")


def _lines(backend: Backend, headers: Headers) -> bytes:
    reason = backend.reason or b"Status"
    return b"HTTP/1.1 %d %b\r\n" % (backend.code, reason) + b"".join(b"%b: %b\r\n" % pair for pair in headers)


async def _upgrade(
    request: web.BaseRequest, destination: Destination, backend: Backend, stream: ByteStream
) -> web.StreamResponse:
    """Both sides leave HTTP together; an answer that is no upgrade is passed back as it is."""
    await backend.request(
        request.method, request_target(destination.target), _head(request, destination, upgrade=True, body=False)
    )
    await backend.send_body(_nothing())
    await backend.response()
    if not backend.upgraded:
        return await _answer(destination, backend).deliver(request)
    with suppress(*GONE):
        async with UpgradedConnection(request) as client:
            await client.send(_lines(backend, backend.headers) + b"\r\n" + backend.rest())
            await _join(client, stream)
    return Done()


async def _join(one: ByteStream, other: ByteStream) -> None:
    """Copy both ways until one side has ended."""
    async with anyio.create_task_group() as tasks:

        async def run(source: ByteStream, sink: ByteStream) -> None:
            await copy(source, sink)
            tasks.cancel_scope.cancel()

        tasks.start_soon(run, one, other)
        tasks.start_soon(run, other, one)
