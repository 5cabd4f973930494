"""Who belongs to whom: a controller adopts orphans that its selector matches, and releases what it matches no more.

Ownership is the one `ownerReferences` entry with `controller: true`; at most one controller manages an object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import anyio

from kcore.api.errors import Invalid, NotFound
from kcore.api.kind import Kind
from kcore.api.meta_v1 import OwnerReference
from kcore.api.object import Object
from kcore.client.client import Client, PatchType
from kcore.client.informer import Informer
from kcore.client.runner import controller_of

__all__ = ["Claimant", "controller_reference", "index_by_controller", "orphans_near", "owned_by", "owned_or_orphaned"]

T = TypeVar("T", bound=Object)

BY_CONTROLLER = "controller"


def controller_reference(owner: Object, kind: Kind) -> OwnerReference:
    """The reference that makes `owner` the controller of an object."""
    return OwnerReference(
        api_version=kind.api_version,
        kind=kind.name,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )


def index_by_controller(informer: Informer[Any]) -> None:
    """Keep objects by their controller's uid, and those without a controller by namespace."""
    informer.add_index(BY_CONTROLLER, _controller_or_namespace)


def _controller_or_namespace(obj: Object) -> Iterator[str]:
    owner = controller_of(obj.metadata)
    yield owner.uid if owner is not None else f"orphans of {obj.metadata.namespace}"


def owned_by(informer: Informer[T], owner: Object) -> list[T]:
    """What `owner` controls."""
    return informer.by_index(BY_CONTROLLER, owner.metadata.uid)


def owned_or_orphaned(informer: Informer[T], owner: Object) -> list[T]:
    """What `owner` controls, and what nobody in its namespace does."""
    return owned_by(informer, owner) + orphans_near(informer, owner)


def orphans_near(informer: Informer[T], owner: Object) -> list[T]:
    """What nobody controls in the namespace of `owner`."""
    return informer.by_index(BY_CONTROLLER, f"orphans of {owner.metadata.namespace}")


class Claimant:
    """One controller that claims objects of one kind. `finalizers` are those that come and go with its claim."""

    def __init__(
        self, client: Client, owner: Object, matches: Callable[[Object], bool], finalizers: Sequence[str] = ()
    ) -> None:
        self._client = client
        self._owner = owner
        self._kind = client.scheme.of(type(owner))
        self._matches = matches
        self._finalizers = list(finalizers)
        self._may_adopt: bool | None = None

    async def claim(self, objects: Iterable[T]) -> list[T]:
        """Those of `objects` that are the owner's, after adopting and releasing what needs it."""
        uid = self._owner.metadata.uid
        deleted = self._owner.metadata.deletion_timestamp is not None
        mine: list[T] = []
        to_adopt: list[T] = []
        to_release: list[T] = []
        for obj in objects:
            controller = controller_of(obj.metadata)
            if controller is not None:
                if controller.uid != uid:
                    continue
                if self._matches(obj):
                    mine.append(obj)
                elif not deleted:
                    to_release.append(obj)
            elif not deleted and obj.metadata.deletion_timestamp is None and self._matches(obj):
                to_adopt.append(obj)
        await self._release_all(to_release)
        return mine + await self._adopt_all(to_adopt)

    async def _adopt_all(self, objects: list[T]) -> list[T]:
        if not objects or not await self._alive():
            return []
        reference = controller_reference(self._owner, self._kind)
        entry = {
            "apiVersion": reference.api_version,
            "kind": reference.kind,
            "name": reference.name,
            "uid": reference.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
        finalizers = {"finalizers": self._finalizers} if self._finalizers else {}
        return [obj for obj in objects if await self._patch(obj, entry, finalizers)]

    async def _release_all(self, objects: list[T]) -> None:
        if not objects:
            return
        entry = {"$patch": "delete", "uid": self._owner.metadata.uid}
        finalizers = {"$deleteFromPrimitiveList/finalizers": self._finalizers} if self._finalizers else {}
        async with anyio.create_task_group() as patches:
            for obj in objects:
                patches.start_soon(self._patch, obj, entry, finalizers)

    async def _patch(self, obj: Object, entry: dict[str, Any], finalizers: dict[str, Any]) -> bool:
        metadata = obj.metadata
        patch = {"metadata": {"uid": metadata.uid, "ownerReferences": [entry], **finalizers}}
        try:
            await self._client.patch(
                type(obj), metadata.name, patch, metadata.namespace, patch_type=PatchType.STRATEGIC
            )
        except (NotFound, Invalid):  # gone, or replaced by another of its name
            return False
        return True

    async def _alive(self) -> bool:
        """Whether the owner itself is not about to go: asked of the server, because the cache may not know yet."""
        metadata = self._owner.metadata
        try:
            fresh: Object = await self._client.get(self._kind, metadata.name, metadata.namespace)
        except NotFound:
            return False
        return fresh.metadata.uid == metadata.uid and fresh.metadata.deletion_timestamp is None
