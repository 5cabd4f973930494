"""Volumes, claims and attributes classes that are used outlive their deletion: three controllers of one shape.

Admission gives each new object a finalizer; the controller takes it off once the object is being deleted and nobody
uses it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, TypeVar

from msgspec.structs import replace

from kcore.api.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from kcore.api.object import Object
from kcore.api.pod_claims import BY_CLAIM, claims_of
from kcore.api.storage_v1 import VolumeAttributesClass
from kcore.client.informer import Informer
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.context import Context
from kcore.controllers.pods import is_finished

__all__ = ["ClaimProtectionController", "ClassProtectionController", "VolumeProtectionController"]

T = TypeVar("T", bound=Object)
BY_CLASS = "volume-attributes-class"


class _Protection(Controller):
    finalizer: ClassVar[str]
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._objects: Informer[Object] = context.informers.of(self.root)

    def is_used(self, key: str) -> bool:
        raise NotImplementedError

    async def reconcile(self, key: str) -> None:
        obj = self._objects.get(key)
        if obj is None or obj.metadata.deletion_timestamp is None or self.finalizer not in obj.metadata.finalizers:
            return
        if not self.is_used(key):
            left = tuple(f for f in obj.metadata.finalizers if f != self.finalizer)
            await self._client.update(replace(obj, metadata=replace(obj.metadata, finalizers=left)))


def _claims(pod: Pod) -> Iterable[str]:
    """Keys of the claims that a pod holds: from when it may start on a node until it has ended."""
    return claims_of(pod) if pod.spec.node_name and not is_finished(pod) else ()


class ClaimProtectionController(_Protection):
    """A claim is used by the pods that mount it."""

    name = "persistentvolumeclaim-protection-controller"
    root = PersistentVolumeClaim
    finalizer = "kubernetes.io/pvc-protection"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._pods = context.informers.of(Pod)
        self._pods.add_index(BY_CLAIM, claims_of)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {PersistentVolumeClaim: _itself, Pod: _released_claims}

    def is_used(self, key: str) -> bool:
        return any(key in _claims(pod) for pod in self._pods.by_index(BY_CLAIM, key))


class VolumeProtectionController(_Protection):
    """A volume is used while it is bound."""

    name = "persistentvolume-protection-controller"
    root = PersistentVolume
    finalizer = "kubernetes.io/pv-protection"

    def is_used(self, key: str) -> bool:
        volume = self._objects.get(key)
        return isinstance(volume, PersistentVolume) and volume.status.phase == "Bound"


def _class_of(obj: PersistentVolumeClaim | PersistentVolume) -> Iterator[str]:
    if obj.spec.volume_attributes_class_name:
        yield obj.spec.volume_attributes_class_name


class ClassProtectionController(_Protection):
    """A class is used by the claims and volumes that name it."""

    name = "volumeattributesclass-protection-controller"
    root = VolumeAttributesClass
    finalizer = "kubernetes.io/vac-protection"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._claims = context.informers.of(PersistentVolumeClaim)
        self._claims.add_index(BY_CLASS, _class_of)
        self._volumes = context.informers.of(PersistentVolume)
        self._volumes.add_index(BY_CLASS, _class_of)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {
            VolumeAttributesClass: _itself,
            PersistentVolumeClaim: _released_class,
            PersistentVolume: _released_class,
        }

    def is_used(self, key: str) -> bool:
        return bool(self._claims.by_index(BY_CLASS, key) or self._volumes.by_index(BY_CLASS, key))


def _itself(old: Object | None, new: Object | None) -> Iterator[str]:
    if new is not None and new.metadata.deletion_timestamp is not None:
        namespace, name = new.metadata.namespace, new.metadata.name
        yield f"{namespace}/{name}" if namespace else name


def _released_claims(old: Pod | None, new: Pod | None) -> Iterable[str]:
    if old is None:
        return ()
    held = set(_claims(new)) if new is not None else set()
    return [key for key in _claims(old) if key not in held]


def _released_class(
    old: PersistentVolumeClaim | PersistentVolume | None, new: PersistentVolumeClaim | PersistentVolume | None
) -> Iterable[str]:
    if old is None:
        return ()
    held = set(_class_of(new)) if new is not None else set()
    return [name for name in _class_of(old) if name not in held]
