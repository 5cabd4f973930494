"""Which volume a claim gets, and where: pure rules, after upstream's `FindMatchingVolume`."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kcore.api import quantity
from kcore.api.core_v1 import Node, PersistentVolume, PersistentVolumeClaim
from kcore.api.node_affinity import selects_node
from kcore.api.selectors import selector_from_struct
from kcore.api.storage_classes import class_of

__all__ = ["SELECTED_NODE", "best_match", "is_reserved_for", "mismatch", "reaches", "requested", "size_of"]

SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""The annotation by which the scheduler tells a provisioner where a claim's first consumer will run."""


def requested(claim: PersistentVolumeClaim) -> str:
    """How much storage the claim asks for."""
    return claim.spec.resources.requests.get("storage", "0")


def size_of(volume: PersistentVolume) -> str:
    return volume.spec.capacity.get("storage", "0")


def reaches(volume: PersistentVolume, node: Node) -> bool:
    """Whether the volume can be used on a node."""
    affinity = volume.spec.node_affinity
    return affinity is None or affinity.required is None or selects_node(affinity.required, node)


def is_reserved_for(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether the volume names this claim; where it names no uid, any claim of the name will do."""
    ref = volume.spec.claim_ref
    return (
        ref is not None
        and (ref.namespace, ref.name) == (claim.metadata.namespace, claim.metadata.name)
        and ref.uid in ("", claim.metadata.uid)
    )


def mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim) -> str:
    """Why the volume, which the claim asks for by name, does not satisfy it; "": it does."""
    if quantity.compare(size_of(volume), requested(claim)) < 0:
        return "requested PV is too small"
    if class_of(volume) != class_of(claim):
        return "storageClassName does not match"
    if not _same_attributes(volume, claim):
        return "volumeAttributesClassName does not match"
    if not _same_mode(volume, claim):
        return "incompatible volumeMode"
    if not _has_modes(volume, claim):
        return "incompatible accessMode"
    return ""


def best_match(
    claim: PersistentVolumeClaim,
    volumes: Iterable[PersistentVolume],
    *,
    reserved_only: bool = False,
    node: Node | None = None,
    taken: Collection[str] = (),
) -> PersistentVolume | None:
    """The volume that names the claim; else, of those that fit, one with the fewest access modes beyond what is asked
    for, and of these the smallest. `reserved_only`: whatever else fits is the scheduler's to choose. With a `node`: one
    that can be used there, and is not `taken`."""
    fitting = [v for v in volumes if v.metadata.name not in taken and _could_hold(v, claim)]
    reserved = next((volume for volume in fitting if is_reserved_for(volume, claim)), None)
    if reserved is not None or reserved_only:
        return reserved if reserved is None or node is None or reaches(reserved, node) else None
    selector = selector_from_struct(claim.spec.selector) if claim.spec.selector is not None else None
    free = [
        volume
        for volume in fitting
        if volume.spec.claim_ref is None
        and volume.status.phase == "Available"
        and class_of(volume) == class_of(claim)
        and (selector is None or selector.matches(volume.metadata.labels))
        and (node is None or reaches(volume, node))
    ]
    return min(free, key=_waste, default=None)


def _could_hold(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    return (
        volume.metadata.deletion_timestamp is None
        and quantity.compare(size_of(volume), requested(claim)) >= 0
        and _same_mode(volume, claim)
        and _same_attributes(volume, claim)
        and _has_modes(volume, claim)
    )


def _waste(volume: PersistentVolume) -> tuple[int, int, str]:
    return len(volume.spec.access_modes), quantity.int_value(size_of(volume)), volume.metadata.name


def _same_mode(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    return (volume.spec.volume_mode or "Filesystem") == (claim.spec.volume_mode or "Filesystem")


def _same_attributes(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    return (volume.spec.volume_attributes_class_name or "") == (claim.spec.volume_attributes_class_name or "")


def _has_modes(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    return set(claim.spec.access_modes) <= set(volume.spec.access_modes)
