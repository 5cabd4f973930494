"""The client of those who live in the same process: verbs go straight to the registry, no bytes, no socket.

What is read is the store's own object, shared and frozen. What is written is copied first, because the registry
fills what it is given in place while caches may be sharing it; all but the statuses that it leaves as they are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import msgspec

from kcore.api.autoscaling_v1 import Scale
from kcore.api.decoding import decoder
from kcore.api.errors import NotFound
from kcore.api.kind import Kind
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.object import Object, encode_object
from kcore.api.scheme import Scheme
from kcore.client.client import Listed, WatchEvent
from kcore.registry.access import Attributes, Authorizer, is_master
from kcore.registry.converting import converted
from kcore.registry.refusals import require
from kcore.registry.request import Answer, ListOptions, PatchType, Request, User
from kcore.registry.verbs import Registry
from kcore.registry.watching import Watch
from kcore.store.store import Record

__all__ = ["Fetch", "LocalClient"]

T = TypeVar("T", bound=Object)

LOOPBACK = User("system:apiserver", groups=("system:masters",))

# What the binaries call themselves whose users these are.
_AGENTS = {"system:apiserver": "kube-apiserver", "system:nodes": "kubelet"}
_CONTROLLERS = "system:serviceaccount:kube-system:"

Fetch = Callable[[User, str, Mapping[str, str]], Awaitable[bytes]]
"""GETs a document, by path and query, as somebody. Raises ApiError."""

_encode = msgspec.json.Encoder().encode


def _agent(user: str) -> str:
    if user.startswith(_CONTROLLERS):
        return "kube-controller-manager"
    return _AGENTS.get(user) or user.rpartition(":")[2]


def _copy(obj: T) -> T:
    """A fresh object that nobody else has seen. The round trip through JSON is quicker than `copy.deepcopy`."""
    return decoder(type(obj))(encode_object(obj))


def _fresh(obj: T) -> T:
    """A copy without managed fields, of which an update need not speak: those that stand are kept."""
    metadata = obj.metadata
    if metadata.managed_fields:
        obj = msgspec.structs.replace(obj, metadata=msgspec.structs.replace(metadata, managed_fields=()))
    return _copy(obj)


def _object(answer: Answer) -> Any:
    return answer.obj if isinstance(answer, Record) else answer


class LocalClient:
    """A `Client` over a registry in the same process, trusted to be who it says.

    `authorizer`: who decides what it may do; None: everything. The API server itself is not asked about. `others`
    fetches from API servers behind this one.
    """

    def __init__(
        self,
        registry: Registry,
        user: User = LOOPBACK,
        authorizer: Authorizer | None = None,
        others: Fetch | None = None,
    ) -> None:
        self._registry = registry
        self._user = user
        self._authorizer = authorizer
        self._others = others
        self._asks = authorizer is not None and not is_master(user)
        self._field_manager = _agent(user.name)

    @property
    def scheme(self) -> Scheme:
        return self._registry.scheme

    def as_user(self, name: str, groups: Sequence[str] = ()) -> LocalClient:
        return LocalClient(self._registry, User(name, groups=tuple(groups)), self._authorizer, self._others)

    async def get(self, kind: type[T] | Kind, name: str, namespace: str = "") -> T:
        request = self._request("get", kind, namespace, name)
        found: T = _object(await converted(lambda: self._registry.get(request)))
        return found

    async def get_scale(self, kind: type[Any] | Kind, name: str, namespace: str = "") -> Scale:
        request = self._request("get", kind, namespace, name, "scale")
        if request.kind.subresource("scale") is None:
            raise NotFound("the server could not find the requested resource")
        return self._registry.get(request)  # type: ignore[return-value]

    async def set_scale(self, kind: type[Any] | Kind, scale: Scale) -> Scale:
        metadata = scale.metadata
        request = self._request("update", kind, metadata.namespace, metadata.name, "scale")
        return await self._registry.update(request, _copy(scale))  # type: ignore[return-value]

    async def fetch(self, path: str, query: Mapping[str, str]) -> Any:
        if self._others is None:
            raise NotFound("the server could not find the requested resource")
        return msgspec.json.decode(await self._others(self._user, path, query))

    async def list(
        self,
        kind: type[T] | Kind,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        limit: int = 0,
        continue_: str = "",
    ) -> Listed[T]:
        options = ListOptions(
            label_selector=label_selector,
            field_selector=field_selector,
            resource_version=resource_version,
            limit=limit,
            continue_=continue_,
        )
        request = self._request("list", kind, namespace)
        page = await converted(lambda: self._registry.list(request, options))
        return Listed([record.obj for record in page.records], page.resource_version, page.continue_)

    @asynccontextmanager
    async def watch(
        self,
        kind: type[T] | Kind,
        namespace: str = "",
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        bookmarks: bool = True,
    ) -> AsyncIterator[AsyncIterator[Sequence[WatchEvent[T]]]]:
        options = ListOptions(
            label_selector=label_selector,
            field_selector=field_selector,
            resource_version=resource_version,
            allow_watch_bookmarks=bookmarks,
        )
        request = self._request("watch", kind, namespace)
        watch = await converted(lambda: self._registry.watch(request, options))
        try:
            yield _batches(watch)
        finally:
            watch.close()

    async def create(self, obj: T, *, dry_run: bool = False) -> T:
        metadata = obj.metadata
        request = self._request("create", type(obj), metadata.namespace, metadata.name, dry_run=dry_run)
        created: T = _object(await self._registry.create(request, _copy(obj)))
        return created

    async def update(self, obj: T, *, subresource: str = "") -> T:
        metadata = obj.metadata
        request = self._request("update", type(obj), metadata.namespace, metadata.name, subresource)
        answer = await self._registry.report(request, obj) or await self._registry.update(request, _fresh(obj))
        updated: T = _object(answer)
        return updated

    async def patch(
        self,
        kind: type[T] | Kind,
        name: str,
        patch: Mapping[str, Any] | Sequence[Any],
        namespace: str = "",
        *,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> T:
        request = self._request("patch", kind, namespace, name, subresource)
        patched: T = _object(await self._registry.patch(request, patch_type, _encode(patch)))
        return patched

    async def delete(
        self, kind: type[T] | Kind, name: str, namespace: str = "", options: DeleteOptions | None = None
    ) -> None:
        await self._registry.delete(self._request("delete", kind, namespace, name), options or DeleteOptions())

    async def delete_collection(
        self,
        kind: type[T] | Kind,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        options: DeleteOptions | None = None,
    ) -> None:
        request = self._request("deletecollection", kind, namespace)
        selected = ListOptions(label_selector=label_selector, field_selector=field_selector)
        await self._registry.delete_collection(request, options or DeleteOptions(), selected)

    async def create_subresource(
        self, kind: type[T] | Kind, name: str, namespace: str, subresource: str, body: Object
    ) -> Any:
        request = self._request("create", kind, namespace, name, subresource)
        return _object(await self._registry.create(request, body))

    def _request(
        self,
        verb: str,
        kind: type[Any] | Kind,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        *,
        dry_run: bool = False,
    ) -> Request:
        if not isinstance(kind, Kind):
            kind = self._registry.scheme.of(kind)
        if self._asks and self._authorizer is not None:
            where = name if kind.group_resource == "namespaces" else namespace
            require(
                self._authorizer,
                Attributes(
                    self._user,
                    verb,
                    kind.group,
                    kind.plural,
                    subresource,
                    where,
                    name if subresource or verb != "create" else "",
                ),
            )
        return Request(
            verb,
            kind,
            namespace,
            name,
            self._user,
            subresource,
            dry_run,
            self._field_manager,
            "Ignore",
        )


async def _batches(watch: Watch) -> AsyncIterator[Sequence[WatchEvent[Any]]]:
    while True:
        try:
            events = await watch.next_batch()
        except anyio.ClosedResourceError:
            return
        yield [WatchEvent(event.type, event.record.obj) for event in events]
