"""A claim that says nothing of a class gets the default one, if there is one."""

from __future__ import annotations

from typing import Any

from kcore.api.core_v1 import PersistentVolumeClaim
from kcore.api.kind import Kind
from kcore.api.schema import fill
from kcore.api.storage_v1 import StorageClass
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request

__all__ = ["DefaultStorageClass"]

_IS_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_CLASS = "volume.beta.kubernetes.io/storage-class"


class DefaultStorageClass(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is PersistentVolumeClaim and operation is Operation.CREATE and not subresource

    def admit(self, req: Request, operation: Operation, obj: PersistentVolumeClaim, old: Any) -> None:
        # An empty name asks for no class at all, which is an answer.
        if obj.spec.storage_class_name is not None or _CLASS in obj.metadata.annotations:
            return
        found = self._default()
        if found is not None:
            fill(obj.spec, storage_class_name=found.metadata.name)

    def _default(self) -> StorageClass | None:
        """The newest of those marked as default; among equals the first by name."""
        classes = [r.obj for r in self.env.store.range("storageclasses.storage.k8s.io/").records]
        marked = [c for c in classes if any(c.metadata.annotations.get(a) == "true" for a in _IS_DEFAULT)]
        marked.sort(key=lambda c: str(c.metadata.name))
        return max(marked, key=lambda c: c.metadata.creation_timestamp or "", default=None)
