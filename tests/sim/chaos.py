"""A client between the controllers and the server that fails as networks and servers do, by a seed.

Writes are refused with a conflict or an internal error; or they are done, and the answer is lost. Reads fail. Watches
end early, or their place in the history is gone. Everything takes a while.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

import anyio

from kcore.api.autoscaling_v1 import Scale
from kcore.api.errors import ApiError, Conflict, Expired, InternalError, ServiceUnavailable
from kcore.api.kind import Kind
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.object import Object
from kcore.api.scheme import Scheme
from kcore.client.client import Client, Listed, PatchType, WatchEvent

__all__ = ["ChaoticClient", "Trouble"]

T = TypeVar("T", bound=Object)


@dataclass
class Trouble:
    """How bad it is; shared by all clients of a world, so that it can be called off."""

    dice: Random
    on: bool = True
    refused: float = 0.05
    """The part of the writes that meet a conflict, and again of those that meet an error of the server."""
    lost: float = 0.05
    """The part of the writes that are done, though the caller is told that they failed."""
    unread: float = 0.02
    dropped: float = 0.05
    """The part of the batches of a watch after which it ends."""
    delay_max: float = 0.2

    def happens(self, share: float) -> bool:
        return self.on and self.dice.random() < share

    async def pass_time(self) -> None:
        if self.on:
            await anyio.sleep(self.dice.random() * self.delay_max)


class ChaoticClient:
    """A `Client` over another one."""

    def __init__(self, client: Client, trouble: Trouble) -> None:
        self._client = client
        self._trouble = trouble

    @property
    def scheme(self) -> Scheme:
        return self._client.scheme

    def as_user(self, name: str, groups: Sequence[str] = ()) -> ChaoticClient:
        return ChaoticClient(self._client.as_user(name, groups), self._trouble)

    async def get(self, kind: type[T] | Kind, name: str, namespace: str = "") -> T:
        await self._read()
        return await self._client.get(kind, name, namespace)

    async def get_scale(self, kind: type[Any] | Kind, name: str, namespace: str = "") -> Scale:
        await self._read()
        return await self._client.get_scale(kind, name, namespace)

    async def set_scale(self, kind: type[Any] | Kind, scale: Scale) -> Scale:
        async with self._written():
            return await self._client.set_scale(kind, scale)

    async def fetch(self, path: str, query: Mapping[str, str]) -> Any:
        await self._read()
        return await self._client.fetch(path, query)

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
        await self._read()
        return await self._client.list(
            kind,
            namespace,
            label_selector=label_selector,
            field_selector=field_selector,
            resource_version=resource_version,
            limit=limit,
            continue_=continue_,
        )

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
        await self._read()
        async with self._client.watch(
            kind,
            namespace,
            resource_version=resource_version,
            label_selector=label_selector,
            field_selector=field_selector,
            bookmarks=bookmarks,
        ) as batches:
            yield self._dropped(batches)

    async def _dropped(self, batches: AsyncIterator[Sequence[WatchEvent[T]]]) -> AsyncIterator[Sequence[WatchEvent[T]]]:
        async for events in batches:
            await self._trouble.pass_time()
            if self._trouble.happens(self._trouble.dropped):
                if self._trouble.happens(0.3):
                    raise Expired("the place in the history is gone")
                return
            yield events

    async def create(self, obj: T, *, dry_run: bool = False) -> T:
        async with self._written():
            return await self._client.create(obj, dry_run=dry_run)

    async def update(self, obj: T, *, subresource: str = "") -> T:
        async with self._written():
            return await self._client.update(obj, subresource=subresource)

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
        async with self._written():
            return await self._client.patch(
                kind, name, patch, namespace, patch_type=patch_type, subresource=subresource
            )

    async def delete(
        self, kind: type[T] | Kind, name: str, namespace: str = "", options: DeleteOptions | None = None
    ) -> None:
        async with self._written():
            await self._client.delete(kind, name, namespace, options)

    async def delete_collection(
        self,
        kind: type[T] | Kind,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        options: DeleteOptions | None = None,
    ) -> None:
        async with self._written():
            await self._client.delete_collection(
                kind, namespace, label_selector=label_selector, field_selector=field_selector, options=options
            )

    async def create_subresource(
        self, kind: type[T] | Kind, name: str, namespace: str, subresource: str, body: Object
    ) -> Any:
        async with self._written():
            return await self._client.create_subresource(kind, name, namespace, subresource, body)

    async def _read(self) -> None:
        await self._trouble.pass_time()
        if self._trouble.happens(self._trouble.unread):
            raise ServiceUnavailable("the server is not there")

    @asynccontextmanager
    async def _written(self) -> AsyncIterator[None]:
        trouble = self._trouble
        await trouble.pass_time()
        if trouble.happens(trouble.refused):
            raise Conflict("somebody was faster")
        if trouble.happens(trouble.refused):
            raise self._broken()
        yield
        await trouble.pass_time()
        if trouble.happens(trouble.lost):
            raise self._broken()

    def _broken(self) -> ApiError:
        return InternalError.because("the server broke down")
