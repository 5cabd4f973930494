"""Volumes that carry zone or region labels can be used only by nodes of the same zone and region."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

from kcore.api.core_v1 import Node, PersistentVolume
from kcore.api.object import Object
from kcore.api.storage_classes import class_of, waits_for_consumer
from kcore.api.storage_v1 import StorageClass
from kcore.client.informer import key_of
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import (
    SKIP,
    UNSHARED,
    ClusterEvent,
    CycleState,
    Hint,
    PreFilterResult,
    Refusal,
    Status,
    unresolvable,
)
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.volumes import Volumes

__all__ = ["VolumeZone", "topologies"]

REASON = "node(s) had no available volume zone"
LABELS = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region": "topology.kubernetes.io/region",
}
"""The labels that count, and the name that each has today."""

Topologies = Mapping[str, frozenset[str]]


def topologies(volume: PersistentVolume) -> Topologies:
    """The zones and regions that a volume is in; `__` stands between several."""
    labels = volume.metadata.labels
    return {key: frozenset(labels[key].split("__")) for key in LABELS if key in labels}


def allows(wanted: Topologies, node: Node) -> bool:
    """Whether a node is where a volume is; nodes that say nothing of where they are are anywhere."""
    labels = node.metadata.labels
    if not any(key in labels for key in LABELS):
        return True
    return all(labels.get(key, labels.get(LABELS[key])) in values for key, values in wanted.items())


class VolumeZone:
    name = "VolumeZone"

    def __init__(self, volumes: Volumes) -> None:
        self._volumes = volumes

    def sign(self, pod: PodInfo) -> Hashable:
        return UNSHARED if pod.claims else None

    def pre_filter(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> PreFilterResult | None:
        if not pod.claims:
            return PreFilterResult(SKIP)
        found = []
        for key in pod.claims:
            volume = self._volume(key)
            if isinstance(volume, Status):
                return PreFilterResult(volume)
            if volume is not None and topologies(volume):
                found.append(topologies(volume))
        state[self.name] = found
        return None if found else PreFilterResult(SKIP)

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        assert node.node is not None
        return None if all(allows(wanted, node.node) for wanted in state[self.name]) else unresolvable(REASON)

    def filter_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Iterable[Refusal]:
        labelled = columns.backend.bools(columns.size)
        for key in LABELS:
            labelled = labelled | (columns.label(key).codes > 0)
        for wanted in state[self.name]:
            for key, values in wanted.items():
                near = columns.label(key).any_of(values)
                today = columns.label(LABELS[key])
                near = near | (~(columns.label(key).codes > 0) & today.any_of(values))
                yield Refusal(labelled & ~near, REASON, unresolvable=True)

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {
            ClusterEvent.STORAGE_CLASS: _waits,
            ClusterEvent.NODE_ADDED | ClusterEvent.NODE_LABEL: None,
            ClusterEvent.CLAIM: _is_of_pod,
            ClusterEvent.VOLUME: _moved,
        }

    def _volume(self, key: str) -> PersistentVolume | Status | None:
        """The volume of a claim; None: it has none yet, and that is no harm."""
        claim = self._volumes.claims.get(key)
        if claim is None:
            return unresolvable(f'persistentvolumeclaim "{key.partition("/")[2]}" not found')
        if claim.spec.volume_name:
            found = self._volumes.volumes.get(claim.spec.volume_name)
            return found or unresolvable(f'persistentvolume "{claim.spec.volume_name}" not found')
        name = class_of(claim)
        if not name:
            return unresolvable("PersistentVolumeClaim had no pv name and storageClass name")
        storage_class = self._volumes.storage_class(name)
        if storage_class is None:
            return unresolvable(f'storageclass.storage.k8s.io "{name}" not found')
        if waits_for_consumer(storage_class):
            return None
        return unresolvable("PersistentVolume had no name")


def _waits(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    return old is None and isinstance(new, StorageClass) and waits_for_consumer(new)


def _is_of_pod(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    return new is not None and key_of(new) in pod.claims


def _moved(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    if not isinstance(new, PersistentVolume):
        return False
    return not isinstance(old, PersistentVolume) or topologies(old) != topologies(new)
