"""A claim that says nothing of a class gets the default one, if there is one."""

from __future__ import annotations

from typing import Any

from kcore.api.core_v1 import PersistentVolumeClaim
from kcore.api.kind import Kind
from kcore.api.schema import fill
from kcore.api.storage_classes import default_class, lacks_class
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request

__all__ = ["DefaultStorageClass"]


class DefaultStorageClass(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is PersistentVolumeClaim and operation is Operation.CREATE and not subresource

    def admit(self, req: Request, operation: Operation, obj: PersistentVolumeClaim, old: Any) -> None:
        if not lacks_class(obj):
            return
        found = default_class(r.obj for r in self.env.store.range("storageclasses.storage.k8s.io/").records)
        if found is not None:
            fill(obj.spec, storage_class_name=found.metadata.name)
