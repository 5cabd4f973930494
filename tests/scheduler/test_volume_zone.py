"""VolumeZone: volumes that carry zone labels are used in their zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from kcore.api.object import Object
from kcore.scheduler.plugins.volume_zone import REASON, VolumeZone
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import PLAIN
from tests.scheduler.clusters import node
from tests.scheduler.judging import Bench
from tests.scheduler.storage import Storage, claim, storage_class, volume, with_claims

ZONE, BETA = "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"


@pytest.mark.parametrize(
    ("volume_labels", "node_labels", "fits"),
    [
        ({ZONE: "a"}, {ZONE: "a"}, True),
        ({ZONE: "a"}, {ZONE: "b"}, False),
        ({ZONE: "a__b"}, {ZONE: "b"}, True),
        ({ZONE: "a"}, {}, True),
        ({ZONE: "a"}, {"topology.kubernetes.io/region": "r"}, False),
        ({BETA: "a"}, {ZONE: "a"}, True),
        ({BETA: "a"}, {BETA: "b", ZONE: "a"}, False),
        ({}, {ZONE: "b"}, True),
    ],
)
def test_zones_of_volume_and_node(volume_labels: Mapping[str, str], node_labels: Mapping[str, str], fits: bool) -> None:
    storage, bench = Storage(), Bench(PLAIN)
    storage.set(claim(volume_name="v"), volume(labels=volume_labels))
    bench.use(VolumeZone(storage.volumes))
    bench.set_node(node("n", labels=node_labels))
    wanted = with_claims("c")
    assert bool(bench.totals(wanted)) is fits
    ask = bench.evaluator.evaluate(bench.profile, PodInfo(wanted))
    assert (ask(bench.cache["n"]) is None) is fits
    assert fits or bench.statuses(wanted)["n"].reasons == (REASON,)


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([], 'persistentvolumeclaim "c" not found'),
        ([claim(volume_name="v")], 'persistentvolume "v" not found'),
        ([claim(class_name="")], "PersistentVolumeClaim had no pv name and storageClass name"),
        ([claim()], 'storageclass.storage.k8s.io "local" not found'),
        ([claim(), storage_class(mode="Immediate")], "PersistentVolume had no name"),
        ([claim(), storage_class()], ""),
    ],
)
def test_claims_without_a_volume(objects: Sequence[Object], message: str) -> None:
    storage, bench = Storage(), Bench(PLAIN)
    storage.set(*objects)
    bench.use(VolumeZone(storage.volumes))
    bench.set_node(node("n"))
    assert bench.evaluator.evaluate(bench.profile, PodInfo(with_claims("c"))).diagnose().pre_filter == message
