"""Caches of what the server holds: one per kind, shared by everyone in the process, always a moment behind.

Objects in them are frozen and shared with all other readers. Handlers are called synchronously, in the order of
events, one call an object: they note keys and counts, and leave the work to a queue. A change that comes together with
the end of the object is not told: who is told of the end sees it there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import zip_longest
from typing import Any, Generic, TypeVar

import anyio
import structlog
from anyio.abc import TaskGroup, TaskStatus

from kcore.api.kind import Kind
from kcore.api.object import Object
from kcore.client.client import Client, WatchEvent, WatchType
from kcore.client.reflector import Reflector
from kcore.kit.clock import Chance

__all__ = ["Informer", "Informers", "OnChange", "key_of"]

T = TypeVar("T", bound=Object)
OnChange = Callable[[T | None, T | None], None]
IndexFunction = Callable[[T], Iterable[str]]

log = structlog.get_logger(__name__)


def key_of(obj: Object) -> str:
    """`"namespace/name"`, or `"name"` where there is no namespace: how caches and queues call an object."""
    metadata = obj.metadata
    return f"{metadata.namespace}/{metadata.name}" if metadata.namespace else metadata.name


class _Index(Generic[T]):
    """The keys of a cache's objects by a value that a function reads off them."""

    def __init__(self, function: IndexFunction[T], reads_status: bool) -> None:
        self._function = function
        self.reads_status = reads_status
        self.buckets: dict[str, dict[str, None]] = {}

    def change(self, key: str, old: T | None, new: T | None) -> None:
        after = self._function(new) if new is not None else ()
        if old is not None:
            before, after = tuple(self._function(old)), tuple(after)
            if before == after:
                return
            for value in before:
                self._remove(value, key)
        if new is not None:
            for value in after:
                bucket = self.buckets.get(value)
                if bucket is None:
                    bucket = self.buckets[value] = {}
                bucket[key] = None

    def _remove(self, value: str, key: str) -> None:
        bucket = self.buckets[value]
        del bucket[key]
        if not bucket:
            del self.buckets[value]


class Informer(Generic[T]):
    """The cache of one kind, perhaps narrowed by a field selector or a namespace. Only its reflector writes to it."""

    def __init__(
        self, client: Client, kind: Kind, chance: Chance, field_selector: str = "", namespace: str = ""
    ) -> None:
        self.kind = kind
        self._objects: dict[str, T] = {}
        self._indexes: dict[str, _Index[T]] = {}
        self._handlers: list[OnChange[T]] = []
        self._synced = anyio.Event()
        self._running: anyio.CancelScope | None = None
        self._stopped = False
        self._reflector: Reflector[T] = Reflector(
            client,
            kind,
            replace=self._replace,
            apply=self._apply,
            chance=chance,
            field_selector=field_selector,
            namespace=namespace,
        )

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: str) -> T | None:
        """The object called `key` (see `key_of`)."""
        return self._objects.get(key)

    def get_object(self, namespace: str, name: str) -> T | None:
        return self._objects.get(f"{namespace}/{name}" if namespace else name)

    def values(self) -> Collection[T]:
        """All objects: a live view, so make a list of it before awaiting anything."""
        return self._objects.values()

    def by_index(self, index_name: str, value: str) -> list[T]:
        """The objects for which the index's function gave `value`."""
        keys = self._indexes[index_name].buckets.get(value)
        return list(map(self._objects.__getitem__, keys)) if keys else []

    def add_index(self, name: str, function: IndexFunction[T], *, reads_status: bool = False) -> None:
        """Keep an index from now on. A name that is known already keeps its function: indexes are shared, too.

        `reads_status`: whether `function` has to be asked again where nothing but the status, or the resource version,
        the finalizers and the like have changed.
        """
        if name in self._indexes:
            return
        index = self._indexes[name] = _Index(function, reads_status)
        for key, obj in self._objects.items():
            index.change(key, None, obj)

    def add_handler(self, on_change: OnChange[T]) -> None:
        """Call `on_change(old, new)` for each change: `(None, obj)` for what is new or there already, `(obj, None)`
        for what is gone."""
        self._handlers.append(on_change)
        for obj in list(self._objects.values()):
            try:
                on_change(None, obj)
            except Exception:
                log.exception("informer handler failed", kind=self.kind.name)

    @property
    def synced(self) -> bool:
        """Whether the cache has once held everything."""
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        await self._synced.wait()

    async def run(self) -> None:
        """Follow the server until cancelled or stopped."""
        if self._stopped:
            return
        with anyio.CancelScope() as self._running:
            await self._reflector.run()

    def stop(self) -> None:
        self._stopped = True
        if self._running is not None:
            self._running.cancel()

    def _replace(self, items: Sequence[T]) -> None:
        fresh = {key_of(obj): obj for obj in items}
        for key in [key for key in self._objects if key not in fresh]:
            self._change(key, None)
        for key, obj in fresh.items():
            old = self._objects.get(key)
            if old is None or old.metadata.resource_version != obj.metadata.resource_version:
                self._change(key, obj)
        self._synced.set()

    def _apply(self, events: Sequence[WatchEvent[T]]) -> None:
        for (type_, obj), after in zip_longest(events, events[1:]):
            if type_ is WatchType.DELETED:
                self._change(key_of(obj), None, last=obj)
            elif type_ is WatchType.ADDED or (type_ is WatchType.MODIFIED and not _ends(obj, after)):
                self._change(key_of(obj), obj)

    def _change(self, key: str, new: T | None, last: T | None = None) -> None:
        old = self._objects.get(key)
        if new is not None:
            self._objects[key] = new
        elif self._objects.pop(key, None) is None:
            return
        same = old is not None and new is not None and _are_meant_the_same(old, new)
        for index in self._indexes.values():
            if not same or index.reads_status:
                index.change(key, old, new)
        if new is None and last is not None:
            old = last
        for handler in self._handlers:
            try:
                handler(old, new)
            except Exception:  # one reader's fault must not blind the others
                log.exception("informer handler failed", kind=self.kind.name)


def _ends(obj: Object, after: WatchEvent[Any] | None) -> bool:
    """Whether the next event is the end of the object."""
    return after is not None and after.type is WatchType.DELETED and after.object.metadata.uid == obj.metadata.uid


def _are_meant_the_same(old: Any, new: Any) -> bool:
    """Whether two versions of an object share what is wanted of it, its labels, annotations and owners included."""
    spec = getattr(new, "spec", None)
    if spec is None or old.spec is not spec:
        return False
    before, after = old.metadata, new.metadata
    return bool(
        (before.labels is after.labels or before.labels == after.labels)
        and (before.annotations is after.annotations or before.annotations == after.annotations)
        and (before.owner_references is after.owner_references or before.owner_references == after.owner_references)
    )


class Informers:
    """All caches of a process, made on demand and shared."""

    def __init__(self, client: Client, chance: Chance | None = None) -> None:
        self._client = client
        self._chance = chance or Chance()
        self._informers: dict[tuple[Kind, str, str], Informer[Any]] = {}
        self._tasks: TaskGroup | None = None

    def of(self, kind: type[T] | Kind, *, field_selector: str = "", namespace: str = "") -> Informer[T]:
        """The cache of a kind, or of what `field_selector` and `namespace` leave of it. One asked for while running
        starts at once."""
        kind = kind if isinstance(kind, Kind) else self._client.scheme.of(kind)
        key = kind, field_selector, namespace
        informer = self._informers.get(key)
        if informer is None:
            informer = self._informers[key] = Informer(self._client, kind, self._chance, field_selector, namespace)
            if self._tasks is not None:
                self._tasks.start_soon(informer.run)
        return informer

    def forget(self, kind: Kind) -> None:
        """Drop the caches of a kind that is no longer served."""
        for key in [key for key in self._informers if key[0] == kind]:
            self._informers.pop(key).stop()

    def drop(self, informer: Informer[Any]) -> None:
        """Do without a cache that nobody reads any more."""
        for key in [key for key, kept in self._informers.items() if kept is informer]:
            self._informers.pop(key).stop()

    async def wait_synced(self) -> None:
        """Wait until every cache asked for so far has held everything once."""
        for informer in list(self._informers.values()):
            await informer.wait_synced()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Keep all caches. Started once those asked for before are filled."""
        async with anyio.create_task_group() as self._tasks:
            for informer in list(self._informers.values()):
                self._tasks.start_soon(informer.run)
            await self.wait_synced()
            task_status.started()
            await anyio.sleep_forever()  # there may be none so far
