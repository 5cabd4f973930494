"""A service port's door: one listening socket, and the balancer behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import anyio
import structlog
from anyio.abc import TaskGroup

from kcore.proxy.endpoint import Endpoint
from kcore.proxy.userspace.balancer import Balancer
from kcore.proxy.userspace.datagrams import DatagramPortal, Flow
from kcore.proxy.userspace.relay import Relay

__all__ = ["Portal", "PortalAddress"]

log = structlog.get_logger(__name__)

DIAL_SECONDS = (0.25, 0.5, 1.0, 2.0)
"""How long each try to reach an endpoint may take; there are as many tries."""
UDP_IDLE_SECONDS = 30.0
TCP_IDLE_SECONDS = 86400.0
"""What kube-proxy has the kernel forget established connections after (`--conntrack-tcp-timeout-established`)."""
BACKLOG = 1024


class PortalAddress(NamedTuple):
    """`port` 0: any free one."""

    protocol: str
    ip: str
    port: int


class Portal:
    """Opened and closed by the back end. `wanted` is where it should listen, `port` where it does."""

    def __init__(self, wanted: PortalAddress, balancer: Balancer, tasks: TaskGroup) -> None:
        self.wanted = wanted
        self.balancer = balancer
        self.port = 0
        self.connections = 0
        self.failed_dials = 0
        self._tasks = tasks
        self._server: asyncio.Server | None = None
        self._datagrams: DatagramPortal | None = None
        self._relays: set[Relay] = set()
        self._said: dict[Relay, int] = {}
        """How many bytes each had moved when `_drop_idle` last looked."""
        self._idle_timer: asyncio.TimerHandle | None = None
        self._bytes_before = 0
        self._loop = asyncio.get_running_loop()

    @property
    def occupied(self) -> bool:
        """Whether somebody is in."""
        return bool(self._relays)

    async def open(self) -> None:
        """Listen. Raises OSError."""
        _, ip, port = self.wanted
        if self.wanted.protocol == "UDP":
            transport, self._datagrams = await self._loop.create_datagram_endpoint(
                lambda: DatagramPortal(self._choose, self._open_flow, UDP_IDLE_SECONDS), (ip, port)
            )
            self.port = transport.get_extra_info("sockname")[1]
            return
        self._server = await self._loop.create_server(
            lambda: Relay(self._dial, self._ended).client, ip, port, backlog=BACKLOG
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def update(self, balancer: Balancer) -> None:
        """Other endpoints; connections that run go on where they are."""
        self.balancer = balancer
        if self._datagrams is not None:
            self._datagrams.keep_only(balancer.endpoints)

    def close(self, *, abort: bool = False) -> None:
        """Let nobody in any more. Those who are in stay until they leave, unless `abort`."""
        if self._server is not None:
            self._server.close()
        if self._datagrams is not None:
            self._datagrams.close()
        if abort:
            if self._idle_timer is not None:
                self._idle_timer.cancel()
            for relay in list(self._relays):
                relay.abort()

    def statistics(self) -> dict[str, Any]:
        datagrams = self._datagrams
        moved = self._bytes_before + sum(relay.bytes_moved for relay in self._relays)
        return {
            "listens": f"{self.wanted.ip}:{self.port}",
            "protocol": self.wanted.protocol,
            "connections": self.connections if datagrams is None else datagrams.flows_opened,
            "open": len(self._relays) if datagrams is None else len(datagrams),
            "bytes": moved if datagrams is None else datagrams.bytes_moved,
            "failedDials": self.failed_dials,
            "endpoints": [str(endpoint) for endpoint in self.balancer.endpoints],
            "affinity": {
                client: {"endpoint": str(kept.endpoint), "idleSeconds": round(self._loop.time() - kept.last, 3)}
                for client, kept in self.balancer.clients(self._loop.time()).items()
            },
        }

    def _choose(self, client: str) -> Sequence[Endpoint]:
        return self.balancer.choose(client, self._loop.time())

    def _dial(self, relay: Relay) -> None:
        self.connections += 1
        self._relays.add(relay)
        if self._idle_timer is None:
            self._idle_timer = self._loop.call_later(TCP_IDLE_SECONDS, self._drop_idle)
        self._tasks.start_soon(self._connect, relay)

    async def _connect(self, relay: Relay) -> None:
        """Try one endpoint after the other."""
        client = relay.client_address
        for endpoint, seconds in zip(self._choose(client), DIAL_SECONDS, strict=False):
            try:
                await relay.connect(endpoint, seconds)
            except (OSError, TimeoutError) as error:
                self.failed_dials += 1
                log.info("endpoint_not_reached", endpoint=str(endpoint), reason=str(error) or "timeout")
                continue
            self.balancer.remember(client, endpoint, self._loop.time())
            return
        relay.abort()

    def _drop_idle(self) -> None:
        """End the connections on which nothing was said since the last look."""
        for relay in [relay for relay in self._relays if self._said.get(relay) == relay.bytes_moved]:
            relay.abort()
        self._said = {relay: relay.bytes_moved for relay in self._relays}
        wanted = bool(self._relays)
        self._idle_timer = self._loop.call_later(TCP_IDLE_SECONDS, self._drop_idle) if wanted else None

    def _ended(self, relay: Relay) -> None:
        self._relays.discard(relay)
        self._said.pop(relay, None)
        self._bytes_before += relay.bytes_moved

    def _open_flow(self, flow: Flow) -> None:
        self._tasks.start_soon(self._connect_flow, flow)

    async def _connect_flow(self, flow: Flow) -> None:
        endpoint = flow.endpoint
        try:
            with anyio.fail_after(DIAL_SECONDS[-1]):
                await self._loop.create_datagram_endpoint(lambda: flow, remote_addr=(endpoint.address, endpoint.port))
        except (OSError, TimeoutError) as error:
            self.failed_dials += 1
            log.info("endpoint_not_reached", endpoint=str(endpoint), reason=str(error) or "timeout")
            if self._datagrams is not None:
                self._datagrams.cut(flow)
