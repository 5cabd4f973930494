"""TCP: what comes in on one connection goes out on another, both ways, no faster than the slower side reads.

A direction ends by itself when its sender says so (half-close); the connection ends when both have, or when either
breaks. A silent peer is found by keep-alives; who says nothing for a day is forgotten (`portal`), as by the kernel.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import cast

import anyio

from kcore.proxy.endpoint import Endpoint

__all__ = ["HIGH_WATER", "Relay", "Side"]

HIGH_WATER = 256 * 1024
"""Bytes that may wait for a slow reader before its sender is made to wait."""

_NO_LINGER = struct.pack("ii", 1, 0)


class Side(asyncio.Protocol):
    """One of the two connections. What it receives goes to its `peer`."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self.transport: asyncio.Transport | None = None
        self.peer: Side | None = None
        self._ended = False
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(high=HIGH_WATER)
        link = transport.get_extra_info("socket")
        if link is not None:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._relay.made(self)

    def pair(self, peer: Side) -> None:
        """From now on what comes in here goes out there; what came before goes first."""
        self.peer = peer
        assert peer.transport is not None
        for data in self._early:
            peer.transport.write(data)
        self._early.clear()
        if self._ended and peer.transport.can_write_eof():
            peer.transport.write_eof()

    def data_received(self, data: bytes) -> None:
        self._relay.bytes_moved += len(data)
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.write(data)
        else:
            self._early.append(data)
            assert self.transport is not None
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Pass it on, and keep this side open for the answer."""
        self._ended = True
        if self.peer is not None and self.peer.transport is not None and not self.peer.transport.is_closing():
            if self.peer._ended:
                self._relay.close()
                return False
            self.peer.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.lost(self, exc)

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None and not self.peer.transport.is_closing():
            self.peer.transport.resume_reading()


class Relay:
    """One client's connection through the proxy. `dial` is started once the client is there, and ends with `connect`
    or `close`; `ended` is told when nothing is left."""

    def __init__(self, dial: Callable[[Relay], None], ended: Callable[[Relay], None]) -> None:
        self._dial = dial
        self._ended = ended
        self._open = 0
        self.bytes_moved = 0
        self.endpoint: Endpoint | None = None
        self.client = Side(self)
        self.server: Side | None = None

    @property
    def client_address(self) -> str:
        peer = self.client.transport.get_extra_info("peername") if self.client.transport is not None else None
        return str(peer[0]) if peer else ""

    def made(self, side: Side) -> None:
        self._open += 1
        if side is self.client:
            self._dial(self)

    async def connect(self, endpoint: Endpoint, timeout: float) -> None:
        """Reach the endpoint and join both sides. Raises OSError or TimeoutError."""
        loop = asyncio.get_running_loop()
        with anyio.fail_after(timeout):
            _, server = await loop.create_connection(lambda: Side(self), endpoint.address, endpoint.port)
        client = self.client
        if client.transport is None or client.transport.is_closing():
            assert server.transport is not None
            server.transport.abort()
            return
        self.endpoint, self.server = endpoint, server
        client.pair(server)
        server.pair(client)
        client.transport.resume_reading()

    def close(self) -> None:
        """End both sides after what is still to be written; at once where nobody is at the other end."""
        for side in (self.client, self.server):
            if side is not None and side.transport is not None:
                side.transport.close()

    def abort(self) -> None:
        """End both sides with a reset, as a dead endpoint would."""
        for side in (self.client, self.server):
            if side is not None and side.transport is not None:
                _reset(side.transport)

    def lost(self, side: Side, exc: Exception | None) -> None:
        self._open -= 1
        if exc is not None:
            self.abort()
        else:
            self.close()
        if self._open == 0:
            self._ended(self)


def _reset(transport: asyncio.Transport) -> None:
    link = transport.get_extra_info("socket")
    if link is not None and not transport.is_closing():
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
