"""Volumes, claims and attributes classes are born with a finalizer, so that none is deleted while it is used."""

from __future__ import annotations

from typing import Any

from kcore.api.core_v1 import PersistentVolume, PersistentVolumeClaim
from kcore.api.kind import Kind
from kcore.api.schema import fill
from kcore.api.storage_v1 import VolumeAttributesClass
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request

__all__ = ["StorageObjectInUseProtection"]

_FINALIZERS: dict[type[Any], str] = {
    PersistentVolume: "kubernetes.io/pv-protection",
    PersistentVolumeClaim: "kubernetes.io/pvc-protection",
    VolumeAttributesClass: "kubernetes.io/vac-protection",
}


class StorageObjectInUseProtection(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type in _FINALIZERS and operation is Operation.CREATE and not subresource

    def admit(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        finalizer, metadata = _FINALIZERS[req.kind.type], obj.metadata
        if finalizer not in metadata.finalizers:
            fill(metadata, finalizers=(*metadata.finalizers, finalizer))
