"""HTML that passes through the proxy: unpacked, its links rewritten, packed again."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

import anyio.to_thread

from kcore.server.connecting.headers import Headers, value_of
from kcore.server.connecting.links import Rewriter, rewrite_html

__all__ = ["is_page", "rewritten"]

_WBITS = {"gzip": zlib.MAX_WBITS | 16, "deflate": -zlib.MAX_WBITS}


PAGE_MAX = 16 * 1024 * 1024
"""A longer page goes through as it is, and so does one that unpacks to more."""


def is_page(headers: Headers) -> bool:
    """Whether a body is HTML, in a packing that is known here."""
    kind = value_of(headers, b"content-type").partition(";")[0].strip()
    return kind == "text/html" and value_of(headers, b"content-encoding") in ("", "gzip", "deflate")


async def rewritten(headers: Headers, pieces: AsyncIterator[bytes], rewriter: Rewriter) -> AsyncIterator[bytes]:
    """The body of a page, with its links rewritten."""
    encoding, kept, size = value_of(headers, b"content-encoding"), [], 0
    async for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size > PAGE_MAX:
            break
    packed = b"".join(kept)
    yield await anyio.to_thread.run_sync(_rewrite, packed, encoding, rewriter) if size <= PAGE_MAX else packed
    async for piece in pieces:
        yield piece


def _rewrite(packed: bytes, encoding: str, rewriter: Rewriter) -> bytes:
    try:
        page = _unpack(packed, encoding).decode()
    except (ValueError, zlib.error):
        return packed  # not what it says it is, or too much: for the client to judge
    return _pack(rewrite_html(page, rewriter).encode(), encoding)


def _unpack(data: bytes, encoding: str) -> bytes:
    if not encoding:
        return data
    inflate = zlib.decompressobj(wbits=_WBITS[encoding])
    page = inflate.decompress(data, PAGE_MAX)
    if not inflate.eof:
        raise ValueError("cut short, or longer than a page may be")
    return page


def _pack(data: bytes, encoding: str) -> bytes:
    if not encoding:
        return data
    deflate = zlib.compressobj(wbits=_WBITS[encoding])
    return deflate.compress(data) + deflate.flush()
