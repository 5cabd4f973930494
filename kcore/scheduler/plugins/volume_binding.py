"""A pod goes where its volumes can be used, and claims that wait for their first consumer are bound there.

Of each node it is asked whether the volumes of bound claims reach it, and whether claims that are not bound yet find a
free volume there, or can have one provisioned. The choice is made again when a node has been chosen (Reserve), is
assumed from then on, and written before the pod is bound (PreBind); the persistent volume controller and provisioners
do the rest, for which PreBind waits.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

import anyio
from msgspec.structs import replace

from kcore.api.core_v1 import Node, ObjectReference, PersistentVolume, PersistentVolumeClaim, Pod
from kcore.api.errors import ApiError
from kcore.api.object import Object
from kcore.api.pod_claims import claims_of, ephemeral_claim
from kcore.api.quantity import compare, int_value
from kcore.api.selectors import selector_from_struct
from kcore.api.storage_classes import class_of, waits_for_consumer
from kcore.api.storage_v1 import CSIStorageCapacity, StorageClass
from kcore.api.volume_matching import SELECTED_NODE, best_match, is_reserved_for, reaches, requested
from kcore.client.client import Client
from kcore.client.informer import key_of
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import (
    SKIP,
    UNSHARED,
    ClusterEvent,
    Code,
    CycleState,
    Hint,
    PreFilterResult,
    Refusal,
    Status,
    unresolvable,
)
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.plugins.node_affinity import selected_rows
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import Vector
from kcore.scheduler.volumes import NO_PROVISIONER, Volumes

__all__ = ["VolumeBinding"]

NO_MATCH = "node(s) didn't find available persistent volumes to bind"
OUT_OF_REACH = "node(s) didn't match PersistentVolume's node affinity"
NO_SPACE = "node(s) did not have enough free storage"
VOLUME_MISSING = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
BIND_SECONDS = 600.0
CHOSEN = "VolumeBinding: what is chosen"


class _Claims(NamedTuple):
    """The claims of a pod: those that have a volume, and those that wait for a node."""

    bound: Sequence[PersistentVolumeClaim]
    delayed: Sequence[PersistentVolumeClaim]


class Choice(NamedTuple):
    """What is to be done with delayed claims on one node, or why nothing can be."""

    matches: Sequence[tuple[PersistentVolumeClaim, PersistentVolume]] = ()
    provisions: Sequence[PersistentVolumeClaim] = ()
    objection: str = ""
    node: Node | None = None


class VolumeBinding:
    name = "VolumeBinding"

    def __init__(
        self, volumes: Volumes, cache: SchedulerCache, client: Client, bind_seconds: float = BIND_SECONDS
    ) -> None:
        self._volumes = volumes
        self._cache = cache
        self._client = client
        self._bind_seconds = bind_seconds

    def sign(self, pod: PodInfo) -> Hashable:
        return UNSHARED if pod.claims else None

    def pre_filter(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> PreFilterResult | None:
        if not pod.claims:
            return PreFilterResult(SKIP)
        found = self._claims(pod.pod)
        if isinstance(found, str):
            return PreFilterResult(unresolvable(found))
        state[self.name] = found
        return None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        claims: _Claims = state[self.name]
        assert node.node is not None
        reasons = []
        for claim in claims.bound:
            volume = self._volumes.volumes.get(claim.spec.volume_name)
            if volume is None:
                reasons.append(VOLUME_MISSING)
            elif not reaches(volume, node.node):
                reasons.append(OUT_OF_REACH)
        if claims.delayed:
            reasons.append(self._choose(claims.delayed, node.node).objection)
        reasons = [reason for reason in dict.fromkeys(reasons) if reason]
        return unresolvable(*reasons) if reasons else None

    def filter_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Iterable[Refusal]:
        claims: _Claims = state[self.name]
        backend = columns.backend
        missing, near = backend.bools(columns.size), columns.alive
        for claim in claims.bound:
            volume = self._volumes.volumes.get(claim.spec.volume_name)
            if volume is None:
                missing = columns.alive
            elif volume.spec.node_affinity is not None and volume.spec.node_affinity.required is not None:
                near = near & selected_rows(volume.spec.node_affinity.required, columns)
        yield Refusal(missing, VOLUME_MISSING, unresolvable=True)
        yield Refusal(~near, OUT_OF_REACH, unresolvable=True)
        if claims.delayed:
            yield from self._refuse_delayed(claims.delayed, columns)

    def _refuse_delayed(self, delayed: Sequence[PersistentVolumeClaim], columns: NodeColumns) -> Iterable[Refusal]:
        masks: dict[str, Vector] = {}
        for row in columns.backend.rows(columns.alive):
            node = columns.node(row).node
            assert node is not None
            objection = self._choose(delayed, node).objection
            if objection and objection not in masks:
                masks[objection] = columns.backend.bools(columns.size)
            if objection:
                masks[objection][row] = True
        for reason, mask in masks.items():
            yield Refusal(mask, reason, unresolvable=True)

    def reserve(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None:
        """Assume what will be written, so that the next pod does not choose the same volumes."""
        claims = state.get(self.name)
        if not isinstance(claims, _Claims) or not claims.delayed:
            return None
        node = self._cache[node_name].node
        assert node is not None
        choice = self._choose(claims.delayed, node)
        if choice.objection:
            return unresolvable(choice.objection)
        state[CHOSEN] = choice = _written(choice, node)
        for _, volume in choice.matches:
            self._volumes.volumes.assume(volume)
        for claim in choice.provisions:
            self._volumes.claims.assume(claim)
        return None

    def unreserve(self, state: CycleState, pod: PodInfo, node_name: str) -> None:
        choice: Choice = state.get(CHOSEN, Choice())
        for _, volume in choice.matches:
            self._volumes.volumes.restore(volume.metadata.name)
        for claim in choice.provisions:
            self._volumes.claims.restore(key_of(claim))

    def needs_pre_bind(self, state: CycleState, pod: PodInfo, node_name: str) -> bool:
        return CHOSEN in state

    async def pre_bind(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None:
        choice: Choice = state[CHOSEN]
        try:
            for _, volume in choice.matches:
                await self._client.update(volume)
            for claim in choice.provisions:
                await self._client.update(claim)
        except ApiError as error:
            return Status(Code.ERROR, (error.message,))
        claims = [*[claim for claim, _ in choice.matches], *choice.provisions]
        provisioned = {key_of(claim) for claim in choice.provisions}
        with anyio.move_on_after(self._bind_seconds):
            while True:
                done, objection = self._look(claims, provisioned, choice.node)
                if objection:
                    return Status(Code.ERROR, (f"binding volumes: {objection}",))
                if done:
                    return None
                await self._volumes.wait_change()
        return Status(Code.ERROR, ("binding volumes: context deadline exceeded",))

    def _look(
        self, claims: Iterable[PersistentVolumeClaim], provisioned: set[str], node: Node | None
    ) -> tuple[bool, str]:
        """Whether all claims have volumes by now, or why they never will."""
        assert node is not None
        done = True
        for wanted in claims:
            claim = self._volumes.claims.get(key_of(wanted))
            if claim is None or claim.metadata.uid != wanted.metadata.uid:
                return False, f'PVC "{key_of(wanted)}" is gone'
            if claim.spec.volume_name:
                volume = self._volumes.volumes.get(claim.spec.volume_name)
                if volume is not None and not reaches(volume, node):
                    name, host = volume.metadata.name, node.metadata.name
                    return (
                        False,
                        f'pv "{name}" node affinity doesn\'t match node "{host}": no matching NodeSelectorTerms',
                    )
            elif key_of(wanted) in provisioned and claim.metadata.annotations.get(SELECTED_NODE) != node.metadata.name:
                return False, f'provisioning failed for PVC "{claim.metadata.name}"'
            done = done and self._volumes.is_bound(claim)
        return done, ""

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {
            ClusterEvent.STORAGE_CLASS: _topologies_changed,
            ClusterEvent.CLAIM: _is_of_pod,
            ClusterEvent.VOLUME: None,
            ClusterEvent.NODE_ADDED | ClusterEvent.NODE_LABEL: None,
            ClusterEvent.CSI_CAPACITY: _has_more,
            ClusterEvent.CSI_DRIVER: None,
        }

    def _claims(self, pod: Pod) -> _Claims | str:
        """The claims of a pod, or why it cannot be scheduled whatever the node."""
        bound, delayed, immediate = [], [], False
        ephemeral = {ephemeral_claim(pod, volume) for volume in pod.spec.volumes if volume.ephemeral is not None}
        for key in claims_of(pod):
            claim, name = self._volumes.claims.get(key), key.partition("/")[2]
            objection = _objection(pod, name, claim, name in ephemeral)
            if objection or claim is None:
                return objection
            if self._volumes.is_bound(claim):
                bound.append(claim)
            elif self._waits(claim):
                delayed.append(claim)
            else:
                immediate = True
        return UNBOUND if immediate else _Claims(bound, delayed)

    def _waits(self, claim: PersistentVolumeClaim) -> bool:
        return not claim.spec.volume_name and waits_for_consumer(self._volumes.storage_class(class_of(claim)))

    def _choose(self, claims: Iterable[PersistentVolumeClaim], node: Node) -> Choice:
        """A volume for each claim that finds one, the smallest claim first; the others are provisioned."""
        matches, provisions, taken = [], [], set[str]()
        for claim in sorted(claims, key=lambda claim: int_value(requested(claim))):
            selected = claim.metadata.annotations.get(SELECTED_NODE)
            if selected and selected != node.metadata.name:
                return Choice(objection=NO_MATCH)
            volumes = self._volumes.of_class(class_of(claim)) if not selected else ()
            volume = best_match(claim, volumes, node=node, taken=taken)
            if volume is not None:
                matches.append((claim, volume))
                taken.add(volume.metadata.name)
                continue
            objection = self._why_not_provisioned(claim, node)
            if objection:
                return Choice(objection=objection)
            provisions.append(claim)
        return Choice(matches, provisions)

    def _why_not_provisioned(self, claim: PersistentVolumeClaim, node: Node) -> str:
        found = self._volumes.storage_class(class_of(claim))
        if found is None or found.provisioner in ("", NO_PROVISIONER) or not _allows(found, node):
            return NO_MATCH
        wanted = claim.spec.resources.requests.get("storage")
        driver = self._volumes.driver(found.provisioner)
        if wanted is None or driver is None or not driver.spec.storage_capacity:
            return ""
        capacities = self._volumes.capacities(found.metadata.name)
        return "" if any(_has_room(capacity, wanted, node) for capacity in capacities) else NO_SPACE


def _objection(pod: Pod, name: str, claim: PersistentVolumeClaim | None, ephemeral: bool) -> str:
    """What makes a claim useless to its pod."""
    if claim is None and ephemeral:
        return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
    if claim is None:
        return f'persistentvolumeclaim "{name}" not found'
    if claim.status.phase == "Lost":
        return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{claim.spec.volume_name}"'
    if claim.metadata.deletion_timestamp is not None:
        return f'persistentvolumeclaim "{name}" is being deleted'
    if ephemeral and all(owner.uid != pod.metadata.uid for owner in claim.metadata.owner_references):
        namespace = pod.metadata.namespace
        return f"PVC {namespace}/{name} was not created for pod {namespace}/{pod.metadata.name} (pod is not owner)"
    return ""


def _allows(storage_class: StorageClass, node: Node) -> bool:
    """Whether the class's topologies include a node; none given include all."""
    labels, terms = node.metadata.labels, storage_class.allowed_topologies
    return not terms or any(
        term.match_label_expressions and all(labels.get(e.key) in e.values for e in term.match_label_expressions)
        for term in terms
    )


def _has_room(capacity: CSIStorageCapacity, wanted: str, node: Node) -> bool:
    limit = _limit(capacity)
    if limit is None or compare(limit, wanted) < 0 or capacity.node_topology is None:
        return False
    return selector_from_struct(capacity.node_topology).matches(node.metadata.labels)


def _limit(capacity: CSIStorageCapacity) -> str | None:
    return capacity.maximum_volume_size if capacity.maximum_volume_size is not None else capacity.capacity


def _written(choice: Choice, node: Node) -> Choice:
    """The objects as they are to be written: volumes name their claims, claims the node."""
    matches = [(claim, _claimed(volume, claim)) for claim, volume in choice.matches]
    provisions = []
    for claim in choice.provisions:
        annotations = {**claim.metadata.annotations, SELECTED_NODE: node.metadata.name}
        provisions.append(replace(claim, metadata=replace(claim.metadata, annotations=annotations)))
    return Choice(matches, provisions, node=node)


def _claimed(volume: PersistentVolume, claim: PersistentVolumeClaim) -> PersistentVolume:
    metadata, ref = volume.metadata, volume.spec.claim_ref
    if not is_reserved_for(volume, claim):
        metadata = replace(metadata, annotations={**metadata.annotations, BOUND_BY_CONTROLLER: "yes"})
    if ref is None or not ref.uid:
        ref = ObjectReference(
            api_version="v1",
            kind="PersistentVolumeClaim",
            namespace=claim.metadata.namespace,
            name=claim.metadata.name,
            uid=claim.metadata.uid,
            resource_version=claim.metadata.resource_version,
        )
    return replace(volume, metadata=metadata, spec=replace(volume.spec, claim_ref=ref))


def _is_of_pod(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    return new is not None and key_of(new) in pod.claims


def _topologies_changed(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    if not isinstance(old, StorageClass) or not isinstance(new, StorageClass):
        return new is not None
    return old.allowed_topologies != new.allowed_topologies


def _has_more(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    if not isinstance(new, CSIStorageCapacity):
        return False
    before = _limit(old) if isinstance(old, CSIStorageCapacity) else None
    after = _limit(new)
    return old is None or (after is not None and (before is None or compare(after, before) > 0))
