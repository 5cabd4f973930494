"""A cluster's server side in memory, for components to live in: store, registry, client, caches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from kcore.api.core_v1 import Event, Namespace
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.api.scheme import Scheme
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers
from kcore.client.local import LocalClient
from kcore.kit.clock import Chance, LoopClock
from kcore.registry.codec import StoreCodec
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog

__all__ = ["World", "world"]


@dataclass
class World:
    """Everything there is, and the task group that services run in."""

    clock: LoopClock
    chance: Chance
    registry: Registry
    client: LocalClient
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


@asynccontextmanager
async def world(seed: int = 1) -> AsyncIterator[World]:
    """A world without controllers; start what is needed in its `tasks`."""
    clock, chance, scheme = LoopClock(), Chance(seed), Scheme()
    store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog())
    registry = Registry(store, scheme, STRATEGIES, clock, chance)
    client = LocalClient(registry)
    informers = Informers(client, chance)
    events = EventBroadcaster(client, clock)
    async with anyio.create_task_group() as tasks:
        await tasks.start(events.run)
        yield World(clock, chance, registry, client, informers, events, tasks)
        tasks.cancel_scope.cancel()
