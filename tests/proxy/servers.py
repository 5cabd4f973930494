"""Real pods in small: TCP and UDP servers on loopback addresses that say who they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

__all__ = ["ask", "ask_udp", "tcp_server", "udp_server"]


@asynccontextmanager
async def tcp_server(name: str, host: str, port: int) -> AsyncIterator[None]:
    """Answers each line with its name and the line; says goodbye when the client has ended its side."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(name.encode() + b" " + line)
            writer.write(b"bye\n")
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, port)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


class _Echo(asyncio.DatagramProtocol):
    def __init__(self, name: str) -> None:
        self._name = name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(self._name.encode() + b" " + data, addr)


@asynccontextmanager
async def udp_server(name: str, host: str, port: int) -> AsyncIterator[None]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Echo(name), (host, port))
    try:
        yield
    finally:
        transport.close()


async def ask(host: str, port: int, source: str = "127.0.0.1") -> str:
    """One connection: the name of who answered it."""
    reader, writer = await asyncio.open_connection(host, port, local_addr=(source, 0))
    try:
        writer.write(b"hello\n")
        return (await reader.readline()).decode().partition(" ")[0]
    finally:
        writer.close()
        await writer.wait_closed()


class _Client(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.answers.put_nowait(data)


@asynccontextmanager
async def ask_udp(host: str, port: int) -> AsyncIterator[tuple[asyncio.DatagramTransport, asyncio.Queue[bytes]]]:
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(_Client, remote_addr=(host, port))
    try:
        yield transport, client.answers
    finally:
        transport.close()
