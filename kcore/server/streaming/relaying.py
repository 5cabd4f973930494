"""Copying from one byte stream to another."""

from __future__ import annotations

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream

__all__ = ["GONE", "copy"]

GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, ConnectionError)
"""How streams say that the other side is not there any more."""

_PIECE = 64 * 1024


async def copy(source: ByteReceiveStream, sink: ByteSendStream | None) -> None:
    """All that comes, until the source ends or either side is gone. Without a sink it is thrown away."""
    try:
        while True:
            data = await source.receive(_PIECE)
            if sink is not None:
                await sink.send(data)
    except anyio.EndOfStream:
        return
    except GONE:
        return
