"""A cluster's server side in memory, for components to live in: store, registry, client, caches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import msgspec
from anyio.abc import TaskGroup

from kcore.api.core_v1 import Event, Namespace
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.api.scheme import Scheme
from kcore.client.client import Client
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers
from kcore.client.local import LocalClient
from kcore.kit.clock import Chance, LoopClock
from kcore.registry.access import Authorizer
from kcore.registry.authorization import DEFAULT_MODES, authorizer
from kcore.registry.codec import StoreCodec
from kcore.registry.rbac.bootstrap import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog
from kcore.store.store import Put
from tests.sim.connections import Connect, in_process

__all__ = ["World", "world"]


@dataclass
class World:
    """Everything there is, and the task group that services run in."""

    clock: LoopClock
    chance: Chance
    registry: Registry
    client: Client
    inside: LocalClient
    """Of those who only look, often: in process, however the components are connected."""
    informers: Informers
    events: EventBroadcaster
    tasks: TaskGroup

    async def create_namespace(self, name: str = "ns") -> None:
        await self.client.create(Namespace(metadata=ObjectMeta(name=name)))

    async def settle(self, seconds: float = 1.0) -> None:
        """Let everything happen that happens within `seconds` of virtual time."""
        await anyio.sleep(seconds)

    async def until(self, holds: Callable[[], bool], timeout: float = 60.0) -> None:
        """Let time pass until `holds`."""
        with anyio.fail_after(timeout):
            while not holds():  # noqa: ASYNC110  # virtual time costs nothing
                await anyio.sleep(0.01)

    async def told(self, regarding: Object) -> list[str]:
        """The events about an object, as `Type Reason Message`, oldest first."""
        namespace = regarding.metadata.namespace or "default"
        events = (await self.client.list(Event, namespace)).items
        about = [e for e in events if e.involved_object.uid == regarding.metadata.uid]
        about.sort(key=lambda e: int(e.metadata.name.rpartition(".")[2], 16))
        return [f"{e.type} {e.reason} {e.message}" for e in about]


connect: Connect = in_process
"""How the components of new worlds reach their server side; conftests may choose."""

_policy: list[Authorizer] = []


async def bootstrap_policy() -> Authorizer:
    """Who may do what in a new cluster; made once, from a store of its own."""
    if not _policy:
        scheme = Scheme()
        store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog())
        for obj in (*CLUSTER_ROLES, *CLUSTER_ROLE_BINDINGS, *ROLES, *ROLE_BINDINGS):
            metadata = obj.metadata
            fresh = msgspec.convert(msgspec.to_builtins(obj), type(obj))  # the store writes into what it is given
            await store.commit(Put(scheme.of(type(obj)).key(metadata.namespace, metadata.name), fresh))
        _policy.append(authorizer(DEFAULT_MODES, store, scheme))
    return _policy[0]


@asynccontextmanager
async def world(seed: int = 1) -> AsyncIterator[World]:
    """A world without controllers; start what is needed in its `tasks`. They may do what upstream's policy allows."""
    clock, chance, scheme = LoopClock(), Chance(seed), Scheme()
    store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog())
    policy = await bootstrap_policy()
    registry = Registry(store, scheme, STRATEGIES, clock, chance, authorizer=policy)
    async with connect(registry, policy, clock, chance) as client, anyio.create_task_group() as tasks:
        informers = Informers(client, chance)
        events = EventBroadcaster(client, clock)
        await tasks.start(events.run)
        inside = LocalClient(registry, authorizer=policy)
        yield World(clock, chance, registry, client, inside, informers, events, tasks)
        tasks.cancel_scope.cancel()
