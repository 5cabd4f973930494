"""Kinds whose objects are made when somebody asks, from what is known at that moment: stores that nobody writes to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NoReturn, Protocol

from kcore.api.core_v1 import Pod
from kcore.api.errors import MethodNotAllowed
from kcore.api.explanation_v1alpha1 import PodExplanation
from kcore.api.kind import Kind
from kcore.api.metrics_v1beta1 import NodeMetrics, PodMetrics
from kcore.api.object import Object, encode_object
from kcore.registry.converting import NotConverted
from kcore.store.store import Channel, Op, Page, Record, Store

__all__ = ["Explainer", "MeasuredStore", "Usage"]


class Usage(Protocol):
    """What the nodes of this process, and the pods on them, were last seen to use."""

    def nodes(self) -> Iterable[NodeMetrics]: ...

    def pods(self) -> Iterable[PodMetrics]: ...


class Explainer(Protocol):
    """Who knows why pods go where they go."""

    async def explain(self, namespace: str, name: str) -> PodExplanation | None:
        """Of a pod that exists; None: there is none."""

    async def rehearse(self, pod: Pod) -> PodExplanation:
        """Of a pod that does not exist. Raises BadRequest where nobody here would schedule it."""


class _NotMade(NotConverted):
    """An object that has to be made first, which takes more than a moment."""

    def __init__(
        self, find: Callable[[str, str], Awaitable[Object | None]], offered: dict[str, Object | None], key: str
    ) -> None:
        super().__init__(key)
        self._find = find
        self._offered = offered
        self._key = key
        self._made: Object | None = None

    async def convert(self) -> None:
        *_, namespace, name = self._key.split("/")
        self._made = await self._find(namespace, name)

    def offer(self) -> None:
        self._offered[self._key] = self._made

    def withdraw(self) -> None:
        self._offered.pop(self._key, None)


class MeasuredStore:
    """`Store` for the keys of one kind whose objects come from elsewhere, at whatever revision the store is.

    `find` makes one object by namespace and name where that costs less than making all; it may take its time.
    """

    def __init__(
        self,
        store: Store,
        kind: Kind,
        objects: Callable[[], Iterable[Object]],
        find: Callable[[str, str], Awaitable[Object | None]] | None = None,
    ) -> None:
        self._store = store
        self._kind = kind
        self._all = objects
        self._find = find
        self._offered: dict[str, Object | None] = {}

    @property
    def revision(self) -> int:
        return self._store.revision

    @property
    def oldest_revision(self) -> int:
        return self._store.oldest_revision

    def get(self, key: str) -> Record | None:
        if self._find is None:
            return next((self._record(k, obj) for k, obj in self._objects() if k == key), None)
        if key not in self._offered:
            raise _NotMade(self._find, self._offered, key)
        found = self._offered[key]
        return self._record(key, found) if found is not None else None

    def head(self, key: str) -> Record | None:
        return self.get(key)

    def range(self, prefix: str, *, at: int | None = None, after: str = "", limit: int = 0) -> Page:
        found = sorted((key, obj) for key, obj in self._objects() if key.startswith(prefix) and key > after)
        shown = found[:limit] if limit else found
        return Page([self._record(key, obj) for key, obj in shown], self.revision, len(found) - len(shown))

    async def commit(self, *ops: Op) -> Sequence[Record]:
        self._refuse()

    def watch(self, prefix: str, *, since: int, index: tuple[str, str] | None = None) -> Channel:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise MethodNotAllowed(f"{self._kind.group_resource} are measured, and can only be read")

    def _objects(self) -> Iterable[tuple[str, Object]]:
        return ((self._kind.key(obj.metadata.namespace, obj.metadata.name), obj) for obj in self._all())

    def _record(self, key: str, obj: Object) -> Record:
        return Record(key, 0, obj, encode_object(obj))
