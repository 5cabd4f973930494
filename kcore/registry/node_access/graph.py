"""Which objects the pods of a node need: an index that follows the store.

Like the bindings of RBAC it catches up when it is asked, so that a cluster whose nodes do not ask pays nothing, and a
question is answered from what can be read at that moment. Only the relations that can not be looked up are kept: from
an object to the nodes whose pods name it, and from a secret to the volumes that name it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from kcore.api.core_v1 import PersistentVolume, Pod
from kcore.api.pod_references import MIRROR_ANNOTATION, Reference, pod_references, volume_secrets
from kcore.api.resource_v1 import ResourceSlice
from kcore.api.scheme import Scheme
from kcore.api.storage_v1 import VolumeAttachment
from kcore.store.store import Channel, Compacted, Event, EventType, Record, Store

__all__ = ["Graph"]


class _Placed(NamedTuple):
    """A pod on its node. What it names does not change any more, but for claims that are made for it."""

    node: str
    uid: str
    claims: object
    references: frozenset[Reference]


class Graph:
    """Asks whether there is a way from an object to a node."""

    def __init__(self, store: Store, scheme: Scheme) -> None:
        self._store = store
        self._pod, self._volume = scheme.of(Pod), scheme.of(PersistentVolume)
        self._attachment, self._slice = scheme.of(VolumeAttachment), scheme.of(ResourceSlice)
        self._seen = -1
        self._channels: tuple[Channel, ...] = ()
        self._placed: dict[str, _Placed] = {}
        self._nodes: dict[Reference, Counter[str]] = {}
        self._secrets: dict[str, frozenset[Reference]] = {}
        """What each volume names, by its key."""
        self._volumes: dict[Reference, set[str]] = {}

    def reaches(self, node: str, resource: str, namespace: str, name: str) -> bool:
        """Whether the node has something to do with the object."""
        if resource == "pods":
            pod = self._store.get(self._pod.key(namespace, name))
            return pod is not None and bool(pod.obj.spec.node_name == node)
        if resource == "persistentvolumes":
            return self._mounts(node, self._volume.key("", name))
        if resource == "volumeattachments":
            attachment = self._store.get(self._attachment.key("", name))
            return attachment is not None and bool(attachment.obj.spec.node_name == node)
        if resource == "resourceslices":
            standing = self._store.get(self._slice.key("", name))
            return standing is not None and bool(standing.obj.spec.node_name == node)
        reference = Reference(resource, namespace, name)
        if self._uses(node, reference):
            return True
        return any(self._mounts(node, volume) for volume in self._volumes.get(reference, ()))

    def _uses(self, node: str, reference: Reference) -> bool:
        self._follow()
        return node in self._nodes.get(reference, ())

    def _mounts(self, node: str, volume: str) -> bool:
        """Whether a pod of the node has the claim to which a volume is bound."""
        record = self._store.get(volume)
        claim = record.obj.spec.claim_ref if record is not None else None
        return claim is not None and self._uses(node, Reference("persistentvolumeclaims", claim.namespace, claim.name))

    def _follow(self) -> None:
        revision = self._store.revision
        if revision == self._seen:
            return
        try:
            for channel in self._channels:
                for event in channel.take_nowait():
                    self._apply(event)
        except Compacted:
            self._channels = ()
        if not self._channels:
            self._rebuild()
        self._seen = revision

    def _rebuild(self) -> None:
        for known in (self._placed, self._nodes, self._secrets, self._volumes):
            known.clear()
        prefixes = (self._pod.prefix(), self._volume.prefix())
        since = self._store.revision
        self._channels = tuple(self._store.watch(prefix, since=since) for prefix in prefixes)
        for prefix in prefixes:
            for record in self._store.range(prefix).records:
                self._add(record)

    def _apply(self, event: Event) -> None:
        record = event.record
        if event.type is EventType.DELETED:
            self._forget(record.key)
        elif not self._is_known(record):
            self._forget(record.key)
            self._add(record)

    def _is_known(self, record: Record) -> bool:
        placed = self._placed.get(record.key)
        if placed is None:
            return False
        pod: Pod = record.obj
        return placed.uid == pod.metadata.uid and placed.claims == pod.status.resource_claim_statuses

    def _add(self, record: Record) -> None:
        obj = record.obj
        if isinstance(obj, PersistentVolume):
            secrets = self._secrets[record.key] = frozenset(volume_secrets(obj))
            for secret in secrets:
                self._volumes.setdefault(secret, set()).add(record.key)
        elif obj.spec.node_name:
            self._place(record.key, obj)

    def _place(self, key: str, pod: Pod) -> None:
        # A node makes mirror pods itself: what they name must not become its own.
        named: Iterable[Reference] = () if MIRROR_ANNOTATION in pod.metadata.annotations else pod_references(pod)
        node, status = pod.spec.node_name, pod.status
        placed = _Placed(node, pod.metadata.uid, status.resource_claim_statuses, frozenset(named))
        self._placed[key] = placed
        for reference in placed.references:
            self._nodes.setdefault(reference, Counter())[node] += 1

    def _forget(self, key: str) -> None:
        for secret in self._secrets.pop(key, ()):
            self._volumes[secret].discard(key)
            if not self._volumes[secret]:
                del self._volumes[secret]
        placed = self._placed.pop(key, None)
        if placed is None:
            return
        for reference in placed.references:
            nodes = self._nodes[reference]
            nodes[placed.node] -= 1
            if not nodes[placed.node]:
                del nodes[placed.node]
            if not nodes:
                del self._nodes[reference]
