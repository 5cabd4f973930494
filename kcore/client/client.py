"""The verbs of the API, typed, whatever carries them: `local.py` calls the registry, `http.py` a remote server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from kcore.api.autoscaling_v1 import Scale
from kcore.api.kind import Kind
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.object import Object
from kcore.api.scheme import Scheme
from kcore.registry.request import PatchType
from kcore.store.store import EventType

__all__ = ["Client", "Listed", "PatchType", "WatchEvent", "WatchType"]

T = TypeVar("T", bound=Object)


WatchType = EventType


class WatchEvent(NamedTuple, Generic[T]):
    """`object` is the state after the event; for DELETED the last one; for BOOKMARK only its metadata counts."""

    type: WatchType
    object: T


class Listed(NamedTuple, Generic[T]):
    items: Sequence[T]
    resource_version: str
    continue_: str = ""


class Client(Protocol):
    """All verbs raise `kcore.api.errors.ApiError`.

    A kind is named by its Struct type, or by its `Kind` where it is known only at run time (custom resources come
    as `kcore.api.object.Object` subclasses like any other). Objects returned are shared and frozen: change them
    with `msgspec.structs.replace`.
    """

    @property
    def scheme(self) -> Scheme:
        """The kinds that the other side serves."""

    def as_user(self, name: str, groups: Sequence[str] = ()) -> Client:
        """The same connection under another identity (in process) or impersonating it (HTTP)."""

    async def get(self, kind: type[T] | Kind, name: str, namespace: str = "") -> T: ...

    async def get_scale(self, kind: type[Any] | Kind, name: str, namespace: str = "") -> Scale:
        """How many replicas an object wants and has. NotFound also where its kind has no scale."""

    async def set_scale(self, kind: type[Any] | Kind, scale: Scale) -> Scale:
        """Have an object want `scale.spec.replicas`. Conflict where the scale was read before the object changed."""

    async def fetch(self, path: str, query: Mapping[str, str]) -> Any:
        """GET a document of an API that the scheme does not know, as a JSON tree."""

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
    ) -> Listed[T]: ...

    def watch(
        self,
        kind: type[T] | Kind,
        namespace: str = "",
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        bookmarks: bool = True,
    ) -> AbstractAsyncContextManager[AsyncIterator[Sequence[WatchEvent[T]]]]:
        """Batches of events after `resource_version`. The iterator ends when the server ends the watch, and raises
        Expired when the revision is no longer in the history."""

    async def create(self, obj: T, *, dry_run: bool = False) -> T: ...

    async def update(self, obj: T, *, subresource: str = "") -> T:
        """Replace the object (or its `status`, ...). Conflict where its resourceVersion is not the current one."""

    async def patch(
        self,
        kind: type[T] | Kind,
        name: str,
        patch: Mapping[str, Any] | Sequence[Any],
        namespace: str = "",
        *,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> T: ...

    async def delete(
        self, kind: type[T] | Kind, name: str, namespace: str = "", options: DeleteOptions | None = None
    ) -> None: ...

    async def delete_collection(
        self,
        kind: type[T] | Kind,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        options: DeleteOptions | None = None,
    ) -> None: ...

    async def create_subresource(
        self, kind: type[T] | Kind, name: str, namespace: str, subresource: str, body: Object
    ) -> Any:
        """POST to a subresource, such as `binding` or `eviction`; returns the decoded answer. The body is given away:
        it may be filled in."""
