"""Which storage class a claim or volume is of, and which class is the default one."""

from __future__ import annotations

from collections.abc import Iterable

from kcore.api.core_v1 import PersistentVolume, PersistentVolumeClaim
from kcore.api.storage_v1 import StorageClass

__all__ = ["IS_DEFAULT", "class_of", "default_class", "lacks_class", "waits_for_consumer"]

CLASS = "volume.beta.kubernetes.io/storage-class"
IS_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_MARKS = (IS_DEFAULT, "storageclass.beta.kubernetes.io/is-default-class")


def class_of(obj: PersistentVolumeClaim | PersistentVolume) -> str:
    """The name of the class; "" for none. The annotation is from before there was a field, and still wins."""
    annotated = obj.metadata.annotations.get(CLASS)
    return annotated if annotated is not None else obj.spec.storage_class_name or ""


def lacks_class(claim: PersistentVolumeClaim) -> bool:
    """Whether the claim says nothing of a class. An empty name asks for no class at all, which is an answer."""
    return claim.spec.storage_class_name is None and CLASS not in claim.metadata.annotations


def default_class(classes: Iterable[StorageClass]) -> StorageClass | None:
    """The newest of those that are marked as default; among equals the first by name."""
    marked = sorted(
        (c for c in classes if any(c.metadata.annotations.get(mark) == "true" for mark in _MARKS)),
        key=lambda c: c.metadata.name,
    )
    return max(marked, key=lambda c: c.metadata.creation_timestamp or "", default=None)


def waits_for_consumer(storage_class: StorageClass | None) -> bool:
    """Whether claims of the class are bound only once the scheduler has chosen a node for a pod that uses them."""
    return storage_class is not None and storage_class.volume_binding_mode == "WaitForFirstConsumer"
