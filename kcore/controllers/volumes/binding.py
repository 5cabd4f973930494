"""The two halves of a bond, volume and claim, as objects before and after: nothing here writes.

A volume is bound by its `claimRef`, a claim by its `volumeName`. Annotations remember which half the controller wrote,
so that it takes back only what it gave.
"""

from __future__ import annotations

from msgspec.structs import replace

from kcore.api import quantity
from kcore.api.core_v1 import ObjectReference, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimStatus
from kcore.api.volume_matching import is_reserved_for, size_of

__all__ = [
    "BIND_COMPLETED",
    "BOUND_BY_CONTROLLER",
    "bound_claim",
    "bound_status",
    "bound_volume",
    "claim_reference",
    "unbound_volume",
]

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"


def claim_reference(claim: PersistentVolumeClaim) -> ObjectReference:
    metadata = claim.metadata
    return ObjectReference(
        kind="PersistentVolumeClaim",
        api_version="v1",
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
    )


def bound_volume(volume: PersistentVolume, claim: PersistentVolumeClaim) -> PersistentVolume:
    """The volume with the claim in it; the very same where it is so already."""
    ref = volume.spec.claim_ref
    if ref is not None and is_reserved_for(volume, claim) and ref.uid:
        return volume
    metadata = volume.metadata
    if not is_reserved_for(volume, claim):
        metadata = replace(metadata, annotations={**metadata.annotations, BOUND_BY_CONTROLLER: "yes"})
    return replace(volume, metadata=metadata, spec=replace(volume.spec, claim_ref=claim_reference(claim)))


def unbound_volume(volume: PersistentVolume) -> PersistentVolume:
    """The volume for others again; one that its maker has reserved stays reserved."""
    ref = volume.spec.claim_ref
    if ref is None:
        return volume
    annotations = dict(volume.metadata.annotations)
    ours = annotations.pop(BOUND_BY_CONTROLLER, None) is not None
    kept = None if ours else replace(ref, uid="", resource_version="")
    metadata = replace(volume.metadata, annotations=annotations)
    return replace(volume, metadata=metadata, spec=replace(volume.spec, claim_ref=kept))


def bound_claim(claim: PersistentVolumeClaim, volume: PersistentVolume) -> PersistentVolumeClaim:
    """The claim with the volume in it; the very same where it is so already."""
    annotations = {**claim.metadata.annotations, BIND_COMPLETED: "yes"}
    name = volume.metadata.name
    if claim.spec.volume_name != name:
        annotations[BOUND_BY_CONTROLLER] = "yes"
    elif annotations == claim.metadata.annotations:
        return claim
    metadata = replace(claim.metadata, annotations=annotations)
    return replace(claim, metadata=metadata, spec=replace(claim.spec, volume_name=name))


def bound_status(claim: PersistentVolumeClaim, volume: PersistentVolume) -> PersistentVolumeClaimStatus:
    """What a bound claim shows of its volume. The capacity only when it becomes bound: later on, resizing tells it."""
    status = replace(claim.status, phase="Bound", access_modes=volume.spec.access_modes)
    if claim.status.phase == "Bound":
        return status
    shown = claim.status.capacity.get("storage")
    if shown is None or quantity.compare(shown, size_of(volume)):
        status = replace(status, capacity=volume.spec.capacity)
    return replace(status, current_volume_attributes_class_name=volume.spec.volume_attributes_class_name)
