"""The two ways from a component to the server side of a world: within the process, or over HTTP."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp

from kcore.client.client import Client
from kcore.client.http import HttpClient
from kcore.client.kubeconfig import Access
from kcore.client.local import LOOPBACK, LocalClient
from kcore.kit.clock import Chance, Clock
from kcore.registry.access import Authorizer
from kcore.registry.authentication import TokenUnion
from kcore.registry.verbs import Registry
from kcore.server.authentication import Authenticator, authenticators
from kcore.server.authentication.static_tokens import StaticTokens
from kcore.server.connecting.dialing import unverified
from kcore.server.connecting.kubelets import KubeletClient
from kcore.server.connection import Connections
from kcore.server.door import Door
from kcore.server.health import Health
from kcore.server.openid import OpenId
from kcore.server.response import Heads

__all__ = ["Connect", "in_process", "over_http"]

Connect = Callable[[Registry, Authorizer, Clock, Chance], AbstractAsyncContextManager[Client]]

_TOKEN = "secret"
_numbers = itertools.count()


@asynccontextmanager
async def in_process(registry: Registry, policy: Authorizer, clock: Clock, chance: Chance) -> AsyncIterator[Client]:
    yield LocalClient(registry, authorizer=policy)


@asynccontextmanager
async def over_http(registry: Registry, policy: Authorizer, clock: Clock, chance: Chance) -> AsyncIterator[Client]:
    """A client with a scheme of its own, of a door with everything behind it.

    What one side writes to a Unix socket is there for the other at once: requests take no virtual time.
    """
    tokens = TokenUnion([StaticTokens({_TOKEN: LOOPBACK})])
    door = Door(
        registry,
        Authenticator(authenticators(tokens)),
        Health(),
        clock,
        chance,
        lambda: "kcore",
        OpenId(None),
        KubeletClient(unverified),
    )
    connections = Connections(door.handle, Heads(clock, chance), door.streams)
    path = f"\0kcore-world-{os.getpid()}-{next(_numbers)}"  # a name without a file
    listener = await asyncio.get_running_loop().create_unix_server(connections, path, backlog=1024)
    connector = aiohttp.UnixConnector(path, limit=0)
    access = Access("http://kcore", token=_TOKEN)
    try:
        async with HttpClient.open(access, agent="kube-controller-manager", connector=connector) as client:
            yield client
    finally:
        listener.close()
        await connections.shutdown(0)
