"""Some disks can be attached to a node for one pod only, or for several as long as all of them only read.

This is the rule for Google's and Amazon's disks, for iSCSI and for Ceph's block devices. Claims whose access mode is
ReadWriteOncePod are for one pod in the whole cluster.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import msgspec

from kcore.api.core_v1 import Pod, Volume
from kcore.api.object import Object
from kcore.client.informer import key_of
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

__all__ = ["VolumeRestrictions", "conflict"]

REASON = "node(s) had no available disk"
ONE_POD = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"


def conflict(one: Volume, other: Volume) -> bool:
    """Whether the volumes of two pods cannot be on one node."""
    if one.gce_persistent_disk is not None and other.gce_persistent_disk is not None:
        gce, there = one.gce_persistent_disk, other.gce_persistent_disk
        return gce.pd_name == there.pd_name and not (gce.read_only and there.read_only)
    if one.aws_elastic_block_store is not None and other.aws_elastic_block_store is not None:
        return one.aws_elastic_block_store.volume_id == other.aws_elastic_block_store.volume_id
    if one.iscsi is not None and other.iscsi is not None:
        return one.iscsi.iqn == other.iscsi.iqn and not (one.iscsi.read_only and other.iscsi.read_only)
    if one.rbd is not None and other.rbd is not None:
        same = (one.rbd.pool, one.rbd.image) == (other.rbd.pool, other.rbd.image)
        shared = not set(one.rbd.monitors).isdisjoint(other.rbd.monitors)
        return same and shared and not (one.rbd.read_only and other.rbd.read_only)
    return False


def _disks(pod: Pod) -> tuple[Volume, ...]:
    """The volumes that may be in conflict with others."""
    if not pod.spec.volumes:
        return ()
    kinds = [(v.gce_persistent_disk, v.aws_elastic_block_store, v.iscsi, v.rbd) for v in pod.spec.volumes]
    return tuple([v for v, kind in zip(pod.spec.volumes, kinds, strict=True) if any(k is not None for k in kind)])


class VolumeRestrictions:
    name = "VolumeRestrictions"

    def __init__(self, columns: NodeColumns, volumes: Volumes) -> None:
        self._columns = columns
        self._volumes = volumes

    def sign(self, pod: PodInfo) -> Hashable:
        if pod.claims:
            return UNSHARED
        disks = _disks(pod.pod)
        return msgspec.msgpack.encode(disks) if disks else None

    def pre_filter(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> PreFilterResult | None:
        exclusive = [key for key in pod.claims if self._is_for_one_pod(key)]
        state[self.name] = exclusive
        return None if exclusive or _disks(pod.pod) else PreFilterResult(SKIP)

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        disks = _disks(pod.pod)
        for other in node.pods.values() if disks else ():
            for there in _disks(other.pod):
                if any(conflict(disk, there) for disk in disks):
                    return unschedulable(REASON)
        return unschedulable(ONE_POD) if any(self._is_used(key, node) for key in state[self.name]) else None

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {
            ClusterEvent.NODE_ADDED: None,
            ClusterEvent.POD_DELETED: self._frees,
            ClusterEvent.CLAIM: self._is_of_pod,
        }

    def _is_for_one_pod(self, key: str) -> bool:
        claim = self._volumes.claims.get(key)
        return claim is not None and "ReadWriteOncePod" in claim.spec.access_modes

    def _is_used(self, key: str, node: NodeInfo) -> bool:
        """Whether a pod uses a claim on another node, or on this one as it might be."""
        users = self._columns.claims.nodes(key)
        return bool(node.claims.get(key)) or any(other.name != node.name for other in users)

    def _frees(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        """Whether a pod that is gone had one of the disks, or one of the claims."""
        if not isinstance(old, Pod):
            return False
        gone = _disks(old)
        if any(conflict(disk, there) for disk in _disks(pod.pod) for there in gone):
            return True
        return not set(pod.claims).isdisjoint(PodInfo(old).claims)

    def _is_of_pod(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        return new is not None and key_of(new) in pod.claims
