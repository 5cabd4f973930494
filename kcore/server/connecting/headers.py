"""Which headers go on to another server, and which of its answer come back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from multidict import CIMultiDictProxy

from kcore.server.websocket import offered_protocols

__all__ = ["Headers", "answer_headers", "forwarded_headers", "quoted_path", "request_target", "value_of"]

Headers = Sequence[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_CREDENTIALS = frozenset(("authorization", "x-remote-user", "x-remote-uid", "x-remote-group"))
_CREDENTIAL_PREFIXES = ("impersonate-", "x-remote-extra-")
_CROSS_ORIGIN = frozenset(f"access-control-allow-{what}" for what in ("credentials", "headers", "methods", "origin"))
# Of the body, which is framed anew.
_FRAMING = frozenset(("content-length", "expect"))


_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


def forwarded_headers(
    headers: CIMultiDictProxy[str], remote: str, *, upgrade: bool = False, body: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """The client's headers as the other server may see them: nothing that proves who the client is, nothing that
    was for this connection only. `upgrade`: the client's wish to leave HTTP is passed on. `body`: there is one."""
    dropped = _HOP_BY_HOP | _CREDENTIALS | _FRAMING | _named_by_connection(headers.getall("Connection", ()))
    for name, value in headers.items():
        lower = name.lower()
        if lower in dropped or lower.startswith(_CREDENTIAL_PREFIXES) or lower == "x-forwarded-for":
            continue
        if lower == "sec-websocket-protocol":
            value = ", ".join(offered_protocols(headers))
        yield name.encode(), value.encode(errors="surrogateescape")
    chain = [*headers.getall("X-Forwarded-For", ()), remote]
    yield b"X-Forwarded-For", ", ".join(filter(None, chain)).encode()
    if upgrade:
        yield b"Connection", b"Upgrade"
        yield b"Upgrade", headers.get("Upgrade", "").encode()
    else:
        yield b"Connection", b"close"
    if body:
        yield _framing(headers)


def _framing(headers: CIMultiDictProxy[str]) -> tuple[bytes, bytes]:
    """The length of a body where it is known: not every server understands chunks."""
    length = headers.get("Content-Length", "")
    if length.isdigit():
        return b"Content-Length", length.encode()
    return b"Transfer-Encoding", b"chunked"


def answer_headers(headers: Headers) -> Iterator[tuple[bytes, bytes]]:
    """What of an answer's headers the client gets, without those that frame the body. A page of somebody's must not
    loosen whom browsers let speak to the API server."""
    connection = (value.decode("latin-1") for name, value in headers if name.lower() == b"connection")
    dropped = _HOP_BY_HOP | _CROSS_ORIGIN | _named_by_connection(connection) | {"content-length"}
    for name, value in headers:
        if name.lower().decode("latin-1") not in dropped:
            yield name, value


def value_of(headers: Headers, name: bytes) -> str:
    """The first header of that name, given in lower case; empty if there is none."""
    return next((value.decode("latin-1") for key, value in headers if key.lower() == name), "")


def quoted_path(path: str) -> str:
    """A decoded path as Go writes it into a request."""
    return quote(path, safe="/:@!$&'()*+,;=~-._", errors="surrogateescape")


def request_target(text: str) -> bytes:
    """A path and query as a request line may carry it: what is no ASCII in it is quoted, the rest is as it came."""
    return quote(text, safe=_PRINTABLE, errors="surrogateescape").encode()


def _named_by_connection(values: Iterable[str]) -> frozenset[str]:
    return frozenset(token.strip().lower() for value in values for token in value.split(",") if token.strip())
