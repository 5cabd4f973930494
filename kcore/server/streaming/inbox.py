"""Bytes that have arrived for one reader, and word to whoever reads the socket when there are too many of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio
from anyio.abc import ByteReceiveStream

__all__ = ["ROOM", "Inbox"]

ROOM = 256 * 1024
"""How many bytes may wait before the sender is held up."""


class Inbox(ByteReceiveStream):
    """Filled by `put` and `end`, read with `receive`. A closed one throws away what still comes."""

    def __init__(self, on_read: Callable[[int], None] | None = None) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._closed = False
        self._arrived = anyio.Event()
        self._emptied = anyio.Event()
        self._on_read = on_read

    @property
    def is_full(self) -> bool:
        return self._size > ROOM

    def put(self, data: bytes) -> None:
        if self._closed:
            self._read(len(data))
        elif data and not self._ended:
            self._chunks.append(data)
            self._size += len(data)
            self._arrived.set()

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._arrived.set()

    async def wait_room(self) -> None:
        """Until the reader has caught up."""
        while self.is_full:
            self._emptied = anyio.Event()
            await self._emptied.wait()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        while not self._chunks:
            if self._closed:
                raise anyio.ClosedResourceError
            if self._ended:
                raise anyio.EndOfStream
            self._arrived = anyio.Event()
            await self._arrived.wait()
        chunk = self._chunks.popleft()
        if len(chunk) > max_bytes:
            self._chunks.appendleft(chunk[max_bytes:])
            chunk = chunk[:max_bytes]
        self._size -= len(chunk)
        self._read(len(chunk))
        return chunk

    async def aclose(self) -> None:
        self._closed = True
        size, self._size = self._size, 0
        self._chunks.clear()
        self._arrived.set()
        self._read(size)

    def _read(self, size: int) -> None:
        if not self.is_full:
            self._emptied.set()
        if size and self._on_read is not None:
            self._on_read(size)
