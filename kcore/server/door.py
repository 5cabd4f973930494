"""From a request to its answer: who asks, what for, may they; then the resource or the document.

The order is upstream's handler chain: authentication, impersonation, authorization, routing, negotiation.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from typing import cast

from aiohttp import web

from kcore.kit.clock import Chance, Clock
from kcore.registry.request import User
from kcore.registry.verbs import Registry
from kcore.server.address import Address, parse_path, verb_of
from kcore.server.authentication import Asking, Authenticator
from kcore.server.authorization import authorize_path, authorize_resource
from kcore.server.connection import Connection
from kcore.server.documents import Documents
from kcore.server.errors import error_reply, method_not_allowed, page_not_found
from kcore.server.health import Health
from kcore.server.impersonation import asks_impersonation, impersonated
from kcore.server.metrics import Metrics, labels_of
from kcore.server.negotiation import error_media_type
from kcore.server.openid import OpenId
from kcore.server.query import Query, parse_query, selected_name
from kcore.server.resources import Call, Resources
from kcore.server.response import Reply, header
from kcore.server.stream import OpenWatch

__all__ = ["Door"]

_COMPRESSED_FROM = 128 * 1024
_GZIPPED = header("Content-Encoding", "gzip") + header("Vary", "Accept-Encoding")
_OF_COLLECTIONS = ("list", "watch", "deletecollection")


class Door:
    """Every request enters here. `address` tells where clients reach the server, once it listens."""

    def __init__(
        self,
        registry: Registry,
        authenticator: Authenticator,
        health: Health,
        clock: Clock,
        chance: Chance,
        address: Callable[[], str],
        openid: OpenId,
    ) -> None:
        self.streams: set[OpenWatch] = set()
        """The open watches."""
        self._authorizer = registry.authorizer
        self._authenticator = authenticator
        self._metrics = Metrics(lambda: [stream.labels for stream in self.streams])
        self._documents = Documents(registry.scheme, address, health, self._metrics, openid)
        self._resources = Resources(registry, clock, chance)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query_text = request.raw_path.partition("?")
        query = parse_query(query_text)
        address = parse_path(path)
        try:
            if address is not None:
                return await self._measured(request, address, query)
            path = "/" + path.strip("/")
            user = await self._user(request)
            authorize_path(self._authorizer, user, _path_verb(request.method), path)
            return await _compressed(request, await self._documents.answer(request, path, query))
        except Exception as error:
            return error_reply(error, media_type=error_media_type(request.headers.get("Accept", "")))

    async def _measured(self, request: web.BaseRequest, address: Address, query: Query) -> web.StreamResponse:
        """The answer of a resource, counted."""
        verb = verb_of(request.method, address, query)
        loop_time = asyncio.get_running_loop().time
        started, kind = loop_time(), self._metrics.begin(verb)
        try:
            reply = await self._resource(request, address, verb, query)
        except Exception as error:
            reply = error_reply(error, media_type=error_media_type(request.headers.get("Accept", "")))
        self._metrics.end(kind, labels_of(verb, address), reply.status, loop_time() - started)
        return reply

    async def _resource(
        self, request: web.BaseRequest, address: Address, verb: str, query: Query
    ) -> web.StreamResponse:
        user = await self._user(request)
        name, selector = (selected_name(query), query.get("fieldSelector")) if verb in _OF_COLLECTIONS else ("", "")
        authorize_resource(self._authorizer, user, verb, address, name, selector)
        if address.group and (not self._documents.serves_group(address.group) or self._resources.is_nowhere(address)):
            return page_not_found()
        if not verb or request.method == "HEAD":
            raise method_not_allowed()
        reply = await self._resources.answer(Call(request, user, verb, address, query, []))
        return await _compressed(request, reply) if isinstance(reply, Reply) else reply

    async def _user(self, request: web.BaseRequest) -> User:
        connection, headers = cast(Connection, request.protocol), request.headers
        user = connection.everyone or await self._authenticator.user(Asking(headers, connection.certificate))
        if asks_impersonation(headers):
            user = impersonated(self._authorizer, user, headers)
        return user


def _path_verb(method: str) -> str:
    """Of a path that is no resource, the verb is the method; but HEAD is a get."""
    return "get" if method in ("GET", "HEAD") else method.lower()


async def _compressed(request: web.BaseRequest, reply: Reply) -> Reply:
    """A large body goes gzipped to who takes it so. zlib works beside the loop, at its fastest level as upstream."""
    if len(reply.content) <= _COMPRESSED_FROM or request.method != "GET":
        return reply
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return reply
    body = await asyncio.to_thread(gzip.compress, reply.content, 1)
    return Reply(reply.status, body, reply.media_type, reply.extra + _GZIPPED)
