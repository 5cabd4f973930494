"""A claim may only grow where its class says that its volumes can."""

from __future__ import annotations

from kcore.api import quantity
from kcore.api.core_v1 import PersistentVolumeClaim
from kcore.api.kind import Kind
from kcore.api.storage_classes import class_of
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.request import Request

__all__ = ["PersistentVolumeClaimResize"]

_REFUSED = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
)


class PersistentVolumeClaimResize(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is PersistentVolumeClaim and operation is Operation.UPDATE and not subresource

    def validate(
        self, req: Request, operation: Operation, obj: PersistentVolumeClaim, old: PersistentVolumeClaim
    ) -> None:
        if old.status.phase != "Bound" or quantity.compare(_size(obj), _size(old)) <= 0:
            return
        record = self.env.store.get(f"storageclasses.storage.k8s.io/{class_of(obj)}") if class_of(obj) else None
        if record is None or not record.obj.allow_volume_expansion:
            raise forbidden(req, obj, _REFUSED)


def _size(claim: PersistentVolumeClaim) -> str:
    return claim.spec.resources.requests.get("storage", "0")
