"""Who takes a StatefulSet's claims along: `spec.persistentVolumeClaimRetentionPolicy` (KEP-1847).

A claim that is to go with the set has the set as its owner; one that goes because the set shrinks has the pod that
goes. The garbage collector does the rest.

    whenDeleted   whenScaled    owner of a pod's claim    ... of a pod that is to go
    Retain        Retain        nobody                    nobody
    Retain        Delete        nobody                    the pod
    Delete        Retain        the set                   the set
    Delete        Delete        the set                   the pod
"""

from __future__ import annotations

from msgspec.structs import replace

from kcore.api.apps_v1 import StatefulSet
from kcore.api.core_v1 import PersistentVolumeClaim
from kcore.api.meta_v1 import OwnerReference
from kcore.client.runner import controller_of

__all__ = ["is_contested", "is_left_over", "retained"]


def retained(
    claim: PersistentVolumeClaim, owner: StatefulSet, by_set: OwnerReference, by_pod: OwnerReference, condemned: bool
) -> PersistentVolumeClaim:
    """The claim with the owners that the policy says; the very same one where it has them."""
    standing = claim.metadata.owner_references
    if any(_is_of_another(reference, ours) for reference in standing for ours in (by_set, by_pod)):
        return claim  # its owner is about to be collected, and this claim with it
    others = tuple(reference for reference in standing if reference.uid not in (by_set.uid, by_pod.uid))
    wanted = others if is_contested(claim, by_set, by_pod) else others + _owners(owner, by_set, by_pod, condemned)
    if set(wanted) == set(standing):
        return claim
    return replace(claim, metadata=replace(claim.metadata, owner_references=wanted))


def _owners(
    owner: StatefulSet, by_set: OwnerReference, by_pod: OwnerReference, condemned: bool
) -> tuple[OwnerReference, ...]:
    policy = owner.spec.persistent_volume_claim_retention_policy
    if policy is None:
        return ()
    if condemned and policy.when_scaled == "Delete":
        return (by_pod,)
    return (by_set,) if policy.when_deleted == "Delete" else ()


def is_contested(claim: PersistentVolumeClaim, by_set: OwnerReference, by_pod: OwnerReference) -> bool:
    """Whether somebody else manages the claim: then no policy applies."""
    manager = controller_of(claim.metadata)
    return manager is not None and manager.uid not in (by_set.uid, by_pod.uid)


def is_left_over(claim: PersistentVolumeClaim, owner: StatefulSet, pod: str) -> bool:
    """Whether the claim goes with an earlier pod of the name `pod`: the next one has to wait until it is gone."""
    policy = owner.spec.persistent_volume_claim_retention_policy
    if policy is None or policy.when_scaled != "Delete":
        return False
    return any(reference.kind == "Pod" and reference.name == pod for reference in claim.metadata.owner_references)


def _is_of_another(reference: OwnerReference, ours: OwnerReference) -> bool:
    """Whether it names ours, but an earlier one of that name."""
    return (reference.kind, reference.name) == (ours.kind, ours.name) and reference.uid != ours.uid
