"""No more volumes of a CSI driver are attached to a node than the driver says it can hold (CSINode's `allocatable`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

from kcore.api.core_v1 import PersistentVolume, Pod
from kcore.api.object import Object
from kcore.api.storage_classes import class_of
from kcore.api.storage_v1 import CSINode
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import (
    SKIP,
    UNSHARED,
    ClusterEvent,
    CycleState,
    Hint,
    PreFilterResult,
    Status,
    unschedulable,
)
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.volumes import Volumes

__all__ = ["NodeVolumeLimits"]

REASON = "node(s) exceed max volume count"


class _Attached(NamedTuple):
    """A volume as a driver counts it."""

    driver: str
    handle: str


class NodeVolumeLimits:
    name = "NodeVolumeLimits"

    def __init__(self, volumes: Volumes) -> None:
        self._volumes = volumes

    def sign(self, pod: PodInfo) -> Hashable:
        return UNSHARED if pod.claims else None

    def pre_filter(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> PreFilterResult | None:
        wanted = self._attached(pod.claims)
        state[self.name] = wanted
        return None if wanted else PreFilterResult(SKIP)

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        wanted: set[_Attached] = state[self.name]
        limits = _limits(self._volumes.csi_node(node.name))
        if limits.keys().isdisjoint({one.driver for one in wanted}):
            return None
        there = self._attached(node.claims) | self._attachments(node.name)
        taken, more = Counter(one.driver for one in there), Counter(one.driver for one in wanted - there)
        exceeded = any(driver in limits and taken[driver] + count > limits[driver] for driver, count in more.items())
        return unschedulable(REASON) if exceeded else None

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {
            ClusterEvent.CSI_NODE: _allows_more,
            ClusterEvent.NODE_ADDED: None,
            ClusterEvent.POD_DELETED: _had_claims,
            ClusterEvent.CLAIM: None,
            ClusterEvent.DETACHED: None,
        }

    def _attached(self, claims: Iterable[str]) -> set[_Attached]:
        """The volumes behind claims; a claim that has none yet counts as one of its class's driver."""
        found = set()
        for key in claims:
            claim = self._volumes.claims.get(key)
            if claim is None:
                continue
            volume = self._volumes.volumes.get(claim.spec.volume_name) if claim.spec.volume_name else None
            storage_class = self._volumes.storage_class(class_of(claim))
            if volume is not None and volume.spec.csi is not None:
                found.add(_volume(volume))
            elif volume is None and storage_class is not None:
                found.add(_Attached(storage_class.provisioner, key))
        return found

    def _attachments(self, node_name: str) -> set[_Attached]:
        """What is attached, whether or not a pod that uses it is still there."""
        found = set()
        for attachment in self._volumes.attached(node_name):
            volume = self._volumes.volumes.get(attachment.spec.source.persistent_volume_name or "")
            if volume is not None and volume.spec.csi is not None:
                found.add(_volume(volume))
        return found


def _volume(volume: PersistentVolume) -> _Attached:
    assert volume.spec.csi is not None
    return _Attached(volume.spec.csi.driver, volume.spec.csi.volume_handle)


def _limits(csi_node: CSINode | None) -> dict[str, int]:
    drivers = csi_node.spec.drivers or () if csi_node is not None else ()
    counts = {driver.name: driver.allocatable.count for driver in drivers if driver.allocatable is not None}
    return {name: count for name, count in counts.items() if count is not None}


def _allows_more(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    if not isinstance(new, CSINode):
        return False
    before = _limits(old if isinstance(old, CSINode) else None)
    return any(driver not in before or limit > before[driver] for driver, limit in _limits(new).items()) or (
        not before.keys() <= _limits(new).keys()
    )


def _had_claims(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    return isinstance(old, Pod) and bool(PodInfo(old).claims)
