"""A registry over a real store in memory, with a clock that stands still until it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from kcore.api.kind import Kind
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.schema import TypeMeta
from kcore.api.scheme import Scheme
from kcore.kit.clock import Chance
from kcore.registry.codec import StoreCodec
from kcore.registry.request import Answer, ListOptions, ListPage, PatchType, Request, User
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.registry.watching import Watch
from kcore.store.embedded import EmbeddedStore
from kcore.store.history import WINDOW, Window
from kcore.store.log import MemoryLog
from kcore.store.store import Record

ADMIN = User("admin", groups=("system:masters", "system:authenticated"))


class HandClock:
    """Wall time that moves when a test moves it."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time


class Api:
    """The verbs as short as a test wants them: documents in, documents out."""

    def __init__(self, registry: Registry, clock: HandClock) -> None:
        self.registry = registry
        self.store = registry.store
        self.clock = clock

    def kind(self, resource: str) -> Kind:
        plural, _, group = resource.partition(".")
        return next(k for k in self.registry.scheme if k.plural == plural and (not group or k.group == group))

    def request(self, verb: str, resource: str, name: str = "", namespace: str = "ns", **more: Any) -> Request:
        kind = self.kind(resource)
        return Request(verb, kind, namespace if kind.namespaced else "", name, ADMIN, **more)

    def decode(self, resource: str, document: Mapping[str, Any], type_: type[Any] | None = None) -> Any:
        return msgspec.convert(dict(document), type=type_ or self.kind(resource).type)

    async def create(self, resource: str, document: Mapping[str, Any], req: Request | None = None) -> Any:
        request = req or self.request("create", resource)
        return tree(await self.registry.create(request, self.decode(resource, document)))

    async def update(self, resource: str, document: Mapping[str, Any], req: Request | None = None) -> Any:
        request = req or self.request("update", resource, document["metadata"]["name"])
        return tree(await self.registry.update(request, self.decode(resource, document)))

    async def patch(self, resource: str, name: str, patch: Any, type_: PatchType = PatchType.MERGE, **more: Any) -> Any:
        request = self.request("patch", resource, name, **more)
        return tree(await self.registry.patch(request, type_, msgspec.json.encode(patch)))

    async def delete(self, resource: str, name: str, req: Request | None = None, **options: Any) -> Any:
        request = req or self.request("delete", resource, name)
        return tree(await self.registry.delete(request, DeleteOptions(**options)))

    def get(self, resource: str, name: str, **more: Any) -> Any:
        return tree(self.registry.get(self.request("get", resource, name, **more)))

    def exists(self, resource: str, name: str) -> bool:
        return self.store.get(self.kind(resource).key("ns", name)) is not None

    def list(self, resource: str, namespace: str = "ns", **options: Any) -> ListPage:
        return self.registry.list(self.request("list", resource, namespace=namespace), ListOptions(**options))

    def names(self, resource: str, namespace: str = "ns", **options: Any) -> Sequence[str]:
        return [r.obj.metadata.name for r in self.list(resource, namespace, **options).records]

    def watch(self, resource: str, namespace: str = "ns", **options: Any) -> Watch:
        return self.registry.watch(self.request("watch", resource, namespace=namespace), ListOptions(**options))


def tree(answer: Answer) -> Any:
    """An answer as the JSON tree that a client would see, less its kind."""
    return msgspec.json.decode(answer.data if isinstance(answer, Record) else msgspec.json.encode(answer))


def seen(watch: Watch) -> list[tuple[str, str]]:
    """What a watch has ready, as (type, name)."""
    return [(e.type.value, e.record.obj.metadata.name) for e in watch.take_nowait()]


def document(answer: TypeMeta) -> Any:
    return msgspec.to_builtins(answer)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def new_api(clock: HandClock, history: Window = WINDOW) -> Api:
    """A registry with the namespace `ns`."""
    scheme = Scheme()
    store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog(), history=history)
    api = Api(Registry(store, scheme, STRATEGIES, clock, Chance(7)), clock)
    await api.create("namespaces", {"metadata": {"name": "ns"}})
    return api


@pytest.fixture
async def api(clock: HandClock) -> Api:
    return await new_api(clock)


@pytest.fixture
async def forgetful(clock: HandClock) -> Api:
    """A registry whose store remembers one event of each kind."""
    return await new_api(clock, Window(events=1))
