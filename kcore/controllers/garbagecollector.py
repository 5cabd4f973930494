"""The garbage collector: what nobody owns any more goes, and owners go before, after or without their dependents.

* In the background (the default) the owner goes at once; its dependents, now with an absent owner, follow.
* In the foreground the owner stays, with the finalizer `foregroundDeletion`, until the dependents that block it
  (`blockOwnerDeletion`) are gone.
* With the finalizer `orphan` the dependents lose their reference first, and stay.

An object with several owners stays as long as one of them does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import anyio
from anyio.abc import TaskStatus

from kcore.api.errors import NotFound
from kcore.api.kind import Kind, parse_api_version
from kcore.api.meta_v1 import DeleteOptions, OwnerReference, Preconditions
from kcore.api.object import Object
from kcore.client.client import PatchType
from kcore.client.figures import Figures
from kcore.client.informer import Informer
from kcore.client.runner import work
from kcore.client.workqueue import WorkQueue
from kcore.controllers.context import Context
from kcore.controllers.ownergraph import FOREGROUND, ORPHAN, Node, OwnerGraph

__all__ = ["GarbageCollector"]

WORKERS = 20


class _Owners(NamedTuple):
    """The owner references of an object by the state of the owner."""

    solid: list[OwnerReference]
    dangling: list[OwnerReference]
    waiting: list[OwnerReference]


class GarbageCollector:
    """Looks at objects, by uid, whenever the owner graph says that something may be due."""

    name = "garbage-collector-controller"

    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._clock = context.clock
        self._graph = OwnerGraph()
        self._queue: WorkQueue[str] = WorkQueue()
        self.figures = Figures(self.name, self._queue)
        self._shared = context.informers
        self._informers: dict[str, tuple[Kind, Informer[Any]]] = {
            kind.group_resource: (kind, context.informers.of(kind)) for kind in self._collectable()
        }

    def _collectable(self) -> Sequence[Kind]:
        """Every kind that can be deleted, in one version."""
        found: dict[str, Kind] = {}
        for kind in self._client.scheme:
            if _is_collectable(kind):
                found.setdefault(kind.group_resource, kind)
        return list(found.values())

    def _served(self, kind: Kind, served: bool) -> None:
        """A kind has come or gone."""
        name = kind.group_resource
        if served and name not in self._informers and _is_collectable(kind):
            informer: Informer[Any] = self._shared.of(kind)
            self._informers[name] = kind, informer
            informer.add_handler(partial(self._changed, kind))
        elif not served and name in self._informers and self._informers[name][0] == kind:
            del self._informers[name]
            self._shared.forget(kind)
            for other in self._client.scheme:  # in another version, if it still is served
                if other.group_resource == name:
                    self._served(other, True)
                    break

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Collect until cancelled. Started once every object is known."""
        for _, informer in list(self._informers.values()):
            await informer.wait_synced()
        for kind, informer in self._informers.values():
            informer.add_handler(partial(self._changed, kind))
        self._client.scheme.subscribe(self._served)
        async with anyio.create_task_group() as workers:
            for _ in range(WORKERS):
                workers.start_soon(work, self.figures, self._queue, self._look_at, self._clock)
            task_status.started()

    def _changed(self, kind: Kind, old: Object | None, new: Object | None) -> None:
        for uid in self._graph.change(kind, old, new):
            self._queue.add(uid)

    async def _look_at(self, uid: str) -> None:
        node = self._graph.get(uid)
        if node is None:
            return
        if node.frees_dependents:
            await self._free_dependents(node)
        elif node.waits_for_dependents:
            await self._wait_for_dependents(node)
        elif node.owners and not node.deleting:
            await self._judge(node)

    async def _free_dependents(self, node: Node) -> None:
        async with anyio.create_task_group() as patches:
            for dependent in self._graph.dependents(node.uid):
                patches.start_soon(self._drop_owners, dependent, [node.uid])
        await self._drop_finalizer(node, ORPHAN)

    async def _wait_for_dependents(self, node: Node) -> None:
        blocking = [dep for dep in self._graph.dependents(node.uid) if dep.is_blocking(node.uid)]
        if not blocking:
            await self._drop_finalizer(node, FOREGROUND)
            return
        for dependent in blocking:
            if not dependent.waits_for_dependents:
                self._queue.add(dependent.uid)

    async def _judge(self, node: Node) -> None:
        """Whether an object with owners may stay, and in which way it goes otherwise."""
        known = [self._graph.get(ref.uid) for ref in node.owners]
        if all(owner is not None and not owner.waits_for_dependents for owner in known):
            return
        latest = await self._fresh(node)
        if latest is None or not latest.metadata.owner_references:
            return
        owners = await self._classify(node, latest.metadata.owner_references)
        if owners.solid:
            gone = [ref.uid for ref in (*owners.dangling, *owners.waiting)]
            if gone:
                await self._drop_owners(node, gone)
            return
        dependents = self._graph.dependents(node.uid)
        if owners.waiting and dependents:
            # Its own dependents first. Of a circle of owners, each would wait for the next: stop blocking there.
            if any(dependent.waits_for_dependents for dependent in dependents):
                await self._stop_blocking(node, latest.metadata.owner_references)
            await self._delete(node, latest, "Foreground")
            return
        if ORPHAN in latest.metadata.finalizers:
            policy = "Orphan"
        elif FOREGROUND in latest.metadata.finalizers:
            policy = "Foreground"
        else:
            policy = "Background"
        await self._delete(node, latest, policy)

    async def _classify(self, node: Node, references: Sequence[OwnerReference]) -> _Owners:
        owners = _Owners([], [], [])
        for ref in references:
            owner = self._graph.get(ref.uid)
            if owner is not None and owner.namespace in ("", node.namespace):
                (owners.waiting if owner.waits_for_dependents else owners.solid).append(ref)
            elif await self._is_absent(node, ref):
                owners.dangling.append(ref)
            else:
                owners.solid.append(ref)
        return owners

    async def _is_absent(self, node: Node, ref: OwnerReference) -> bool:
        """Ask the server, because the cache may lag; an owner of a kind that nobody serves is given the doubt."""
        group, version = parse_api_version(ref.api_version)
        kind = self._client.scheme.find_kind(group, version, ref.kind)
        if kind is None or (kind.namespaced and not node.namespace):
            return False
        try:
            owner: Object = await self._client.get(kind, ref.name, node.namespace if kind.namespaced else "")
        except NotFound:
            return True
        return owner.metadata.uid != ref.uid

    async def _fresh(self, node: Node) -> Object | None:
        """The object as the server has it, unless it is gone or going."""
        try:
            latest: Object = await self._client.get(node.kind, node.name, node.namespace)
        except NotFound:
            return None
        if latest.metadata.uid != node.uid or latest.metadata.deletion_timestamp is not None:
            return None
        return latest

    async def _delete(self, node: Node, latest: Object, policy: str) -> None:
        """On condition that nothing changed since: it might have been adopted."""
        preconditions = Preconditions(uid=node.uid, resource_version=latest.metadata.resource_version)
        options = DeleteOptions(propagation_policy=policy, preconditions=preconditions)
        try:
            await self._client.delete(node.kind, node.name, node.namespace, options)
        except NotFound:
            return

    async def _drop_owners(self, node: Node, owners: Sequence[str]) -> None:
        """Take references out of an object; merge patches serve every kind, custom ones too."""
        latest = await self._get(node)
        if latest is None:
            return
        kept = [ref for ref in latest.metadata.owner_references if ref.uid not in owners]
        if len(kept) != len(latest.metadata.owner_references):
            await self._patch(node, latest, {"ownerReferences": [_plain(ref) for ref in kept] or None})

    async def _stop_blocking(self, node: Node, references: Sequence[OwnerReference]) -> None:
        latest = await self._get(node)
        if latest is not None:
            free = [{**_plain(ref), "blockOwnerDeletion": False} for ref in references]
            await self._patch(node, latest, {"ownerReferences": free})

    async def _drop_finalizer(self, node: Node, finalizer: str) -> None:
        latest = await self._get(node)
        if latest is None or finalizer not in latest.metadata.finalizers:
            return
        kept = [name for name in latest.metadata.finalizers if name != finalizer]
        await self._patch(node, latest, {"finalizers": kept or None})

    async def _get(self, node: Node) -> Object | None:
        try:
            latest: Object = await self._client.get(node.kind, node.name, node.namespace)
        except NotFound:
            return None
        return latest if latest.metadata.uid == node.uid else None

    async def _patch(self, node: Node, latest: Object, metadata: dict[str, Any]) -> None:
        """Change the metadata of what `latest` showed; Conflict where it has changed since."""
        guard = {"uid": node.uid, "resourceVersion": latest.metadata.resource_version}
        patch = {"metadata": {**guard, **metadata}}
        try:
            await self._client.patch(node.kind, node.name, patch, node.namespace, patch_type=PatchType.MERGE)
        except NotFound:
            return


def _is_collectable(kind: Kind) -> bool:
    """Not events, which own nothing and are owned by nobody."""
    return {"delete", "list", "watch"} <= set(kind.verbs) and kind.plural != "events"


def _plain(ref: OwnerReference) -> dict[str, Any]:
    plain: dict[str, Any] = {"apiVersion": ref.api_version, "kind": ref.kind, "name": ref.name, "uid": ref.uid}
    if ref.controller is not None:
        plain["controller"] = ref.controller
    if ref.block_owner_deletion is not None:
        plain["blockOwnerDeletion"] = ref.block_owner_deletion
    return plain
