"""kcore's own provisioner: makes volumes for claims of its classes, and deletes them when they are released.

To the binder it is one of those external provisioners that a cluster may have any number of. A volume is a directory
below `volume_directory`: the kubelets of kcore all run on one machine, so every node can reach it. Simulated nodes
never make the directory, and nothing is missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping

import anyio.to_thread

from kcore.api.core_v1 import HostPathVolumeSource, PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec
from kcore.api.errors import AlreadyExists, NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.api.storage_classes import class_of, waits_for_consumer
from kcore.api.storage_v1 import StorageClass
from kcore.api.volume_matching import SELECTED_NODE, requested
from kcore.client.informer import key_of
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.context import Context
from kcore.controllers.volumes.binding import claim_reference
from kcore.controllers.volumes.provisioning import HOST_PATH, PROVISIONED_BY, STORAGE_PROVISIONER

__all__ = ["HostPathProvisioner"]


class HostPathProvisioner(Controller):
    """Keys with a slash are claims, those without are volumes."""

    name = "host-path-provisioner"
    root = PersistentVolumeClaim

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._directory = context.options.volume_directory
        self._recorder = context.events.recorder(HOST_PATH)
        self._claims = context.informers.of(PersistentVolumeClaim)
        self._volumes = context.informers.of(PersistentVolume)
        self._classes = context.informers.of(StorageClass)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {PersistentVolumeClaim: _asking, PersistentVolume: _released}

    def reads(self) -> tuple[type[Object], ...]:
        return (StorageClass,)

    async def reconcile(self, key: str) -> None:
        if "/" in key:
            claim = self._claims.get(key)
            if claim is not None and _is_asking(claim):
                await self._provision(claim)
        else:
            volume = self._volumes.get(key)
            if volume is not None and _is_ours_to_delete(volume):
                await self._delete(volume)

    async def _provision(self, claim: PersistentVolumeClaim) -> None:
        storage_class = self._classes.get(class_of(claim))
        if storage_class is None or storage_class.provisioner != HOST_PATH:
            return
        if waits_for_consumer(storage_class) and SELECTED_NODE not in claim.metadata.annotations:
            return
        if claim.spec.data_source_ref is not None:
            message = "failed to provision volume: this provisioner makes empty volumes only, not from a data source"
            self._recorder.event(claim, "Warning", "ProvisioningFailed", message)
            return
        message = f'External provisioner is provisioning volume for claim "{key_of(claim)}"'
        self._recorder.event(claim, "Normal", "Provisioning", message)
        volume = self._volume(claim, storage_class)
        try:
            await self._client.create(volume)
        except AlreadyExists:  # before the cache showed it
            return
        message = f"Successfully provisioned volume {volume.metadata.name}"
        self._recorder.event(claim, "Normal", "ProvisioningSucceeded", message)

    def _volume(self, claim: PersistentVolumeClaim, storage_class: StorageClass) -> PersistentVolume:
        name = f"pvc-{claim.metadata.uid}"
        spec = PersistentVolumeSpec(
            access_modes=claim.spec.access_modes,
            capacity={"storage": requested(claim)},
            claim_ref=claim_reference(claim),
            host_path=HostPathVolumeSource(path=str(self._directory / name), type="DirectoryOrCreate"),
            mount_options=storage_class.mount_options,
            persistent_volume_reclaim_policy=storage_class.reclaim_policy or "Delete",
            storage_class_name=storage_class.metadata.name,
            volume_attributes_class_name=claim.spec.volume_attributes_class_name or None,
            volume_mode=claim.spec.volume_mode,
        )
        return PersistentVolume(metadata=ObjectMeta(name=name, annotations={PROVISIONED_BY: HOST_PATH}), spec=spec)

    async def _delete(self, volume: PersistentVolume) -> None:
        """The data, where there are any, and then the volume. Its name says where they are, and not its path, which
        anybody may have written."""
        directory = self._directory / volume.metadata.name
        if directory.is_dir() and not directory.is_symlink():
            await anyio.to_thread.run_sync(shutil.rmtree, directory)
        try:
            await self._client.delete(PersistentVolume, volume.metadata.name)
        except NotFound:
            return


def _is_asking(claim: PersistentVolumeClaim) -> bool:
    return (
        not claim.spec.volume_name
        and claim.metadata.deletion_timestamp is None
        and claim.metadata.annotations.get(STORAGE_PROVISIONER) == HOST_PATH
    )


def _is_ours_to_delete(volume: PersistentVolume) -> bool:
    return (
        volume.status.phase == "Released"
        and volume.spec.persistent_volume_reclaim_policy == "Delete"
        and volume.metadata.deletion_timestamp is None
        and volume.metadata.annotations.get(PROVISIONED_BY) == HOST_PATH
    )


def _asking(old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> Iterator[str]:
    if new is not None and _is_asking(new):
        yield key_of(new)


def _released(old: PersistentVolume | None, new: PersistentVolume | None) -> Iterator[str]:
    if new is not None and _is_ours_to_delete(new):
        yield new.metadata.name
