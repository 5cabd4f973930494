"""From a request to its answer: who asks, what for, may they; then the resource or the document.

The order is upstream's handler chain: authentication, request info, authorization, routing, negotiation.
"""

from __future__ import annotations

from typing import cast

from aiohttp import web

from kcore.api.errors import NotFound
from kcore.kit.clock import Chance, Clock
from kcore.registry.request import User
from kcore.registry.verbs import Registry
from kcore.server.address import parse_path, verb_of
from kcore.server.authentication import Authenticator
from kcore.server.authorization import authorize_path, authorize_resource
from kcore.server.connection import Connection
from kcore.server.discovery import Discovery
from kcore.server.errors import error_reply, method_not_allowed, page_not_found
from kcore.server.health import Health
from kcore.server.negotiation import error_media_type, negotiate_discovery
from kcore.server.openapi import OpenApi
from kcore.server.query import Query, parse_query
from kcore.server.resources import Call, Resources
from kcore.server.response import JSON_TYPE, TEXT_TYPE, Reply, header
from kcore.server.version import GIT_VERSION, version_document
from kcore.server.views import encode

__all__ = ["Door"]

_AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_OPENAPI_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_VARY = header("Vary", "Accept")


class Door:
    """Every request enters here."""

    def __init__(
        self,
        registry: Registry,
        authenticator: Authenticator,
        discovery: Discovery,
        health: Health,
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._authorizer = registry.authorizer
        self._authenticator = authenticator
        self._discovery = discovery
        self._health = health
        self._resources = Resources(registry, clock, chance)
        self._version = version_document()
        self._openapi = OpenApi(registry.scheme, GIT_VERSION)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except Exception as error:
            return error_reply(error, media_type=error_media_type(request.headers.get("Accept", "")))

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query_text = request.raw_path.partition("?")
        query = parse_query(query_text)
        user = cast(Connection, request.protocol).certified
        if user is None or "Authorization" in request.headers:
            user = await self._authenticator.user(request, user)
        address = parse_path(path)
        if address is None:
            return await self._document(request, user, path, query)
        verb = verb_of(request.method, address, query)
        authorize_resource(self._authorizer, user, verb, address)
        if address.group and not self._discovery.serves_group(address.group):
            return page_not_found()
        if not verb or request.method == "HEAD":
            raise method_not_allowed()
        return await self._resources.answer(Call(request, user, verb, address, query))

    async def _document(self, request: web.BaseRequest, user: User, path: str, query: Query) -> Reply:
        """Discovery, health, version."""
        path = "/" + path.strip("/")
        authorize_path(self._authorizer, user, _path_verb(request.method), path)
        root = path.split("/", 2)[1]
        if root in ("healthz", "livez", "readyz"):
            return self._health.answer(path, query)
        if root in ("api", "apis"):
            return self._discover(request, path)
        if path == "/version":
            return Reply(200, self._version)
        if root == "openapi":
            return await self._describe(request, path)
        return page_not_found()

    def _discover(self, request: web.BaseRequest, path: str) -> Reply:
        document = self._discovery.document(path)
        if document is None:
            group = path.split("/")[2]
            if path.startswith("/api/") or self._discovery.serves_group(group):
                raise NotFound.path()
            return page_not_found()
        if request.method != "GET" and path != "/apis":  # there upstream does not look at the method
            raise method_not_allowed()
        aggregated = self._discovery.aggregated(path)
        representation = negotiate_discovery(request.headers.get("Accept", ""), aggregated is not None)
        if not representation.form or aggregated is None:
            return Reply(200, encode(document, representation), representation.media_type, _VARY)
        return _tagged(request, *aggregated, _AGGREGATED_TYPE)

    async def _describe(self, request: web.BaseRequest, path: str) -> Reply:
        """OpenAPI. The third version's documents are asked for with their hash, so they may be cached for ever."""
        if path == "/openapi/v2":
            protobuf = "protobuf" in request.headers.get("Accept", "")
            document = await (self._openapi.v2_protobuf() if protobuf else self._openapi.v2())
            return _tagged(request, document.body, document.etag, _OPENAPI_V2_PROTOBUF if protobuf else JSON_TYPE)
        if path == "/openapi/v3":
            return Reply(200, await self._openapi.v3_index(), TEXT_TYPE, _VARY)
        found = await self._openapi.v3(path.removeprefix("/openapi/v3/"))
        if found is None:
            return Reply(404, b"", "")
        return _tagged(request, found.body, found.etag, JSON_TYPE)


def _tagged(request: web.BaseRequest, body: bytes, etag: str, content_type: str) -> Reply:
    """A document with its ETag, or word that the client has it already."""
    headers = _VARY + header("ETag", f'"{etag}"')
    if request.headers.get("If-None-Match") == f'"{etag}"':
        return Reply(304, b"", "", headers)
    return Reply(200, body, content_type, headers)


def _path_verb(method: str) -> str:
    """Of a path that is no resource, the verb is the method; but HEAD is a get."""
    return "get" if method in ("GET", "HEAD") else method.lower()
