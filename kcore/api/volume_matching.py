"""Which persistent volume may serve a claim, and on which nodes: the rules that scheduler and binder share."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kcore.api.core_v1 import Node, PersistentVolume, PersistentVolumeClaim, Pod, Volume
from kcore.api.node_affinity import selects_node
from kcore.api.quantity import compare
from kcore.api.selectors import selector_from_struct

__all__ = [
    "SELECTED_NODE",
    "claim_names",
    "class_of_claim",
    "class_of_volume",
    "find_volume",
    "is_bound_to",
    "reaches",
]

SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""The annotation by which the scheduler tells a provisioner where a claim's first consumer will run."""
_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"


def claim_name(pod: Pod, volume: Volume) -> str:
    """The name of the claim behind a volume of a pod; empty where there is none."""
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""


def claim_names(pod: Pod) -> tuple[str, ...]:
    """The claims that a pod uses, ephemeral ones included."""
    if not pod.spec.volumes:
        return ()
    return tuple([name for volume in pod.spec.volumes if (name := claim_name(pod, volume))])


def class_of_claim(claim: PersistentVolumeClaim) -> str:
    return claim.metadata.annotations.get(_BETA_CLASS) or claim.spec.storage_class_name or ""


def class_of_volume(volume: PersistentVolume) -> str:
    return volume.metadata.annotations.get(_BETA_CLASS) or volume.spec.storage_class_name


def reaches(volume: PersistentVolume, node: Node) -> bool:
    """Whether a volume can be used on a node."""
    affinity = volume.spec.node_affinity
    return affinity is None or affinity.required is None or selects_node(affinity.required, node)


def is_bound_to(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether a volume is meant for a claim: it names it, by uid if it names one."""
    ref = volume.spec.claim_ref
    if ref is None or (ref.name, ref.namespace) != (claim.metadata.name, claim.metadata.namespace):
        return False
    return not ref.uid or ref.uid == claim.metadata.uid


def find_volume(
    claim: PersistentVolumeClaim,
    volumes: Iterable[PersistentVolume],
    node: Node | None = None,
    taken: Collection[str] = (),
    *,
    delayed: bool = False,
) -> PersistentVolume | None:
    """The volume that is meant for a claim, else the smallest free one that serves it, on `node` where that is given.

    With neither a node nor a volume that is meant for it, a claim whose binding is `delayed` waits for its consumer.
    """
    smallest = None
    for volume in volumes:
        if volume.metadata.name in taken or not _could_serve(volume, claim):
            continue
        if is_bound_to(volume, claim):
            return volume if node is None or reaches(volume, node) else None
        if volume.spec.claim_ref is not None or (node is None and delayed):
            continue
        if _is_free_for(volume, claim) and (node is None or reaches(volume, node)):
            capacity = volume.spec.capacity.get("storage", "0")
            if smallest is None or compare(capacity, smallest.spec.capacity.get("storage", "0")) < 0:
                smallest = volume
    return smallest


def _could_serve(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """What even a volume that names the claim must meet."""
    if volume.metadata.deletion_timestamp is not None:
        return False
    if (volume.spec.volume_mode or "Filesystem") != (claim.spec.volume_mode or "Filesystem"):
        return False
    if (volume.spec.volume_attributes_class_name or "") != (claim.spec.volume_attributes_class_name or ""):
        return False
    wanted = claim.spec.resources.requests.get("storage", "0")
    return compare(volume.spec.capacity.get("storage", "0"), wanted) >= 0


def _is_free_for(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """What a volume that names nobody must meet beside that."""
    if volume.status.phase != "Available" or class_of_volume(volume) != class_of_claim(claim):
        return False
    selector = claim.spec.selector
    if selector is not None and not selector_from_struct(selector).matches(volume.metadata.labels):
        return False
    return set(claim.spec.access_modes) <= set(volume.spec.access_modes)
