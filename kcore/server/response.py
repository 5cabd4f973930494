"""Answers as they go to the wire: the head is put together from ready-made pieces and leaves with the body at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from kcore.kit.clock import Chance, Clock

if TYPE_CHECKING:
    from kcore.server.connection import Connection

__all__ = [
    "JSON_TYPE",
    "PROTOBUF_TYPE",
    "TEXT_TYPE",
    "YAML_TYPE",
    "Heads",
    "Reply",
    "header",
    "to_yaml",
    "warning",
    "warnings",
]

JSON_TYPE = "application/json"
YAML_TYPE = "application/yaml"
PROTOBUF_TYPE = "application/vnd.kubernetes.protobuf"
TEXT_TYPE = "text/plain; charset=utf-8"

NOT_CACHED = "no-cache, private"

_PIECE = 256 * 1024
_WARNINGS_MAX, _WARNING_MAX = 4 * 1024, 256  # characters


def header(name: str, value: str) -> bytes:
    """One header line; line breaks in the value can not smuggle in another."""
    return f"{name}: {value}\r\n".replace("\r\n", " ").replace("\n", " ").strip().encode() + b"\r\n"


def warning(text: str) -> bytes:
    """A Warning header (RFC 7234, 5.5) as client-go and kubectl print it; none for a text that no header can carry."""
    if any(character < " " or character == "\x7f" for character in text):
        return b""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return header("Warning", f'299 - "{quoted}"')


def warnings(texts: Iterable[str]) -> bytes:
    """The Warning headers of an answer, each text once. Clients refuse heads that are too long: where the texts are
    many, as upstream, each is cut and the last are left out."""
    distinct = list(dict.fromkeys(texts))
    if sum(map(len, distinct)) <= _WARNINGS_MAX:
        return b"".join(map(warning, distinct))
    lines, written = [], 0
    for text in distinct:
        if written >= _WARNINGS_MAX:
            break
        lines.append(warning(text[:_WARNING_MAX]))
        written += min(len(text), _WARNING_MAX)
    return b"".join(lines)


def to_yaml(document: bytes) -> bytes:
    """A JSON document as YAML. Slow, and asked for by people only, so what it needs is loaded when it is."""
    import yaml

    return yaml.dump(msgspec.json.decode(document), Dumper=yaml.CSafeDumper, allow_unicode=True).encode()


class Heads:
    """Makes response heads. All that is the same for the answers of one second is rendered once."""

    def __init__(self, clock: Clock, chance: Chance) -> None:
        self._clock = clock
        self._second = -1
        self._openings: dict[tuple[int, str, str], bytes] = {}
        # An audit id is a UUID whose first part is this process's own and whose last part counts.
        self._audit_prefix = chance.uid()[:24].encode()
        self._requests = 0

    def opening(self, code: int, content_type: str, cache_control: str = NOT_CACHED) -> bytes:
        """The status line and the headers that every answer has."""
        second = int(self._clock.now())
        if second != self._second:
            self._second = second
            self._openings.clear()
        opening = self._openings.get((code, content_type, cache_control))
        if opening is None:
            opening = self._render(code, content_type, cache_control)
            self._openings[code, content_type, cache_control] = opening
        return opening

    def audit_id(self, given: str | None) -> bytes:
        """The client's own id for the request, or a new one."""
        if given:
            return header("Audit-Id", given)
        self._requests += 1
        return b"Audit-Id: %b%012x\r\n" % (self._audit_prefix, self._requests)

    def _render(self, code: int, content_type: str, cache_control: str) -> bytes:
        reason = HTTPStatus(code).phrase
        kind = f"Content-Type: {content_type}\r\n" if content_type else ""
        date = formatdate(self._second, usegmt=True)
        return f"HTTP/1.1 {code} {reason}\r\nCache-Control: {cache_control}\r\n{kind}Date: {date}\r\n".encode()


class Reply(web.StreamResponse):
    """A complete answer.

    aiohttp asks a response only for `prepare`, `write_eof` and `keep_alive`; these write bytes that are ready
    instead of building header dictionaries, so the base's constructor is not needed (nor run).
    """

    def __init__(self, code: int, body: bytes, content_type: str = JSON_TYPE, headers: bytes = b"") -> None:
        self.code = code
        self.content = body
        self.media_type = content_type
        self.extra = headers
        self.closing = False
        self.cache_control = NOT_CACHED

    @property
    def status(self) -> int:
        return self.code

    @property
    def keep_alive(self) -> bool | None:
        return not self.closing

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        connection: Connection = request.protocol  # type: ignore[assignment]  # we make them
        head = self._head(request, connection)
        body = b"" if request.method == "HEAD" else self.content
        transport = connection.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        if len(body) <= _PIECE:
            transport.write(head + body)
            return None
        transport.write(head)
        await self._write_pieces(request, transport, body)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Everything has been written."""

    def _head(self, request: web.BaseRequest, connection: Connection) -> bytes:
        word, heads = b"", connection.heads
        if not request.keep_alive:
            self.closing = True
        if self.closing:
            word = b"Connection: close\r\n"
        elif request.version < (1, 1):
            word = b"Connection: keep-alive\r\n"
        return b"%b%b%b%bContent-Length: %d\r\n\r\n" % (
            heads.opening(self.code, self.media_type, self.cache_control),
            heads.audit_id(connection.audit_id or request.headers.get("Audit-Id")),
            self.extra,
            word,
            len(self.content),
        )

    @staticmethod
    async def _write_pieces(request: web.BaseRequest, transport: asyncio.WriteTransport, body: bytes) -> None:
        """Large bodies go piece by piece, so that encrypting them does not hold up everyone else."""
        view = memoryview(body)
        for start in range(0, len(body), _PIECE):
            transport.write(view[start : start + _PIECE])
            await request.writer.drain()
            if transport.is_closing():
                raise ConnectionResetError("the client has gone")
