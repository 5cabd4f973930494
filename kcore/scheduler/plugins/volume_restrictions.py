"""Some disks can be attached to a node for one pod only, or for several as long as all of them only read.

This is the rule for Google's and Amazon's disks, for iSCSI and for Ceph's block devices.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import msgspec

from kcore.api.core_v1 import Node, Pod, Volume
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import (
    SKIP,
    ClusterEvent,
    CycleState,
    Hint,
    PreFilterResult,
    Status,
    unschedulable,
)
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo

__all__ = ["VolumeRestrictions", "conflict"]

REASON = "node(s) had no available disk"


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

    def sign(self, pod: PodInfo) -> Hashable:
        disks = _disks(pod.pod)
        return msgspec.msgpack.encode(disks) if disks else None

    def pre_filter(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> PreFilterResult | None:
        return None if _disks(pod.pod) else PreFilterResult(SKIP)

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        disks = _disks(pod.pod)
        for other in node.pods.values():
            for there in _disks(other.pod):
                if any(conflict(disk, there) for disk in disks):
                    return unschedulable(REASON)
        return None

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {ClusterEvent.NODE_ADDED: None, ClusterEvent.POD_DELETED: self._frees}

    def _frees(self, pod: Pod, old: Node | Pod | None, new: Node | Pod | None) -> bool:
        """Whether a pod that is gone had one of the disks."""
        gone = _disks(old) if isinstance(old, Pod) else ()
        return any(conflict(disk, there) for disk in _disks(pod) for there in gone)
