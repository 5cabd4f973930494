"""The paths that are no resources: discovery, health, version, OpenAPI, metrics."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from aiohttp import web

from kcore.api.errors import NotFound
from kcore.api.scheme import Scheme
from kcore.server.aggregation.aggregator import Aggregator
from kcore.server.discovery import Discovery
from kcore.server.errors import method_not_allowed, page_not_found
from kcore.server.health import Health
from kcore.server.metrics import METRICS_TYPE, Metrics
from kcore.server.negotiation import negotiate_discovery, pretty
from kcore.server.openapi import OpenApi, v3_url
from kcore.server.openid import OpenId
from kcore.server.query import Query
from kcore.server.question import Arrival
from kcore.server.response import JSON_TYPE, TEXT_TYPE, Reply, header
from kcore.server.version import GIT_VERSION, version_document
from kcore.server.views import encode

__all__ = ["Documents"]

_AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_OPENAPI_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_VARY = header("Vary", "Accept")
_PATHS = (
    *("/.well-known/openid-configuration", "/apis/", "/metrics", "/openapi/v2", "/openapi/v3", "/openapi/v3/"),
    *("/openid/v1/jwks", "/version"),
)


class Documents:
    """Answers by path."""

    def __init__(
        self,
        scheme: Scheme,
        address: Callable[[], str],
        health: Health,
        metrics: Metrics,
        openid: OpenId,
        aggregator: Aggregator | None = None,
    ) -> None:
        self._discovery = Discovery(scheme, address, aggregator)
        self._health = health
        self._metrics = metrics
        self._openapi = OpenApi(scheme, GIT_VERSION, aggregator)
        self._openid = openid
        self._address = address
        self._version = version_document()
        self.others: dict[str, Callable[[], object]] = {}
        """Further paths, with what gives their JSON."""

    def serves_group(self, group: str) -> bool:
        return self._discovery.serves_group(group)

    async def answer(self, arrived: Arrival) -> Reply:
        """Raises ApiError."""
        request, path, query = arrived.request, arrived.path, arrived.query
        root = path.split("/", 2)[1]
        if root in ("healthz", "livez", "readyz"):
            return self._health.answer(path, query)
        if root in ("api", "apis"):
            return self._discover(request, path, query)
        if root == "openapi":
            return await self._describe(request, path, query)
        if root in (".well-known", "openid"):
            return await self._openid.answer(path, self._address())
        if path == "/version":
            return Reply(200, self._version)
        if path == "/metrics":
            return Reply(200, await self._metrics.render(), METRICS_TYPE)
        if path in ("/", "/index.html"):
            return self._index()
        if path in self.others:
            return Reply(200, msgspec.json.format(msgspec.json.encode(self.others[path]()), indent=2) + b"\n")
        return page_not_found()

    def _index(self) -> Reply:
        """All other paths."""
        paths = {*_PATHS, *self.others, *self._discovery.paths(), *self._health.paths()}
        return Reply(200, msgspec.json.format(msgspec.json.encode({"paths": sorted(paths)}), indent=2))

    def _discover(self, request: web.BaseRequest, path: str, query: Query) -> Reply:
        document = self._discovery.document(path)
        if document is None:
            if path.startswith("/api/") or self.serves_group(path.split("/")[2]):
                raise NotFound.path()
            return page_not_found()
        if request.method != "GET" and path != "/apis":  # there upstream does not look at the method
            raise method_not_allowed()
        aggregated = self._discovery.aggregated(path)
        representation = negotiate_discovery(request.headers.get("Accept", ""), aggregated is not None)
        if not representation.form or aggregated is None:
            representation = pretty(representation, query, request.headers.get("User-Agent", ""))
            return Reply(200, encode(document, representation), representation.media_type, _VARY)
        return _tagged(request, *aggregated, _AGGREGATED_TYPE)

    async def _describe(self, request: web.BaseRequest, path: str, query: Query) -> Reply:
        """OpenAPI. The third version's documents are asked for with their hash, so they may be cached for ever."""
        if path == "/openapi/v2":
            protobuf = "protobuf" in request.headers.get("Accept", "")
            document = await (self._openapi.v2_protobuf() if protobuf else self._openapi.v2())
            return _tagged(request, document.body, document.etag, _OPENAPI_V2_PROTOBUF if protobuf else JSON_TYPE)
        if path == "/openapi/v3":
            return Reply(200, await self._openapi.v3_index(), TEXT_TYPE, _VARY)
        name = path.removeprefix("/openapi/v3/")
        found = await self._openapi.v3(name)
        if found is None:
            return Reply(404, b"", "")
        wanted = query.get("hash")
        if wanted and wanted != found.etag:
            return Reply(301, b"", "", header("Location", v3_url(name, found)))
        reply = _tagged(request, found.body, found.etag, JSON_TYPE)
        if wanted:
            reply.cache_control = "public, immutable"
        return reply


def _tagged(request: web.BaseRequest, body: bytes, etag: str, content_type: str) -> Reply:
    """A document with its ETag, or word that the client has it already."""
    headers = _VARY + header("ETag", f'"{etag}"')
    if request.headers.get("If-None-Match") == f'"{etag}"':
        return Reply(304, b"", "", headers)
    return Reply(200, body, content_type, headers)
