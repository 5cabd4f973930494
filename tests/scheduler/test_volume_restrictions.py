"""VolumeRestrictions: which disks cannot share a node."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import (
    AWSElasticBlockStoreVolumeSource,
    EmptyDirVolumeSource,
    GCEPersistentDiskVolumeSource,
    ISCSIVolumeSource,
    Pod,
    RBDVolumeSource,
    Volume,
)
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import ClusterEvent
from kcore.scheduler.plugins.volume_restrictions import REASON, VolumeRestrictions, conflict
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import PLAIN
from tests.scheduler.clusters import node, pod
from tests.scheduler.judging import Bench
from tests.scheduler.storage import Storage


def gce(name: str = "d", *, read_only: bool = False) -> Volume:
    return Volume(gce_persistent_disk=GCEPersistentDiskVolumeSource(pd_name=name, read_only=read_only))


def aws(name: str = "d", *, read_only: bool = False) -> Volume:
    return Volume(aws_elastic_block_store=AWSElasticBlockStoreVolumeSource(volume_id=name, read_only=read_only))


def iscsi(name: str = "d", *, read_only: bool = False) -> Volume:
    return Volume(iscsi=ISCSIVolumeSource(iqn=name, read_only=read_only))


def rbd(*monitors: str, pool: str = "p", image: str = "i", read_only: bool = False) -> Volume:
    return Volume(rbd=RBDVolumeSource(monitors=monitors, pool=pool, image=image, read_only=read_only))


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (gce(), gce(), True),
        (gce(), gce("e"), False),
        (gce(read_only=True), gce(), True),
        (gce(read_only=True), gce(read_only=True), False),
        (aws(), aws(), True),
        (aws(read_only=True), aws(read_only=True), True),
        (aws(), gce(), False),
        (iscsi(), iscsi(), True),
        (iscsi(read_only=True), iscsi(read_only=True), False),
        (rbd("a", "b"), rbd("b"), True),
        (rbd("a"), rbd("b"), False),
        (rbd("a"), rbd("a", pool="q"), False),
        (rbd("a"), rbd("a", image="j"), False),
        (rbd("a", read_only=True), rbd("a", read_only=True), False),
        (Volume(empty_dir=EmptyDirVolumeSource()), gce(), False),
    ],
)
def test_disks_that_cannot_share_a_node(one: Volume, other: Volume, clash: bool) -> None:
    assert conflict(one, other) is conflict(other, one) is clash


def with_disk(volume: Volume, node_name: str = "") -> Pod:
    bare = pod(node_name=node_name)
    return replace(bare, spec=replace(bare.spec, volumes=(volume,)))


def test_a_node_that_has_the_disk_already_is_refused_until_it_is_free() -> None:
    bench = Bench(PLAIN)
    bench.use(VolumeRestrictions(bench.cache.columns, Storage().volumes))
    bench.set_node(node("a"))
    bench.set_node(node("b"))
    assert bench.totals(with_disk(gce())).keys() == {"a", "b"}
    holder = with_disk(gce(), "a")
    bench.set_pod(holder)
    assert bench.totals(with_disk(gce())).keys() == {"b"}
    assert bench.totals(with_disk(gce("other"))).keys() == {"a", "b"}
    assert bench.statuses(with_disk(gce()))["a"].reasons == (REASON,)
    assert bench.without(with_disk(gce()), "a", holder.metadata.uid)
    bench.remove_pod(holder.metadata.uid)
    assert bench.totals(with_disk(gce())).keys() == {"a", "b"}


@pytest.mark.parametrize(("gone", "hopes"), [(gce(), True), (gce("other"), False), (aws(), False)])
def test_only_pods_with_the_disk_wake_who_waits_for_it(gone: Volume, hopes: bool) -> None:
    hint = VolumeRestrictions(NodeColumns(), Storage().volumes).events()[ClusterEvent.POD_DELETED]
    assert hint is not None
    assert hint(PodInfo(with_disk(gce())), with_disk(gone), None) is hopes
