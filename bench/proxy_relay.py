"""What does the userspace proxy cost, next to the plainest relay that asyncio allows?

The reference accepts, connects and passes bytes on with two protocols of a dozen lines, on the same loop. Bytes a
second over one connection (goal: 0.8), and connections a second, one after the other (goal: 1 / 1.5).
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from multiprocessing import Process
from typing import Any

import anyio

from bench.serving import free_port, report
from kcore.api.core_v1 import Service, ServicePort, ServiceSpec
from kcore.api.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from kcore.api.meta_v1 import ObjectMeta
from kcore.proxy.rules import Diff, rules_of_service
from kcore.proxy.userspace.backend import Userspace

HOST, POD = "127.0.0.1", "127.130.9.9"
BYTES = 256 << 20
CHUNK = b"x" * (256 << 10)
CONNECTIONS = 1_000
ROUNDS = 5


class Bare(asyncio.Protocol):
    """One side of the reference."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._early = b""
        self.peer: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self._port:
            self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        _, peer = await asyncio.get_running_loop().create_connection(Bare, POD, self._port)
        self.peer, peer.peer = peer, self
        peer.transport.write(self._early)

    def data_received(self, data: bytes) -> None:
        if self.peer is None:
            self._early += data
        else:
            self.peer.transport.write(data)

    def pause_writing(self) -> None:
        self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.peer is not None:
            self.peer.transport.close()


def relay_process(kind: str, port: int, pod_port: int) -> None:
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        import uvloop

        loop_factory = uvloop.new_event_loop

    async def bare() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Bare(pod_port), HOST, port, backlog=1024)
        await server.serve_forever()

    async def kcore() -> None:
        spec = ServiceSpec(cluster_ip=HOST, cluster_ips=(HOST,), ports=(ServicePort(port=port, protocol="TCP"),))
        service = Service(metadata=ObjectMeta(name="s", namespace="ns"), spec=spec)
        ports = (EndpointPort(name="", port=pod_port, protocol="TCP"),)
        slice_ = EndpointSlice(address_type="IPv4", endpoints=(Endpoint(addresses=(POD,)),), ports=ports)
        backend = Userspace()
        async with anyio.create_task_group() as tasks:
            await tasks.start(backend.run)
            await backend.apply(Diff(put=rules_of_service(service, [slice_])))

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(bare() if kind == "bare" else kcore())


@contextlib.contextmanager
def relaying(kind: str, pod_port: int) -> Iterator[int]:
    port = free_port()
    process = Process(target=relay_process, args=(kind, port, pod_port), daemon=True)
    process.start()
    try:
        yield port
    finally:
        process.terminate()
        process.join()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The pod: one byte in, one byte out, and whatever else comes is counted and forgotten."""
    with contextlib.suppress(ConnectionError, asyncio.CancelledError):
        writer.write(await reader.read(1))
        seen = 0
        while chunk := await reader.read(1 << 20):
            seen += len(chunk)
            if seen >= BYTES:
                writer.write(b"!")
        writer.close()


async def wait_open(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


async def bytes_a_second(port: int) -> float:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"?")
    await reader.readexactly(1)
    start = time.perf_counter()
    for _ in range(BYTES // len(CHUNK)):
        writer.write(CHUNK)
        await writer.drain()
    await reader.readexactly(1)
    writer.close()
    return BYTES / (time.perf_counter() - start)


async def connections_a_second(port: int) -> float:
    start = time.perf_counter()
    for _ in range(CONNECTIONS):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"?")
        await reader.readexactly(1)
        writer.close()
    return CONNECTIONS / (time.perf_counter() - start)


async def compare(ours: int, bare: int, pod_port: int) -> None:
    server = await asyncio.start_server(answer, POD, pod_port, limit=1 << 20)
    await wait_open(ours)
    await wait_open(bare)
    ratios: dict[str, list[float]] = {"bytes": [], "connections": []}
    for _ in range(ROUNDS):
        ratios["bytes"].append(await bytes_a_second(ours) / await bytes_a_second(bare))
        ratios["connections"].append(await connections_a_second(ours) / await connections_a_second(bare))
    server.close()
    report(
        "proxy_relay",
        bytes_ratio=round(statistics.median(ratios["bytes"]), 2),
        connections_ratio=round(statistics.median(ratios["connections"]), 2),
        goal="0.8, 0.67",
    )


def main() -> None:
    pod_port = free_port()
    with relaying("kcore", pod_port) as ours, relaying("bare", pod_port) as bare:
        asyncio.run(compare(ours, bare, pod_port))


if __name__ == "__main__":
    main()
