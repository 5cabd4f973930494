"""NodeVolumeLimits: a node holds no more volumes of a driver than it can."""

from __future__ import annotations

import pytest

from kcore.api.core_v1 import Pod
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.storage_v1 import (
    CSINode,
    CSINodeDriver,
    CSINodeSpec,
    VolumeAttachment,
    VolumeAttachmentSource,
    VolumeAttachmentSpec,
    VolumeNodeResources,
)
from kcore.scheduler.framework import ClusterEvent
from kcore.scheduler.plugins.node_volume_limits import REASON, NodeVolumeLimits
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import PLAIN
from tests.scheduler.clusters import node, pod
from tests.scheduler.judging import Bench
from tests.scheduler.storage import Storage, claim, storage_class, volume, with_claims

DRIVER = "disk.csi"


def limit(count: int | None, driver: str = DRIVER) -> CSINode:
    allocatable = VolumeNodeResources(count=count)
    drivers = (CSINodeDriver(name=driver, node_id="n", allocatable=allocatable),)
    return CSINode(metadata=ObjectMeta(name="n"), spec=CSINodeSpec(drivers=drivers))


def bench_with(storage: Storage) -> Bench:
    bench = Bench(PLAIN)
    bench.use(NodeVolumeLimits(storage.volumes))
    bench.set_node(node("n"))
    for name in ("x", "y", "z"):
        storage.set(claim(name, volume_name=f"vol-{name}"), volume(f"vol-{name}", driver=DRIVER))
    storage.set(storage_class("dynamic", DRIVER), claim("unbound", class_name="dynamic"))
    return bench


@pytest.mark.parametrize(
    ("csi_node", "there", "wanted", "fits"),
    [
        (limit(1), [], with_claims("x"), True),
        (limit(1), [with_claims("x", node_name="n")], with_claims("y"), False),
        (limit(1), [with_claims("x", node_name="n")], with_claims("x"), True),
        (limit(2), [with_claims("x", node_name="n")], with_claims("y", "z"), False),
        (limit(1), [with_claims("x", node_name="n")], with_claims("unbound"), False),
        (limit(None), [with_claims("x", node_name="n")], with_claims("y"), True),
        (limit(0, "other.csi"), [with_claims("x", node_name="n")], with_claims("y"), True),
        (limit(1), [pod(node_name="n")], pod(), True),
    ],
)
def test_volumes_that_a_node_can_still_take(csi_node: CSINode, there: list[Pod], wanted: Pod, fits: bool) -> None:
    storage = Storage()
    bench = bench_with(storage)
    storage.set(csi_node)
    for other in there:
        bench.set_pod(other)
    assert bool(bench.totals(wanted)) is fits
    assert fits or bench.statuses(wanted)["n"].reasons == (REASON,)


def test_what_is_still_attached_counts_though_its_pod_has_gone() -> None:
    storage = Storage()
    bench = bench_with(storage)
    source = VolumeAttachmentSource(persistent_volume_name="vol-x")
    spec = VolumeAttachmentSpec(attacher=DRIVER, node_name="n", source=source)
    storage.set(limit(1), VolumeAttachment(metadata=ObjectMeta(name="att"), spec=spec))
    assert not bench.totals(with_claims("y"))
    assert bench.totals(with_claims("x"))


def test_preemption_can_free_a_place() -> None:
    storage = Storage()
    bench = bench_with(storage)
    storage.set(limit(1))
    there = with_claims("x", node_name="n")
    bench.set_pod(there)
    assert bench.without(with_claims("y"), "n", there.metadata.uid)


@pytest.mark.parametrize(
    ("old", "new", "hopes"),
    [(None, limit(1), True), (limit(1), limit(2), True), (limit(2), limit(1), False), (limit(1), limit(None), True)],
)
def test_a_raised_limit_wakes_who_was_refused(old: CSINode | None, new: CSINode, hopes: bool) -> None:
    hint = NodeVolumeLimits(Storage().volumes).events()[ClusterEvent.CSI_NODE]
    assert hint is not None
    assert hint(PodInfo(with_claims("x")), old, new) is hopes
