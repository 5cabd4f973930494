"""Claims, volumes and classes as the scheduler sees them: the caches, and over them what it has decided itself."""

from __future__ import annotations

from collections.abc import Iterable

import anyio

from kcore.api.core_v1 import PersistentVolume, PersistentVolumeClaim
from kcore.api.object import Object
from kcore.api.storage_classes import class_of
from kcore.api.storage_v1 import CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment
from kcore.client.informer import Informers
from kcore.scheduler.assumptions import Assumptions

__all__ = ["Volumes"]

BY_CLASS = "storage class"
BY_NODE = "attached to"
NO_PROVISIONER = "kubernetes.io/no-provisioner"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"


class Volumes:
    """All that is known of storage."""

    def __init__(self, informers: Informers) -> None:
        self._classes = informers.of(StorageClass)
        self._nodes = informers.of(CSINode)
        self._drivers = informers.of(CSIDriver)
        self._capacities = informers.of(CSIStorageCapacity)
        self._attachments = informers.of(VolumeAttachment)
        self._attachments.add_index(BY_NODE, lambda attachment: (attachment.spec.node_name,))
        claims, volumes = informers.of(PersistentVolumeClaim), informers.of(PersistentVolume)
        volumes.add_index(BY_CLASS, lambda volume: (class_of(volume),))
        self._volumes = volumes
        self.claims: Assumptions[PersistentVolumeClaim] = Assumptions(claims)
        self.volumes: Assumptions[PersistentVolume] = Assumptions(volumes)
        self._changed = anyio.Event()
        claims.add_handler(self._wake)
        volumes.add_handler(self._wake)

    def of_class(self, name: str) -> list[PersistentVolume]:
        """The volumes of a class as they are assumed to be."""
        known = [self.volumes.get(volume.metadata.name) for volume in self._volumes.by_index(BY_CLASS, name)]
        return [volume for volume in known if volume is not None]

    def storage_class(self, name: str) -> StorageClass | None:
        return self._classes.get(name)

    def csi_node(self, name: str) -> CSINode | None:
        return self._nodes.get(name)

    def driver(self, name: str) -> CSIDriver | None:
        return self._drivers.get(name)

    def capacities(self, storage_class: str) -> Iterable[CSIStorageCapacity]:
        return [one for one in self._capacities.values() if one.storage_class_name == storage_class]

    def attached(self, node_name: str) -> Iterable[VolumeAttachment]:
        return self._attachments.by_index(BY_NODE, node_name)

    def is_bound(self, claim: PersistentVolumeClaim) -> bool:
        """Whether a claim has its volume, and both sides know."""
        return bool(claim.spec.volume_name) and BIND_COMPLETED in claim.metadata.annotations

    async def wait_change(self) -> None:
        """Until a claim or a volume is another than now."""
        await self._changed.wait()

    def _wake(self, old: Object | None, new: Object | None) -> None:
        self._changed.set()
        self._changed = anyio.Event()
