"""Who owns what, over all kinds: the garbage collector's view of the cluster, kept up to date by informers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from kcore.api.kind import Kind
from kcore.api.meta_v1 import OwnerReference
from kcore.api.object import Object

__all__ = ["FOREGROUND", "ORPHAN", "Node", "OwnerGraph", "Step"]

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class Node(NamedTuple):
    """An object as far as garbage collection is concerned."""

    uid: str
    kind: Kind
    namespace: str
    name: str
    owners: tuple[OwnerReference, ...]
    finalizers: tuple[str, ...]
    deleting: bool

    @property
    def waits_for_dependents(self) -> bool:
        """Whether it is being deleted in the foreground."""
        return self.deleting and FOREGROUND in self.finalizers

    @property
    def frees_dependents(self) -> bool:
        """Whether it is being deleted and its dependents are to stay."""
        return self.deleting and ORPHAN in self.finalizers

    def is_blocking(self, owner: str) -> bool:
        """Whether the deletion of `owner` in the foreground has to wait for this object."""
        return any(ref.uid == owner and ref.block_owner_deletion for ref in self.owners)


Step = Iterable[str]
"""The uids of the objects that a change gives reason to look at."""


def node_of(kind: Kind, obj: Object) -> Node:
    metadata = obj.metadata
    return Node(
        uid=metadata.uid,
        kind=kind,
        namespace=metadata.namespace,
        name=metadata.name,
        owners=_same(metadata.owner_references),
        finalizers=metadata.finalizers,
        deleting=metadata.deletion_timestamp is not None,
    )


@lru_cache(maxsize=4096)
def _same(owners: tuple[OwnerReference, ...]) -> tuple[OwnerReference, ...]:
    """One object for all that have the same owners."""
    return owners


class OwnerGraph:
    """Nodes by uid, and the uids of dependents by the uid of their owner (which may be absent)."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._dependents: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def get(self, uid: str) -> Node | None:
        return self._nodes.get(uid)

    def dependents(self, uid: str) -> list[Node]:
        """Objects known to name `uid` as an owner."""
        return [self._nodes[dependent] for dependent in self._dependents.get(uid, ())]

    def change(self, kind: Kind, old: Object | None, new: Object | None) -> Step:
        """Take a change in; which objects to look at because of it."""
        if new is None:
            assert old is not None
            return self._remove(old.metadata.uid)
        metadata = new.metadata
        if old is not None and old.metadata.uid == metadata.uid:
            before = old.metadata
            if (
                before.owner_references == metadata.owner_references
                and before.finalizers == metadata.finalizers
                and before.deletion_timestamp == metadata.deletion_timestamp
            ):
                return ()
        elif old is not None:  # another object of the same name
            return [*self._remove(old.metadata.uid), *self._put(node_of(kind, new))]
        return self._put(node_of(kind, new))

    def _put(self, node: Node) -> Step:
        old = self._nodes.get(node.uid)
        self._nodes[node.uid] = node
        if old is not None and old.owners == node.owners:
            return self._concerned(old, node, ())
        before = {ref.uid for ref in old.owners} if old is not None else set()
        after = {ref.uid for ref in node.owners}
        for owner in before - after:
            self._unlink(owner, node.uid)
        for owner in after - before:
            self._dependents.setdefault(owner, set()).add(node.uid)
        return self._concerned(old, node, before - after)

    def _concerned(self, old: Node | None, node: Node, freed_from: Iterable[str]) -> Iterator[str]:
        if node.deleting and node.finalizers:
            yield node.uid
            if node.waits_for_dependents and not (old is not None and old.waits_for_dependents):
                yield from list(self._dependents.get(node.uid, ()))
        elif any(self._is_in_doubt(ref.uid) for ref in node.owners):
            yield node.uid
        # An owner that waits for this one may have waited long enough.
        yield from (owner for owner in freed_from if self._waits(owner))

    def _is_in_doubt(self, owner: str) -> bool:
        return owner not in self._nodes or self._waits(owner)

    def _waits(self, uid: str) -> bool:
        node = self._nodes.get(uid)
        return node is not None and node.waits_for_dependents

    def _remove(self, uid: str) -> Step:
        node = self._nodes.pop(uid, None)
        if node is None:
            return ()
        for ref in node.owners:
            self._unlink(ref.uid, uid)
        waiting = [ref.uid for ref in node.owners if self._waits(ref.uid)]
        return [*waiting, *self._dependents.get(uid, ())]

    def _unlink(self, owner: str, dependent: str) -> None:
        dependents = self._dependents.get(owner)
        if dependents is None:
            return
        dependents.discard(dependent)
        if not dependents:
            del self._dependents[owner]
