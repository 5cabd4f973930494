"""The API server as a service: it listens, and on cancel it drains what it has begun."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import anyio
import structlog
from anyio.abc import TaskStatus

from kcore.kit.clock import Chance, Clock
from kcore.kit.telling import Collector
from kcore.registry.authentication import TokenUnion
from kcore.registry.verbs import Registry
from kcore.server.aggregation.aggregator import Aggregator
from kcore.server.authentication import ADMIN, Authenticator, authenticators
from kcore.server.connecting.dialing import unverified
from kcore.server.connecting.kubelets import KubeletClient
from kcore.server.connection import Connections
from kcore.server.door import Door
from kcore.server.health import Health
from kcore.server.limits import Limits
from kcore.server.openid import OpenId
from kcore.server.response import Heads
from kcore.server.stream import Lasting

if TYPE_CHECKING:
    from kcore.server.audit.auditor import Auditor

__all__ = ["ApiServer", "PortInUse"]

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 10.0
_BACKLOG = 4096


class PortInUse(Exception):
    """Somebody else listens there; the message is one sentence for the user."""


class ApiServer:
    """Serves a registry over HTTPS, and over plain HTTP to loopback where `insecure_port` is given.

    `also` names further addresses that have the same port.

    With `ssl_context` None the main port is plain too (for tests and measurements); requests then need a token.
    """

    def __init__(
        self,
        registry: Registry,
        clock: Clock,
        chance: Chance,
        *,
        host: str = "127.0.0.1",
        port: int = 6443,
        also: Sequence[str] = (),
        ssl_context: ssl.SSLContext | None = None,
        insecure_port: int = 0,
        authenticator: Authenticator | None = None,
        openid: OpenId | None = None,
        auditor: Auditor | None = None,
        kubelets: KubeletClient | None = None,
        aggregator: Aggregator | None = None,
        limits: Limits | None = None,
        request_timeout: float = 60,
    ) -> None:
        self.host = host
        self.port = port
        self.insecure_port = insecure_port
        self.health = Health()
        self._also = tuple(also)
        self._ssl_context = ssl_context
        self._door = Door(
            registry,
            authenticator or Authenticator(authenticators(TokenUnion())),
            self.health,
            clock,
            chance,
            self._address,
            openid or OpenId(None),
            kubelets or KubeletClient(unverified),
            auditor,
            aggregator,
            limits,
            request_timeout,
        )
        self._heads = Heads(clock, chance)

    @property
    def url(self) -> str:
        """Where clients on this machine find it."""
        scheme = "https" if self._ssl_context else "http"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"{scheme}://[{host}]:{self.port}" if ":" in host else f"{scheme}://{host}:{self.port}"

    def tell(self, path: str, document: Callable[[], object], figures: Callable[[], Collector]) -> None:
        """Have `path` answer with the JSON of a document, and `/metrics` with further figures: of other parts of the
        process."""
        self._door.documents.others[path] = document
        self._door.metrics.others.append(figures)

    def _address(self) -> str:
        """Where it listens; the port is known once it does."""
        return f"{self.host}:{self.port}"

    @property
    def streams(self) -> Collection[Lasting]:
        """The open watches, and what else lasts."""
        return self._door.streams

    def end_streams(self) -> None:
        """End every watch in good order; clients begin new ones where they were."""
        for stream in tuple(self._door.streams):
            stream.end()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Listen until cancelled; then stop accepting, end the watches, and let running requests finish."""
        connections = Connections(self._door.handle, self._heads, self._door.streams)
        listeners = [await self._listen(connections, self.host, self.port, self._ssl_context)]
        self.port = listeners[0].sockets[0].getsockname()[1]
        listeners += [await self._listen(connections, host, self.port, self._ssl_context) for host in self._also]
        doors = [connections]
        try:
            if self.insecure_port:
                trusting = Connections(self._door.handle, self._heads, self._door.streams, ADMIN)
                doors.append(trusting)
                listeners.append(await self._listen(trusting, "127.0.0.1", self.insecure_port, None))
            task_status.started()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                for listener in listeners:
                    listener.close()
                self.end_streams()
                await _drain(doors)

    @staticmethod
    async def _listen(
        connections: Connections, host: str, port: int, ssl_context: ssl.SSLContext | None
    ) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        try:
            return await loop.create_server(connections, host, port, ssl=ssl_context, backlog=_BACKLOG)
        except OSError as error:
            raise PortInUse(f"can not listen on {host}:{port}: {error.strerror or error}") from error


async def _drain(doors: list[Connections]) -> None:
    """Close idle connections, and the others once their requests are answered."""
    for connections in doors:
        connections.pre_shutdown()
    with anyio.move_on_after(DRAIN_SECONDS):
        for connections in doors:
            await connections.shutdown(DRAIN_SECONDS)
