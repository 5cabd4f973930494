"""The volume binder: gives every claim a volume, and says what becomes of volumes whose claims are gone.

Keys with a slash are claims, those without are volumes. The two halves of a bond are written one after the other, and
any step may be the last before a crash: each look begins with what stands, and does what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from kcore.api.core_v1 import ObjectReference, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimStatus, Pod
from kcore.api.errors import NotFound
from kcore.api.object import Object
from kcore.api.pod_claims import BY_CLAIM, claims_of
from kcore.api.storage_classes import class_of, default_class, lacks_class, waits_for_consumer
from kcore.api.storage_v1 import StorageClass
from kcore.api.volume_matching import SELECTED_NODE, best_match, is_reserved_for, mismatch
from kcore.client.informer import key_of
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.context import Context
from kcore.controllers.volumes.binding import (
    BIND_COMPLETED,
    bound_claim,
    bound_status,
    bound_volume,
    unbound_volume,
)
from kcore.controllers.volumes.provisioning import (
    BETA_STORAGE_PROVISIONER,
    PROVISIONED_BY,
    STORAGE_PROVISIONER,
)
from kcore.controllers.volumes.recycling import Recycler, recycled_by

__all__ = ["VolumeBinder"]

FREE = "free volumes by class"
RESERVED = "volumes by claim"
UNBOUND = "unbound claims by class"
BY_VOLUME = "claims by volume"

LOST_REFERENCE = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
LOST_VOLUME = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
MISBOUND = "Two claims are bound to the same volume, this one is bound incorrectly"
NOTHING_FITS = "no persistent volumes available for this claim and no storage class is set"


class VolumeBinder(Controller):
    name = "persistentvolume-binder-controller"
    root = PersistentVolumeClaim

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._recorder = context.events.recorder("persistentvolume-controller")
        self._claims = context.informers.of(PersistentVolumeClaim)
        self._claims.add_index(UNBOUND, lambda c: () if c.spec.volume_name else (class_of(c),))
        self._claims.add_index(BY_VOLUME, lambda c: (c.spec.volume_name,) if c.spec.volume_name else ())
        self._volumes = context.informers.of(PersistentVolume)
        self._volumes.add_index(FREE, lambda v: (class_of(v),) if v.spec.claim_ref is None else ())
        self._volumes.add_index(RESERVED, lambda v: (_claim_key(v.spec.claim_ref),) if v.spec.claim_ref else ())
        self._classes = context.informers.of(StorageClass)
        self._pods = context.informers.of(Pod)
        self._pods.add_index(BY_CLAIM, claims_of)
        self._recycler = Recycler(context.client, self._pods)
        self._promised: dict[str, str] = {}
        """Free volumes that a claim is about to get, as the cache will soon show."""

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {
            PersistentVolumeClaim: self._claim_changed,
            PersistentVolume: self._volume_changed,
            StorageClass: self._class_changed,
            Pod: _pod_changed,
        }

    def _claim_changed(self, old: PersistentVolumeClaim | None, new: PersistentVolumeClaim | None) -> Iterator[str]:
        claim = new if new is not None else old
        assert claim is not None
        if new is not None:
            yield key_of(new)
        if claim.spec.volume_name:
            yield claim.spec.volume_name
        for volume in self._volumes.by_index(RESERVED, key_of(claim)):
            yield volume.metadata.name

    def _volume_changed(self, old: PersistentVolume | None, new: PersistentVolume | None) -> Iterator[str]:
        volume = new if new is not None else old
        assert volume is not None
        yield volume.metadata.name
        yield from map(key_of, self._claims.by_index(BY_VOLUME, volume.metadata.name))
        if volume.spec.claim_ref is not None:
            yield _claim_key(volume.spec.claim_ref)
            self._promised.pop(volume.metadata.name, None)
        elif volume.status.phase == "Available":
            yield from map(key_of, self._claims.by_index(UNBOUND, class_of(volume)))

    def _class_changed(self, old: StorageClass | None, new: StorageClass | None) -> Iterator[str]:
        if new is not None:
            yield from map(key_of, self._claims.by_index(UNBOUND, new.metadata.name))
            yield from (key_of(claim) for claim in self._claims.by_index(UNBOUND, "") if lacks_class(claim))

    async def reconcile(self, key: str) -> None:
        if "/" not in key:
            volume = self._volumes.get(key)
            if volume is not None:
                await self._look_at_volume(volume)
            return
        claim = self._claims.get(key)
        if claim is None:
            return
        if BIND_COMPLETED in claim.metadata.annotations:
            await self._keep(claim)
        elif claim.spec.volume_name:
            await self._bind_to_named(claim)
        else:
            await self._find(claim)

    # Claims.

    async def _find(self, claim: PersistentVolumeClaim) -> None:
        """A volume for a claim that leaves the choice to us."""
        if lacks_class(claim) and (default := default_class(self._classes.values())) is not None:
            spec = replace(claim.spec, storage_class_name=default.metadata.name)
            claim = await self._client.update(replace(claim, spec=spec))
        storage_class = self._classes.get(class_of(claim))
        waits = waits_for_consumer(storage_class)
        volume = best_match(claim, self._candidates(claim), reserved_only=waits)
        if volume is not None:
            await self._bind(volume, claim)
        elif waits and SELECTED_NODE not in claim.metadata.annotations:
            self._tell_that_it_waits(claim)
        elif class_of(claim):
            await self._provision(claim, storage_class)
        else:
            self._recorder.event(claim, "Normal", "FailedBinding", NOTHING_FITS)

    def _candidates(self, claim: PersistentVolumeClaim) -> list[PersistentVolume]:
        key = key_of(claim)
        free = self._volumes.by_index(FREE, class_of(claim))
        return [
            *self._volumes.by_index(RESERVED, key),
            *(volume for volume in free if self._promised.get(volume.metadata.name, key) == key),
        ]

    def _tell_that_it_waits(self, claim: PersistentVolumeClaim) -> None:
        pods = sorted(
            pod.metadata.name for pod in self._pods.by_index(BY_CLAIM, key_of(claim)) if not pod.spec.node_name
        )
        reason, message = "WaitForFirstConsumer", "waiting for first consumer to be created before binding"
        if pods:
            reason = "WaitForPodScheduled"
            message = f"waiting for pod{'s' if len(pods) > 1 else ''} {','.join(pods)} to be scheduled"
        self._recorder.event(claim, "Normal", reason, message)

    async def _provision(self, claim: PersistentVolumeClaim, storage_class: StorageClass | None) -> None:
        """Ask the class's provisioner, whoever that is, by an annotation; it makes a volume that names the claim."""
        if storage_class is None:
            message = f'storageclass.storage.k8s.io "{class_of(claim)}" not found'
            self._recorder.event(claim, "Warning", "ProvisioningFailed", message)
            return
        provisioner = storage_class.provisioner
        if provisioner.startswith("kubernetes.io/"):  # none of those that were built in is left
            message = f"no volume plugin matched name: {provisioner}"
            self._recorder.event(claim, "Warning", "ProvisioningFailed", message)
            return
        asked = {BETA_STORAGE_PROVISIONER: provisioner, STORAGE_PROVISIONER: provisioner}
        if not asked.items() <= claim.metadata.annotations.items():
            metadata = replace(claim.metadata, annotations={**claim.metadata.annotations, **asked})
            claim = await self._client.update(replace(claim, metadata=metadata))
        message = (
            f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the "
            "system administrator. If volume creation is delayed, please verify that the provisioner is running and "
            "correctly registered."
        )
        self._recorder.event(claim, "Normal", "ExternalProvisioning", message)

    async def _bind_to_named(self, claim: PersistentVolumeClaim) -> None:
        """The claim asks for one volume by name."""
        name = claim.spec.volume_name
        volume = self._volumes.get(name)
        if volume is None:
            await self._set_status(claim, _without_volume(claim, "Pending"))
        elif volume.spec.claim_ref is None and (why := mismatch(volume, claim)):
            message = f'Cannot bind to requested volume "{name}": {why}'
            self._recorder.event(claim, "Warning", "VolumeMismatch", message)
            await self._set_status(claim, _without_volume(claim, "Pending"))
        elif volume.spec.claim_ref is None or is_reserved_for(volume, claim):
            await self._bind(volume, claim)
        else:
            message = f'volume "{name}" already bound to a different claim.'
            self._recorder.event(claim, "Warning", "FailedBinding", message)
            await self._set_status(claim, _without_volume(claim, "Pending"))

    async def _keep(self, claim: PersistentVolumeClaim) -> None:
        """A claim that was bound once stays so, or is lost for ever."""
        volume = self._volumes.get(claim.spec.volume_name)
        if not claim.spec.volume_name:
            await self._lose(claim, "ClaimLost", LOST_REFERENCE)
        elif volume is None:
            await self._lose(claim, "ClaimLost", LOST_VOLUME)
        elif volume.spec.claim_ref is None or volume.spec.claim_ref.uid == claim.metadata.uid:
            await self._bind(volume, claim)
        else:
            await self._lose(claim, "ClaimMisbound", MISBOUND)

    async def _lose(self, claim: PersistentVolumeClaim, reason: str, message: str) -> None:
        if claim.status.phase != "Lost":
            await self._set_status(claim, _without_volume(claim, "Lost"))
            self._recorder.event(claim, "Warning", reason, message)

    async def _bind(self, volume: PersistentVolume, claim: PersistentVolumeClaim) -> None:
        """Volume first, as it is the one that others may want; each step only where it is missing."""
        bound = bound_volume(volume, claim)
        if bound is not volume:
            name = volume.metadata.name
            self._promised[name] = key_of(claim)
            try:
                volume = await self._client.update(bound)
            except BaseException:
                self._promised.pop(name, None)
                raise
        volume = await self._set_phase(volume, "Bound")
        named = bound_claim(claim, volume)
        if named is not claim:
            claim = await self._client.update(named)
        await self._set_status(claim, bound_status(claim, volume))

    async def _set_status(self, claim: PersistentVolumeClaim, status: PersistentVolumeClaimStatus) -> None:
        if status != claim.status:
            await self._client.update(replace(claim, status=status), subresource="status")

    # Volumes.

    async def _look_at_volume(self, volume: PersistentVolume) -> None:
        ref = volume.spec.claim_ref
        if ref is None or not ref.uid:
            await self._set_phase(volume, "Available")
            return
        claim = await self._claim(ref)
        if claim is None:
            await self._release(volume)
        elif not claim.spec.volume_name:
            self._check_mode(volume, claim)
            self.queue.add(key_of(claim))
        elif claim.spec.volume_name == volume.metadata.name:
            await self._set_phase(volume, "Bound")
        elif PROVISIONED_BY in volume.metadata.annotations and _policy(volume) == "Delete":
            await self._release(volume)  # made for a claim that found another
        else:
            await self._set_phase(await self._client.update(unbound_volume(volume)), "Available")

    async def _claim(self, ref: ObjectReference) -> PersistentVolumeClaim | None:
        """The claim that a volume names. One that seems to be gone is asked for: the cache may be late, and data go."""
        claim = self._claims.get(_claim_key(ref))
        if claim is None or claim.metadata.uid != ref.uid:
            try:
                claim = await self._client.get(PersistentVolumeClaim, ref.name, ref.namespace)
            except NotFound:
                return None
        return claim if claim.metadata.uid == ref.uid else None

    def _check_mode(self, volume: PersistentVolume, claim: PersistentVolumeClaim) -> None:
        if (volume.spec.volume_mode or "Filesystem") != (claim.spec.volume_mode or "Filesystem"):
            volume_name, name = volume.metadata.name, claim.metadata.name
            message = (
                f'Cannot bind PersistentVolume "{volume_name}" to requested PersistentVolumeClaim "{name}" due to '
            )
            for about in (volume, claim):
                self._recorder.event(about, "Warning", "VolumeMismatch", f"{message}incompatible volumeMode.")

    async def _release(self, volume: PersistentVolume) -> None:
        """The claim is gone: keep the data, or do with them what the volume says."""
        if volume.status.phase not in ("Released", "Failed"):
            volume = await self._set_phase(volume, "Released")
        if _policy(volume) == "Recycle":
            await self._recycle(volume)
        elif _policy(volume) == "Delete" and PROVISIONED_BY not in volume.metadata.annotations:
            # Those that a provisioner made, it deletes.
            message = f'error getting deleter volume plugin for volume "{volume.metadata.name}": '
            await self._fail(volume, "VolumeFailedDelete", f"{message}no volume plugin matched")

    async def _recycle(self, volume: PersistentVolume) -> None:
        if volume.spec.host_path is None:
            await self._fail(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!")
        elif volume.status.phase != "Failed":
            outcome = await self._recycler.recycle(volume)
            if outcome:
                await self._fail(volume, "VolumeFailedRecycle", f"Recycle failed: {outcome}")
            elif outcome is not None:
                self._recorder.event(volume, "Normal", "VolumeRecycled", "Volume recycled")
                await self._set_phase(await self._client.update(unbound_volume(volume)), "Available")

    async def _fail(self, volume: PersistentVolume, reason: str, message: str) -> None:
        if volume.status.phase != "Failed":
            await self._set_phase(volume, "Failed", message)
            self._recorder.event(volume, "Warning", reason, message)

    async def _set_phase(self, volume: PersistentVolume, phase: str, message: str = "") -> PersistentVolume:
        if volume.status.phase == phase:
            return volume
        status = replace(volume.status, phase=phase, message=message)
        return await self._client.update(replace(volume, status=status), subresource="status")


def _pod_changed(old: Pod | None, new: Pod | None) -> Iterator[str]:
    """Only a pod that recycles leads anywhere, when it ends or goes."""
    pod = new if new is not None else old
    assert pod is not None
    if new is None or old is None or new.status.phase != old.status.phase:
        yield from recycled_by(pod)


def _claim_key(ref: ObjectReference) -> str:
    return f"{ref.namespace}/{ref.name}"


def _policy(volume: PersistentVolume) -> str:
    return volume.spec.persistent_volume_reclaim_policy


def _without_volume(claim: PersistentVolumeClaim, phase: str) -> PersistentVolumeClaimStatus:
    return replace(claim.status, phase=phase, access_modes=(), capacity={}, current_volume_attributes_class_name=None)
