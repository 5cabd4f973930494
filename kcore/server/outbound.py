"""HTTPS from the API server to others, by URL or as a Service of the cluster: to webhooks and aggregated API servers.

One pool of connections, made at the first call, so that a cluster which calls nobody pays nothing for it. Who is called
must prove by certificate that it is meant. Proxies of the environment and redirects are not followed: both would lead
where the configuration does not point.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import anyio
import anyio.to_thread
from anyio.abc import ByteStream, TaskStatus
from multidict import CIMultiDict
from yarl import URL

from kcore.kit.clock import Chance
from kcore.registry.service_endpoints import Address, resolve
from kcore.registry.webhook_client import ServiceTarget, Target
from kcore.server.connecting.dialing import connect
from kcore.store.store import Store

__all__ = ["BadBundle", "Outbound"]

USER_AGENT = "kube-apiserver-admission"
_CONTEXTS_MAX = 200


class BadBundle(Exception):
    """A CA bundle that holds no certificates."""


class Outbound:
    """Makes requests to targets. A service: its connections end with it.

    `certificate`: the files of what it shows of itself, and of the key.
    """

    def __init__(self, store: Store, chance: Chance, *, certificate: tuple[Path, Path] | None = None) -> None:
        self._store = store
        self._chance = chance
        self._certificate = certificate
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[tuple[str, bool], ssl.SSLContext] = {}

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        try:
            task_status.started()
            await anyio.sleep_forever()
        finally:
            await self.close()

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with anyio.CancelScope(shield=True):
                await session.close()

    @asynccontextmanager
    async def request(
        self,
        method: str,
        target: Target,
        *,
        query: str = "",
        body: bytes | None = None,
        headers: Mapping[str, str] | CIMultiDict[str],
        insecure: bool = False,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """`insecure`: whoever answers is believed. Raises Unresolved, BadBundle, and what aiohttp raises."""
        context = await self._context(target.ca_bundle, insecure)
        url, server_name = self._address(target)
        called = URL(url + (f"?{query}" if query else ""), encoded=True)
        sent: CIMultiDict[str] = CIMultiDict(headers)
        sent.setdefault("User-Agent", USER_AGENT)
        if server_name is not None:
            sent["Host"] = urlsplit(target.url).netloc
        async with self._connections().request(
            method, called, data=body, headers=sent, ssl=context, server_hostname=server_name, allow_redirects=False
        ) as response:
            yield response

    def _address(self, target: Target) -> tuple[str, str | None]:
        """The URL to connect to, and whose certificate is expected there if that is not the URL's host."""
        service = target.service
        if service is None:
            return target.url, None
        address = self._resolve(service)
        host = f"[{address.host}]" if ":" in address.host else address.host
        return f"https://{host}:{address.port}{urlsplit(target.url).path}", service.host

    def _resolve(self, service: ServiceTarget) -> Address:
        return self._chance.random.choice(resolve(self._store, *service))

    async def connect(self, service: ServiceTarget, ca_bundle: str, *, insecure: bool = False) -> ByteStream:
        """A connection of one's own. Raises Unresolved, BadBundle, OSError."""
        context = await self._context(ca_bundle, insecure)
        return await connect(*self._resolve(service), context, service.host)

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, use_dns_cache=False),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session

    async def _context(self, bundle: str, insecure: bool) -> ssl.SSLContext:
        """One for each bundle: connections are shared only by those who trust the same."""
        trust = bundle, insecure
        found = self._contexts.get(trust)
        if found is None:
            made = await anyio.to_thread.run_sync(_trusting, bundle, insecure, self._certificate)
            found = self._contexts.setdefault(trust, made)
            if len(self._contexts) > _CONTEXTS_MAX:
                del self._contexts[next(iter(self._contexts))]
        return found


def _trusting(bundle: str, insecure: bool, certificate: tuple[Path, Path] | None) -> ssl.SSLContext:
    """TLS that trusts what Go's would: the bundle's certificates, be they authorities or the very server's own."""
    try:
        authorities = base64.b64decode(bundle).decode("ascii") if bundle else None
        context = ssl.create_default_context(cadata=authorities)
    except (binascii.Error, UnicodeDecodeError, ssl.SSLError, ValueError):
        raise BadBundle("unable to load root certificates: unable to parse bytes as PEM block") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["http/1.1"])
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context
