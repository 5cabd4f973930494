"""Claims that grow, or want other attributes: who is to see to it, and how kcore's own provisioner does.

A larger request of a bound claim leads to a larger volume, and that to a larger capacity of the claim. Volumes of other
provisioners are for their resizers; the controller manager only says that it waits for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from kcore.api import quantity
from kcore.api.core_v1 import ModifyVolumeStatus, PersistentVolume, PersistentVolumeClaim
from kcore.api.object import Object
from kcore.api.storage_v1 import VolumeAttributesClass
from kcore.api.volume_matching import requested, size_of
from kcore.client.informer import key_of
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.context import Context
from kcore.controllers.volumes.provisioning import HOST_PATH, PROVISIONED_BY

__all__ = ["HostPathResizer", "VolumeExpander"]

BY_WANTED_CLASS = "claims by wanted attributes class"


class VolumeExpander(Controller):
    """Says of claims whose volumes others have made that those must act."""

    name = "persistentvolume-expander-controller"
    root = PersistentVolumeClaim
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._recorder = context.events.recorder("volume_expand")
        self._claims = context.informers.of(PersistentVolumeClaim)
        self._volumes = context.informers.of(PersistentVolume)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {PersistentVolumeClaim: _growing}

    def reads(self) -> tuple[type[Object], ...]:
        return (PersistentVolume,)

    async def reconcile(self, key: str) -> None:
        claim = self._claims.get(key)
        volume = self._volumes.get(claim.spec.volume_name) if claim is not None else None
        if claim is None or volume is None or not _is_growing(claim) or _is_ours(volume):
            return
        message = "waiting for an external controller to expand this PVC"
        self._recorder.event(claim, "Normal", "ExternalExpanding", message)


class HostPathResizer(Controller):
    """What a CSI driver's resizer does: a directory has room for any size, and knows of no attributes, so that what is
    asked for only has to be noted."""

    name = "host-path-resizer"
    root = PersistentVolumeClaim
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._recorder = context.events.recorder(f"external-resizer {HOST_PATH}")
        self._claims = context.informers.of(PersistentVolumeClaim)
        self._claims.add_index(BY_WANTED_CLASS, _wanted_class, reads_status=True)
        self._volumes = context.informers.of(PersistentVolume)
        self._classes = context.informers.of(VolumeAttributesClass)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {PersistentVolumeClaim: _changing, VolumeAttributesClass: self._class_changed}

    def reads(self) -> tuple[type[Object], ...]:
        return (PersistentVolume,)

    def _class_changed(self, old: VolumeAttributesClass | None, new: VolumeAttributesClass | None) -> Iterator[str]:
        if new is not None:
            yield from map(key_of, self._claims.by_index(BY_WANTED_CLASS, new.metadata.name))

    async def reconcile(self, key: str) -> None:
        claim = self._claims.get(key)
        volume = self._volumes.get(claim.spec.volume_name) if claim is not None else None
        if claim is None or volume is None or claim.status.phase != "Bound" or not _is_ours(volume):
            return
        if _is_growing(claim):
            claim, volume = await self._grow(claim, volume)
        if _wanted_class(claim):
            await self._modify(claim, volume)

    async def _grow(
        self, claim: PersistentVolumeClaim, volume: PersistentVolume
    ) -> tuple[PersistentVolumeClaim, PersistentVolume]:
        capacity = {"storage": requested(claim)}
        if quantity.compare(size_of(volume), requested(claim)) < 0:
            message = f"External resizer is resizing volume {volume.metadata.name}"
            self._recorder.event(claim, "Normal", "Resizing", message)
            spec = replace(volume.spec, capacity={**volume.spec.capacity, **capacity})
            volume = await self._client.update(replace(volume, spec=spec))
        status = replace(claim.status, capacity={**claim.status.capacity, **capacity})
        claim = await self._client.update(replace(claim, status=status), subresource="status")
        self._recorder.event(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded")
        return claim, volume

    async def _modify(self, claim: PersistentVolumeClaim, volume: PersistentVolume) -> None:
        wanted = claim.spec.volume_attributes_class_name
        assert wanted is not None
        attributes = self._classes.get(wanted)
        if attributes is None or attributes.driver_name != HOST_PATH:
            pending = ModifyVolumeStatus(
                target_volume_attributes_class_name=wanted, status="Pending" if attributes is None else "Infeasible"
            )
            if claim.status.modify_volume_status != pending:
                status = replace(claim.status, modify_volume_status=pending)
                await self._client.update(replace(claim, status=status), subresource="status")
            return
        if volume.spec.volume_attributes_class_name != wanted:
            spec = replace(volume.spec, volume_attributes_class_name=wanted)
            await self._client.update(replace(volume, spec=spec))
        status = replace(claim.status, current_volume_attributes_class_name=wanted, modify_volume_status=None)
        claim = await self._client.update(replace(claim, status=status), subresource="status")
        message = f"external resizer modified volume {claim.metadata.name} with vac {wanted} successfully"
        self._recorder.event(claim, "Normal", "VolumeModifySuccessful", message)


def _is_ours(volume: PersistentVolume) -> bool:
    return volume.metadata.annotations.get(PROVISIONED_BY) == HOST_PATH


def _is_growing(claim: PersistentVolumeClaim) -> bool:
    """Whether a bound claim asks for more than it has."""
    there = claim.status.capacity.get("storage")
    return claim.status.phase == "Bound" and there is not None and quantity.compare(requested(claim), there) > 0


def _wanted_class(claim: PersistentVolumeClaim) -> tuple[str, ...]:
    """The attributes class that the claim asks for and does not have."""
    wanted = claim.spec.volume_attributes_class_name
    if not wanted or claim.status.phase != "Bound" or wanted == claim.status.current_volume_attributes_class_name:
        return ()
    return (wanted,)


def _growing(old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> Iterator[str]:
    if new is not None and _is_growing(new):
        yield key_of(new)


def _changing(old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> Iterator[str]:
    if new is not None and (_is_growing(new) or _wanted_class(new)):
        yield key_of(new)
