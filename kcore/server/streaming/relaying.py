"""Copying from one byte stream to another."""

from __future__ import annotations

from contextlib import suppress

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream

__all__ = ["GONE", "copy", "read_to_end"]

GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, ConnectionError)
"""How streams say that the other side is not there any more."""

_PIECE = 64 * 1024


async def copy(source: ByteReceiveStream, sink: ByteSendStream | None) -> None:
    """All that comes, until the source ends or either side is gone. Without a sink it is thrown away."""
    with suppress(anyio.EndOfStream, *GONE):
        while True:
            data = await source.receive(_PIECE)
            if sink is not None:
                await sink.send(data)


async def read_to_end(*sources: ByteReceiveStream | None) -> bytes:
    """All that several streams give, as it comes."""
    pieces: list[bytes] = []

    async def read(source: ByteReceiveStream) -> None:
        with suppress(anyio.EndOfStream, *GONE):
            while True:
                pieces.append(await source.receive(_PIECE))

    async with anyio.create_task_group() as tasks:
        for source in sources:
            if source is not None:
                tasks.start_soon(read, source)
    return b"".join(pieces)
