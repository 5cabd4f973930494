"""VolumeBinding: pods go where their volumes are, and claims that wait get theirs where the pod goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import (
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    TopologySelectorLabelRequirement,
    TopologySelectorTerm,
)
from kcore.api.meta_v1 import LabelSelector, ObjectMeta
from kcore.api.object import Object
from kcore.api.storage_v1 import CSIDriver, CSIDriverSpec, CSIStorageCapacity
from kcore.api.volume_matching import SELECTED_NODE, best_match, reaches
from kcore.client.client import Client
from kcore.scheduler.framework import ClusterEvent
from kcore.scheduler.plugins.volume_binding import (
    NO_MATCH,
    NO_SPACE,
    OUT_OF_REACH,
    UNBOUND,
    VOLUME_MISSING,
    VolumeBinding,
)
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import PLAIN
from kcore.scheduler.volumes import BIND_COMPLETED
from tests.scheduler.clusters import node, pod
from tests.scheduler.judging import Bench
from tests.scheduler.profiles import NoClient
from tests.scheduler.storage import Storage, claim, storage_class, volume, with_claims
from tests.scheduler.test_scheduler import scheduled, where


def bench_with(*objects: Object) -> tuple[Bench, VolumeBinding, Storage]:
    storage, bench = Storage(), Bench(PLAIN)
    storage.set(*objects)
    plugin = VolumeBinding(storage.volumes, bench.cache, cast(Client, NoClient()))
    bench.use(plugin)
    for name in ("a", "b"):
        bench.set_node(node(name, labels={"zone": f"zone-{name}"}))
    return bench, plugin, storage


def topology(key: str, *values: str) -> tuple[TopologySelectorTerm, ...]:
    return (TopologySelectorTerm(match_label_expressions=(TopologySelectorLabelRequirement(key=key, values=values),)),)


def tracked(node_zone: str, capacity: str) -> CSIStorageCapacity:
    return CSIStorageCapacity(
        metadata=ObjectMeta(name="cap", namespace="ns"),
        storage_class_name="local",
        capacity=capacity,
        node_topology=LabelSelector(match_labels={"zone": node_zone}),
    )


DRIVER = CSIDriver(metadata=ObjectMeta(name="disk.csi"), spec=CSIDriverSpec(storage_capacity=True))
PROVISIONED = storage_class(provisioner="disk.csi")


@pytest.mark.parametrize(
    ("objects", "reasons"),
    [
        pytest.param([claim(volume_name="v"), volume(on=["a"])], {"b": OUT_OF_REACH}, id="bound"),
        pytest.param([claim(volume_name="v"), volume()], {}, id="bound to a volume that is everywhere"),
        pytest.param([claim(volume_name="v")], {"a": VOLUME_MISSING, "b": VOLUME_MISSING}, id="volume gone"),
        pytest.param([storage_class(), claim(), volume(on=["b"])], {"a": NO_MATCH}, id="one free volume"),
        pytest.param([storage_class(), claim()], {"a": NO_MATCH, "b": NO_MATCH}, id="no volume"),
        pytest.param(
            [storage_class(), claim(size="2Gi"), volume(on=["b"])], {"a": NO_MATCH, "b": NO_MATCH}, id="too small"
        ),
        pytest.param([PROVISIONED, claim()], {}, id="provisioned anywhere"),
        pytest.param(
            [replace(PROVISIONED, allowed_topologies=topology("zone", "zone-b")), claim()],
            {"a": NO_MATCH},
            id="provisioned in one zone",
        ),
        pytest.param([PROVISIONED, claim(annotations={SELECTED_NODE: "b"})], {"a": NO_MATCH}, id="node was selected"),
        pytest.param(
            [PROVISIONED, DRIVER, claim(size="5Gi"), tracked("zone-a", "4Gi")],
            {"a": NO_SPACE, "b": NO_SPACE},
            id="no space",
        ),
        pytest.param(
            [PROVISIONED, DRIVER, claim(size="5Gi"), tracked("zone-a", "6Gi")], {"b": NO_SPACE}, id="space on one"
        ),
    ],
)
def test_where_a_pod_with_a_claim_can_go(objects: Sequence[Object], reasons: Mapping[str, str]) -> None:
    bench, _, _ = bench_with(*objects)
    wanted = with_claims("c")
    assert bench.totals(wanted).keys() == {"a", "b"} - reasons.keys()
    assert {name: status.reasons for name, status in bench.statuses(wanted).items()} == {
        name: (reason,) for name, reason in reasons.items()
    }
    # Preemption asks node by node, and hears the same.
    ask = bench.evaluator.evaluate(bench.profile, PodInfo(wanted))
    assert {name for name in ("a", "b") if ask(bench.cache[name]) is not None} == reasons.keys()


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([], 'persistentvolumeclaim "c" not found'),
        ([claim(class_name="")], UNBOUND),
        ([storage_class(mode="Immediate"), claim()], UNBOUND),
        (
            [claim(volume_name="v", phase="Lost")],
            'persistentvolumeclaim "c" bound to non-existent persistentvolume "v"',
        ),
    ],
)
def test_claims_that_keep_a_pod_from_every_node(objects: Sequence[Object], message: str) -> None:
    bench, _, _ = bench_with(*objects)
    assert bench.evaluator.evaluate(bench.profile, PodInfo(with_claims("c"))).diagnose().pre_filter == message


def test_a_volume_that_was_chosen_is_not_chosen_again_until_it_is_given_back() -> None:
    bench, plugin, _ = bench_with(storage_class(), claim("c"), claim("d"), volume(on=["a"]))
    info = PodInfo(with_claims("c"))
    state = dict(bench.evaluator.evaluate(bench.profile, info).state)
    assert plugin.reserve(state, info, "a") is None
    assert plugin.needs_pre_bind(state, info, "a")
    assert bench.totals(with_claims("d")) == {}
    plugin.unreserve(state, info, "a")
    assert bench.totals(with_claims("d")).keys() == {"a"}


@pytest.mark.parametrize(
    ("volumes", "found"),
    [
        ([volume("big", size="9Gi"), volume("small", size="2Gi")], "small"),
        ([volume("free"), volume("mine", claimed_by="c", size="9Gi")], "mine"),
        ([volume("theirs", claimed_by="d")], None),
        ([volume("used", phase="Bound")], None),
        ([volume("other", class_name="other")], None),
        ([volume("small", size="1Mi")], None),
        ([volume("many", modes=["ReadWriteOnce", "ReadOnlyMany"])], "many"),
        ([volume("reading", modes=["ReadOnlyMany"])], None),
        ([volume("far", on=["b"]), volume("near", on=["a"])], "near"),
    ],
)
def test_the_volume_that_serves_a_claim(volumes: Sequence[PersistentVolume], found: str | None) -> None:
    chosen = best_match(claim(), volumes, node=node("a"))
    assert (chosen.metadata.name if chosen is not None else None) == found


def test_a_delayed_claim_without_a_node_takes_only_what_is_meant_for_it() -> None:
    assert best_match(claim(), [volume()], reserved_only=True) is None
    assert best_match(claim(), [volume(claimed_by="c")], reserved_only=True) is not None
    assert not reaches(volume(on=["b"]), node("a"))


@pytest.mark.parametrize(
    ("event", "old", "new", "hopes"),
    [
        (ClusterEvent.CLAIM, None, claim("c"), True),
        (ClusterEvent.CLAIM, None, claim("other"), False),
        (ClusterEvent.STORAGE_CLASS, None, storage_class(), True),
        (ClusterEvent.STORAGE_CLASS, storage_class(), storage_class(), False),
        (ClusterEvent.CSI_CAPACITY, tracked("z", "1Gi"), tracked("z", "2Gi"), True),
        (ClusterEvent.CSI_CAPACITY, tracked("z", "2Gi"), tracked("z", "1Gi"), False),
    ],
)
def test_what_wakes_a_pod_that_was_refused(
    event: ClusterEvent, old: Object | None, new: Object | None, hopes: bool
) -> None:
    _, plugin, _ = bench_with()
    hint = plugin.events()[event]
    assert hint is None or hint(PodInfo(with_claims("c")), old, new) is hopes


async def test_a_claim_is_provisioned_where_its_pod_will_run_before_the_pod_is_bound() -> None:
    async with scheduled(node("a")) as w:
        await w.client.create(storage_class(provisioner="example.com/disks"))
        await w.client.create(claim())
        await w.client.create(with_claims("c"))
        await w.settle()
        selected = await w.client.get(PersistentVolumeClaim, "c", "ns")
        assert selected.metadata.annotations[SELECTED_NODE] == "a"
        assert await where(w) == ""
        await w.client.create(volume(claimed_by="c"))
        spec = replace(selected.spec, volume_name="v")
        annotations = {**selected.metadata.annotations, BIND_COMPLETED: "yes"}
        metadata = replace(selected.metadata, annotations=annotations)
        await w.client.update(replace(selected, metadata=metadata, spec=spec))
        await w.settle()
        assert await where(w) == "a"


async def test_a_free_volume_is_claimed_for_the_pod() -> None:
    async with scheduled(node("a"), node("b")) as w:
        await w.client.create(storage_class())
        await w.client.create(claim())
        created = await w.client.create(volume(on=["b"]))
        await w.client.update(replace(created, status=replace(created.status, phase="Available")), subresource="status")
        await w.client.create(with_claims("c"))
        await w.settle()
        ref = (await w.client.get(PersistentVolume, "v")).spec.claim_ref
        assert ref is not None
        assert (ref.namespace, ref.name) == ("ns", "c")


async def test_other_pods_are_bound_while_many_wait_for_their_volumes() -> None:
    async with scheduled(node("a")) as w:
        await w.client.create(storage_class(provisioner="example.com/disks"))
        for number in range(40):
            await w.client.create(claim(f"c{number}"))
            await w.client.create(with_claims(f"c{number}", name=f"waits-{number}"))
        await w.client.create(pod())
        await w.settle()
        assert await where(w) == "a"
        waiting = [p for p in (await w.client.list(Pod, "ns")).items if not p.spec.node_name]
        assert len(waiting) == 40


async def test_a_volume_that_never_comes_sends_the_pod_back() -> None:
    async with scheduled(node("a")) as w:
        await w.client.create(storage_class(provisioner="example.com/disks"))
        await w.client.create(claim())
        created = await w.client.create(with_claims("c"))
        await w.settle(601)
        reason = 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'
        assert f"Warning FailedScheduling {reason}" in await w.told(created)
