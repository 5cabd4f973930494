"""How a container is asked, by probes and hooks: over HTTP, by connecting, by gRPC's health protocol."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import anyio

from kcore.api.core_v1 import GRPCAction, HTTPGetAction, TCPSocketAction
from kcore.node.kuberuntime.grpc_health import serving_status
from kcore.node.kuberuntime.probes import Outcome
from kcore.node.runtime import AnyContainer

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Questioner", "port_number"]

USER_AGENT = "kube-probe/1.36"
MOST_OUTPUT = 10 * 1024


def port_number(container: AnyContainer, port: int | str) -> int:
    """A port by number, or by the name that the container gives it. Raises LookupError."""
    if isinstance(port, int):
        return port
    for named in container.ports:
        if named.name == port:
            return named.container_port
    if port.isdigit():
        return int(port)
    raise LookupError(f"couldn't find port: {port}")


class Questioner:
    """Asks over the network. Its HTTP session is made when first needed, and closed with it."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def http_get(self, container: AnyContainer, ip: str, action: HTTPGetAction) -> Outcome:
        import aiohttp  # most pods have no such probe, and the import takes its time
        from yarl import URL

        host, scheme = action.host or ip, (action.scheme or "HTTP").lower()
        port = port_number(container, action.port)
        shown = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{action.path or '/'}"
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*", **{h.name: h.value for h in action.http_headers}}
        try:
            async with self._http().get(URL(shown, encoded=True), headers=headers, allow_redirects=False) as answer:
                body = (await answer.content.read(MOST_OUTPUT)).decode(errors="replace")
                if answer.status < 400:
                    return Outcome(True, body)
                return Outcome(False, f"HTTP probe failed with statuscode: {answer.status}")
        except aiohttp.ClientConnectorError as error:
            return Outcome(False, f'Get "{shown}": dial tcp {host}:{port}: {_connect_words(error.os_error)}')
        except aiohttp.ClientError as error:
            return Outcome(False, f'Get "{shown}": {error or type(error).__name__}')

    async def tcp_socket(self, container: AnyContainer, ip: str, action: TCPSocketAction) -> Outcome:
        host, port = action.host or ip, port_number(container, action.port)
        try:
            stream = await anyio.connect_tcp(host, port)
        except OSError as error:
            return Outcome(False, f"dial tcp {host}:{port}: {_connect_words(error)}")
        await stream.aclose()
        return Outcome(True)

    async def grpc(self, ip: str, action: GRPCAction) -> Outcome:
        try:
            status = await serving_status(ip, action.port, action.service or "")
        except OSError as error:
            return Outcome(False, f'timeout: failed to connect service "{ip}:{action.port}": {_connect_words(error)}')
        if status == "SERVING":
            return Outcome(True)
        return Outcome(False, f'service unhealthy (responded with "{status}")')

    def _http(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            # As upstream: a connection for each question, and no look at certificates.
            connector = aiohttp.TCPConnector(ssl=False, limit=0, force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


def _connect_words(error: OSError) -> str:
    """Why a connection failed, as Go says it."""
    while error.errno is None and isinstance(error.__cause__, OSError):
        error = error.__cause__
    if error.errno == errno.ECONNREFUSED:
        return "connect: connection refused"
    return f"connect: {os.strerror(error.errno).lower()}" if error.errno is not None else str(error)
