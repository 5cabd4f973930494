"""UDP: a client's packets make a flow, which stays with one endpoint until nothing has been said for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

import structlog

from kcore.proxy.endpoint import Endpoint

__all__ = ["DatagramPortal", "Flow"]

log = structlog.get_logger(__name__)

FLOWS_MAX = 4096
WAITING_MAX = 64
"""Packets that may wait for a flow to open; those beyond are lost, as on any busy link."""

Address = tuple[Any, ...]


class Flow(asyncio.DatagramProtocol):
    """One client's way to one endpoint. Answers go back through the portal, so that they come from its address."""

    def __init__(self, portal: DatagramPortal, client: Address, endpoint: Endpoint) -> None:
        self.client = client
        self.endpoint = endpoint
        self.last = 0.0
        self._portal = portal
        self._waiting: list[bytes] = []
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        if self._closed:
            transport.close()
            return
        for data in self._waiting:
            self._transport.sendto(data)
        self._waiting.clear()

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.sendto(data)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append(data)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._portal.answer(self, data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there: the next packet gets another endpoint."""
        self._portal.cut(self)

    def close(self) -> None:
        self._closed = True
        if self._transport is not None:
            self._transport.close()


class DatagramPortal(asyncio.DatagramProtocol):
    """The listening side of a UDP service port.

    `choose` says which endpoint a new client gets; `open_flow` starts the task that connects the flow.
    """

    def __init__(
        self, choose: Callable[[str], Sequence[Endpoint]], open_flow: Callable[[Flow], None], idle_seconds: float
    ) -> None:
        self._choose = choose
        self._open_flow = open_flow
        self._idle_seconds = idle_seconds
        self._loop = asyncio.get_running_loop()
        self._flows: dict[Address, Flow] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self.bytes_moved = 0
        self.flows_opened = 0

    def __len__(self) -> int:
        return len(self._flows)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        flow = self._flows.get(addr) or self._begin(addr)
        if flow is not None:
            flow.last = self._loop.time()
            self.bytes_moved += len(data)
            flow.send(data)

    def answer(self, flow: Flow, data: bytes) -> None:
        flow.last = self._loop.time()
        self.bytes_moved += len(data)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, flow.client)

    def cut(self, flow: Flow) -> None:
        flow.close()
        if self._flows.get(flow.client) is flow:
            del self._flows[flow.client]

    def keep_only(self, endpoints: Sequence[Endpoint]) -> None:
        """Cut the flows to endpoints that are gone: there is no last word in UDP."""
        addresses = {str(endpoint) for endpoint in endpoints}
        for flow in [flow for flow in self._flows.values() if str(flow.endpoint) not in addresses]:
            self.cut(flow)

    def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        for flow in list(self._flows.values()):
            self.cut(flow)
        if self._transport is not None:
            self._transport.close()

    def _begin(self, client: Address) -> Flow | None:
        order = self._choose(client[0])
        if not order or len(self._flows) >= FLOWS_MAX:
            return None
        flow = self._flows[client] = Flow(self, client, order[0])
        self.flows_opened += 1
        self._open_flow(flow)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._idle_seconds, self._drop_idle)
        return flow

    def _drop_idle(self) -> None:
        now = self._loop.time()
        for flow in [flow for flow in self._flows.values() if now - flow.last >= self._idle_seconds]:
            self.cut(flow)
        self._sweep = self._loop.call_later(self._idle_seconds, self._drop_idle) if self._flows else None
