"""The kubelets' own TLS port: one listener for all nodes of the process."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import cast
from urllib.parse import urlsplit

import anyio
from aiohttp import web
from anyio.abc import TaskStatus

from kcore.api.errors import ApiError, BadRequest
from kcore.api.field import quote
from kcore.client.client import Client
from kcore.kit.clock import Chance, Clock
from kcore.registry.connecting.locations import KUBELET_PORT
from kcore.registry.request import User
from kcore.server.connection import Connection, Connections
from kcore.server.errors import status_of
from kcore.server.kubelet.access import KubeletAccess
from kcore.server.kubelet.door import KubeletDoor, text_reply
from kcore.server.kubelet.kubelets import Kubelets
from kcore.server.long_running import LongRunning
from kcore.server.metrics import Labels
from kcore.server.query import parse_query
from kcore.server.response import TEXT_TYPE, Heads, Reply
from kcore.server.stream import Lasting
from kcore.server.streaming.upgraded import Done

__all__ = ["KubeletServer"]

DRAIN_SECONDS = 5.0


class KubeletServer:
    """`client` is whose word counts for who a client is and what it may do. `port` 0 takes a free one, None the usual
    one if it can be had; `also` names further addresses that have the same port."""

    def __init__(
        self,
        kubelets: Kubelets,
        client: Client,
        clock: Clock,
        chance: Chance,
        *,
        host: str,
        port: int | None = None,
        also: Sequence[str] = (),
        ssl_context: ssl.SSLContext,
    ) -> None:
        self.host = host
        self.port = KUBELET_PORT if port is None else port
        self._also = tuple(also)
        self._may_move = port is None
        self._door = KubeletDoor(kubelets)
        self._access = KubeletAccess(client, clock)
        self._heads = Heads(clock, chance)
        self._ssl_context = ssl_context
        self._streams: set[Lasting] = set()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Listen until cancelled. Raises OSError where the port can not be had."""
        connections = Connections(self._handle, self._heads, self._streams)
        listeners = [await self._listen(connections)]
        self.port = listeners[0].sockets[0].getsockname()[1]
        create_server = asyncio.get_running_loop().create_server
        try:
            listeners += [
                await create_server(connections, host, self.port, ssl=self._ssl_context) for host in self._also
            ]
            task_status.started()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                for listener in listeners:
                    listener.close()
                for stream in tuple(self._streams):
                    stream.end()
                await connections.shutdown(DRAIN_SECONDS)

    async def _listen(self, connections: Connections) -> asyncio.Server:
        create_server = asyncio.get_running_loop().create_server
        try:
            return await create_server(connections, self.host, self.port, ssl=self._ssl_context)
        except OSError:
            if not self._may_move:
                raise
            return await create_server(connections, self.host, 0, ssl=self._ssl_context)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            user = await self._user(request)
            path, _, query_text = request.raw_path.partition("?")
            node = self._node(request.headers.get("Host", ""))
            await self._access.require(user, request.method, node, path)
            with LongRunning(request, _labels(request, path)):
                return await self._door.answer(request, node, path, parse_query(query_text))
            return Done()
        except ApiError as error:
            return text_reply(error)
        except Exception as error:
            return Reply(500, status_of(error).message.encode(), TEXT_TYPE)

    async def _user(self, request: web.BaseRequest) -> User:
        certificate = cast(Connection, request.protocol).certificate
        user = certificate.user if certificate is not None else None
        return user if user is not None else await self._access.user(request.headers.get("Authorization"))

    def _node(self, host: str) -> str:
        """Which node is asked: the host of the URL names it, by its name or one of its addresses. The kubelet of one
        node answers to any host. Raises BadRequest."""
        kubelets = self._door.kubelets
        names = kubelets.nodes()
        if len(names) == 1:
            return next(iter(names))
        name = urlsplit(f"//{host}").hostname or ""
        if name in names:
            return name
        for candidate in names:
            node = kubelets.node(candidate)
            if node is not None and any(address.address == name for address in node.status.addresses):
                return candidate
        raise BadRequest(f"the host of the URL must name one of the {len(names)} nodes served here, not {quote(name)}")


def _labels(request: web.BaseRequest, path: str) -> Labels:
    return Labels(request.method, "", "v1", "nodes", path.strip("/").partition("/")[0], "resource")
