"""A real door over a registry in memory, and a client that speaks HTTP to it."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import anyio
from multidict import CIMultiDictProxy

from kcore.api.core_v1 import Namespace
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.scheme import Scheme
from kcore.client.informer import Informers
from kcore.client.local import LocalClient
from kcore.client.runner import Runner
from kcore.controllers.bootstrappolicy import ensure_bootstrap_policy
from kcore.controllers.systemnamespaces import ensure_namespace
from kcore.kit.clock import Chance, SystemClock
from kcore.registry.authentication import TokenUnion
from kcore.registry.authorization import DEFAULT_MODES
from kcore.registry.authorization import authorizer as authorizer_of
from kcore.registry.codec import StoreCodec
from kcore.registry.request import Request, User
from kcore.registry.service_account_tokens import ServiceAccountTokens
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.server.aggregation.aggregator import Aggregator
from kcore.server.audit.options import AuditOptions
from kcore.server.authentication import Authenticator, authenticators
from kcore.server.authentication.assembly import Authentication
from kcore.server.authentication.options import AuthenticationOptions
from kcore.server.authentication.static_tokens import StaticTokens
from kcore.server.certificates import Pki
from kcore.server.limits.options import LimitOptions
from kcore.server.openid import OpenId
from kcore.server.server import ApiServer
from kcore.server.service_account_keys import ServiceAccountKeys
from kcore.store.embedded import EmbeddedStore
from kcore.store.history import WINDOW, Window
from kcore.store.log import MemoryLog

ADMIN = User("admin", groups=("system:masters", "system:authenticated"))
KNOWN = User("known", groups=("system:authenticated",))
VERA = User("vera", groups=("system:authenticated",))
TOKENS = {"admin-token": ADMIN, "known-token": KNOWN, "view-token": VERA}
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


class Answer(NamedTuple):
    code: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Door:
    """The server, and requests to it as the administrator unless told otherwise."""

    def __init__(
        self,
        server: ApiServer,
        registry: Registry,
        session: aiohttp.ClientSession,
        aggregator: Aggregator | None = None,
    ) -> None:
        self.server = server
        self.registry = registry
        self.session = session
        self.aggregator = aggregator

    async def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = "admin-token", **headers: str
    ) -> Answer:
        """`headers` are named with underscores; a `body` that is no bytes is sent as JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent.setdefault("Authorization", f"Bearer {token}")
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        payload = None if data is None else io.BytesIO(data)
        async with self.session.request(method, self.server.url + path, data=payload, headers=sent) as response:
            return Answer(response.status, response.headers, await response.read())

    @asynccontextmanager
    async def watching(self, path: str, **headers: str) -> AsyncIterator[AsyncIterator[Any]]:
        """The events of a watch, one by one, until the server ends it."""
        sent = {"Authorization": "Bearer admin-token", **{k.replace("_", "-"): v for k, v in headers.items()}}
        async with self.session.get(self.server.url + path, headers=sent) as response:
            assert response.status == 200, await response.text()

            async def events() -> AsyncIterator[Any]:
                async for line in response.content:
                    yield json.loads(line)

            yield events()

    async def create(self, name: str, **labels: str) -> Any:
        answer = await self.ask("POST", CONFIGMAPS, configmap(name, **labels))
        assert answer.code == 201, answer.body
        return answer.json


def configmap(name: str, **labels: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


@asynccontextmanager
async def serving(
    ssl_context: ssl.SSLContext | None = None,
    history: Window = WINDOW,
    *,
    keys: ServiceAccountKeys | None = None,
    access: AuthenticationOptions | None = None,
    pki: Path | None = None,
    policed: bool = False,
    audit: AuditOptions | None = None,
    front_proxy: Pki | None = None,
    limits: LimitOptions | None = None,
    **options: Any,
) -> AsyncIterator[Door]:
    """With `keys` service accounts have tokens; with `access` and `pki` clients are known as a cluster with those flags
    knows them; `policed` has roles decide, those of a new cluster; with a `front_proxy` there is aggregation."""
    scheme, clock, chance = Scheme(), SystemClock(), Chance(1)
    store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog(), history=history)
    tokens = ServiceAccountTokens(store, scheme, clock, chance, keys) if keys else None
    union = TokenUnion((StaticTokens(TOKENS), *([tokens] if tokens else [])))
    authenticator, openid = Authenticator(authenticators(union)), OpenId(keys)
    if access is not None and pki is not None:
        authentication = Authentication(access, pki, store, scheme, clock, chance)
        tokens, union = authentication.service_accounts, authentication.tokens
        openid = authentication.openid()
        authority = (pki / "ca.crt").read_bytes() if (pki / "ca.crt").exists() else b""
        authenticator = authentication.authenticator(authority, anonymous=True)
    authorizer = authorizer_of(DEFAULT_MODES, store, scheme) if policed else None
    registry = Registry(
        store, scheme, STRATEGIES, clock, chance, authorizer=authorizer, tokens=tokens, authentication=union
    )
    default = Request("create", scheme.of(Namespace), "", "default", ADMIN)
    await registry.create(default, Namespace(metadata=ObjectMeta(name="default")))
    if policed:
        for name in ("kube-system", "kube-public"):
            await ensure_namespace(LocalClient(registry), name)
        await ensure_bootstrap_policy(LocalClient(registry))
    auditor = audit.auditor(clock, chance) if audit else None
    aggregator = Aggregator(store, scheme, clock, chance, front_proxy.front_proxy_client) if front_proxy else None
    server = ApiServer(
        registry,
        clock,
        chance,
        port=0,
        ssl_context=ssl_context,
        authenticator=authenticator,
        auditor=auditor,
        limits=limits.limits(store, scheme) if limits else None,
        request_timeout=limits.request_timeout if limits else 60,
        openid=openid,
        aggregator=aggregator,
        **options,
    )
    async with anyio.create_task_group() as tasks:
        if auditor is not None:
            await tasks.start(auditor.run)
        await tasks.start(server.run)
        if aggregator is not None:
            client = LocalClient(registry)
            informers = Informers(client, chance)
            runner = Runner(aggregator.availability(client, informers), informers, clock)
            for service in (aggregator, informers, runner):
                await tasks.start(service.run)
        # Uncompressed unless asked, and no URL requoting: what a test writes is what goes out.
        session = aiohttp.ClientSession(headers={"Accept-Encoding": "identity"}, skip_auto_headers=["Accept"])
        async with session:
            yield Door(server, registry, session, aggregator)
        tasks.cancel_scope.cancel()
    await asyncio.sleep(0)  # let the transports close
