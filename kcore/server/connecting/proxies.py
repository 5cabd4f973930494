"""proxy of nodes, pods and services: any method, any path, to what listens there."""

from __future__ import annotations

import posixpath
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote

from aiohttp import web
from anyio.abc import ByteStream

from kcore.api.errors import ApiError, ServiceUnavailable
from kcore.kit.clock import Chance
from kcore.registry.connecting.locations import (
    PodPort,
    endpoint_of,
    kubelet_port,
    node_address,
    pod_port,
    port_number,
    proxyable,
    split_name,
)
from kcore.registry.validation.addresses import Network
from kcore.server.address import Address
from kcore.server.connecting.dialing import connect, dial_error, secured, unverified
from kcore.server.connecting.forwarding import Destination, forward
from kcore.server.connecting.headers import Headers, quoted_path
from kcore.server.connecting.kubelets import KubeletClient
from kcore.server.connecting.links import Rewriter
from kcore.server.connecting.lookup import Lookup
from kcore.server.response import TEXT_TYPE, Reply, header
from kcore.server.streaming.upgrading import asks_upgrade

__all__ = ["Proxies"]


class _Asked(NamedTuple):
    """A request for a proxy subresource; `name` may carry a scheme and a port, `rest` is the path behind it."""

    request: web.BaseRequest
    lookup: Lookup
    namespace: str
    name: str
    rest: str


class Proxies:
    """`pods`: where in the loopback range pods of this machine have their addresses."""

    def __init__(self, kubelets: KubeletClient, chance: Chance, pods: Network | None) -> None:
        self._kubelets = kubelets
        self._pods = pods
        self._chance = chance
        self._tls: ssl.SSLContext | None = None
        self._by_resource = {"nodes": self._node, "pods": self._pod, "services": self._service}

    async def answer(self, request: web.BaseRequest, lookup: Lookup, address: Address) -> web.StreamResponse:
        """Pass a request on to what it names. Raises ApiError."""
        asked = _Asked(request, lookup, address.namespace, address.name, address.rest)
        return await self._by_resource[address.resource](asked)

    async def _node(self, asked: _Asked) -> web.StreamResponse:
        """Without a port, or with the kubelet's, the kubelet is meant."""
        named = split_name(asked.name, "node")
        node = asked.lookup.node(named.name)
        path, query = _path(asked), asked.request.raw_path.partition("?")[2]
        if named.port in ("", str(kubelet_port(node))):
            if not path and asked.request.method in ("GET", "HEAD"):
                return _with_slash(asked.request)
            rewriter = _rewriter(asked.request, path, f"{named.name}:{kubelet_port(node)}")
            return await self._kubelets.ask(asked.request, node, path, query, rewriter=rewriter)
        host, port = proxyable(node_address(node)), port_number(named.port)
        tls = self._unverified() if named.scheme == "https" else None
        return await _forward(asked.request, path, host, port, partial(connect, host, port, tls))

    async def _pod(self, asked: _Asked) -> web.StreamResponse:
        named = split_name(asked.name, "pod")
        pod = asked.lookup.pod(asked.namespace, named.name)
        return await self._pod_port(asked, pod_port(pod, named))

    async def _service(self, asked: _Asked) -> web.StreamResponse:
        named = split_name(asked.name, "service")
        service = asked.lookup.service(asked.namespace, named.name)
        endpoints = asked.lookup.endpoints(asked.namespace, named.name)
        pod_of = partial(asked.lookup.pod, asked.namespace)
        return await self._pod_port(asked, endpoint_of(service, endpoints, named, pod_of, self._chance))

    async def _pod_port(self, asked: _Asked, at: PodPort) -> web.StreamResponse:
        """A pod of this process is reached through its runtime, wherever that has put it; any other by its address."""
        host = next((ip.ip for ip in at.pod.status.pod_ips), "")
        tls = self._unverified() if at.tls else None
        dial_here = self._kubelets.dial_here(at.pod, at.port)
        if dial_here is not None:
            dial = partial(_dial, dial_here, host, at.port, tls)
        else:
            dial = partial(connect, proxyable(host, self._pods), at.port, tls)
        return await _forward(asked.request, _path(asked), host, at.port, dial)

    def _unverified(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = unverified()
        return self._tls


async def _dial(
    dial: Callable[[], Awaitable[ByteStream]], host: str, port: int, tls: ssl.SSLContext | None
) -> ByteStream:
    try:
        stream = await dial()
    except OSError as error:
        raise dial_error(error, host, port) from error
    return await secured(stream, tls) if tls is not None else stream


async def _forward(
    request: web.BaseRequest, path: str, host: str, port: int, dial: Callable[[], Awaitable[ByteStream]]
) -> web.StreamResponse:
    if not path and request.method in ("GET", "HEAD") and not asks_upgrade(request.headers):
        return _with_slash(request)
    query = request.raw_path.partition("?")[2]
    target = quoted_path(path or "/") + (f"?{query}" if query else "")
    rewriter = _rewriter(request, path, f"{host}:{port}")
    forwarded = _forwarded_uri(rewriter.prefix, path)
    return await forward(request, Destination(dial, target, _not_reached, forwarded, rewriter=rewriter))


def _not_reached(why: str) -> ApiError:
    return ServiceUnavailable(f"error trying to reach service: {why}")


def _path(asked: _Asked) -> str:
    """The path to ask for: cleaned of dots, and with a slash at its end if the client's has one."""
    path = posixpath.normpath(asked.rest) if asked.rest else ""
    path = "/" + path.lstrip("/") if path else ""
    if _request_path(asked.request).endswith("/") and not path.endswith("/"):
        path += "/"
    return path


def _request_path(request: web.BaseRequest) -> str:
    return unquote(request.raw_path.partition("?")[0])


def _rewriter(request: web.BaseRequest, path: str, source: str) -> Rewriter:
    return Rewriter(_request_path(request).removesuffix(path), request.headers.get("Host", ""), source)


def _forwarded_uri(prefix: str, path: str) -> Headers:
    return [(b"X-Forwarded-Uri", quoted_path(prefix + path).encode())]


def _with_slash(request: web.BaseRequest) -> Reply:
    """Pages have relative links, which need a path that ends in a slash."""
    path, mark, query = request.raw_path.partition("?")
    return Reply(301, b"", TEXT_TYPE, header("Location", f"{path}/{mark}{query}"))
