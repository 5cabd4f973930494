from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from kcore.api.apps_v1 import (
    ControllerRevision,
    RollingUpdateStatefulSetStrategy,
    StatefulSet,
    StatefulSetOrdinals,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetSpec,
    StatefulSetUpdateStrategy,
)
from kcore.api.core_v1 import (
    Container,
    Namespace,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    Pod,
    PodSpec,
    VolumeResourceRequirements,
)
from kcore.api.errors import Forbidden
from kcore.api.meta_v1 import DeleteOptions, LabelSelector, ObjectMeta
from kcore.client.runner import controller_of
from kcore.registry.request import Answer, Request
from tests.controllers.control import controlled, make_ready, pods_of, run_pods, template
from tests.sim.world import World


def stateful_set(replicas: int = 3, image: str = "app:1", **spec: Any) -> StatefulSet:
    return StatefulSet(
        metadata=ObjectMeta(name="db", namespace="ns"),
        spec=StatefulSetSpec(
            replicas=replicas,
            service_name="db",
            selector=LabelSelector(match_labels={"app": "db"}),
            template=template("db", image),
            **spec,
        ),
    )


def partitioned(partition: int) -> StatefulSetUpdateStrategy:
    rolling = RollingUpdateStatefulSetStrategy(partition=partition)
    return StatefulSetUpdateStrategy(type="RollingUpdate", rolling_update=rolling)


def with_data(scaled: str = "Retain", deleted: str = "Retain") -> dict[str, Any]:
    requests = VolumeResourceRequirements(requests={"storage": "1Gi"})
    claim = PersistentVolumeClaim(
        metadata=ObjectMeta(name="data", labels={"tier": "db"}),
        spec=PersistentVolumeClaimSpec(access_modes=("ReadWriteOnce",), resources=requests),
    )
    policy = StatefulSetPersistentVolumeClaimRetentionPolicy(when_deleted=deleted, when_scaled=scaled)
    return {"volume_claim_templates": (claim,), "persistent_volume_claim_retention_policy": policy}


async def current(w: World) -> StatefulSet:
    return await w.client.get(StatefulSet, "db", "ns")


async def edit(w: World, **spec: Any) -> StatefulSet:
    standing = await current(w)
    return await w.client.update(replace(standing, spec=replace(standing.spec, **spec)))


async def names(w: World) -> list[str]:
    return sorted(p.metadata.name for p in await pods_of(w) if p.metadata.deletion_timestamp is None)


async def ready(w: World, name: str, is_ready: bool = True) -> None:
    await make_ready(w, await w.client.get(Pod, name, "ns"), is_ready)
    await w.settle()


async def kill(w: World, name: str) -> None:
    """A pod goes for good, as when its kubelet has stopped it."""
    await w.client.delete(Pod, name, "ns", DeleteOptions(grace_period_seconds=0))
    await w.settle()


async def report(w: World, name: str, phase: str) -> None:
    pod = await w.client.get(Pod, name, "ns")
    await w.client.update(replace(pod, status=replace(pod.status, phase=phase)), subresource="status")
    await w.settle()


async def images(w: World) -> dict[str, str]:
    return {p.metadata.name: p.spec.containers[0].image for p in await pods_of(w)}


async def revisions(w: World) -> list[ControllerRevision]:
    found = (await w.client.list(ControllerRevision, "ns")).items
    return sorted(found, key=lambda revision: revision.revision)


async def claims(w: World) -> dict[str, PersistentVolumeClaim]:
    return {c.metadata.name: c for c in (await w.client.list(PersistentVolumeClaim, "ns")).items}


def owners(claim: PersistentVolumeClaim) -> list[str]:
    return [f"{o.kind}/{o.name}" for o in claim.metadata.owner_references]


async def test_pods_come_one_by_one_each_when_the_one_before_is_ready() -> None:
    async with controlled() as w:
        owner = await w.client.create(stateful_set(3))
        await w.settle()
        assert await names(w) == ["db-0"]
        await ready(w, "db-0")
        assert await names(w) == ["db-0", "db-1"]
        await ready(w, "db-0", False)
        await ready(w, "db-1")
        assert await names(w) == ["db-0", "db-1"]  # the first is not well any more
        await ready(w, "db-0")
        assert await names(w) == ["db-0", "db-1", "db-2"]
        await ready(w, "db-2")
        status = (await current(w)).status
        assert (status.replicas, status.ready_replicas, status.available_replicas) == (3, 3, 3)
        assert (status.current_replicas, status.updated_replicas, status.observed_generation) == (3, 3, 1)
        assert status.current_revision == status.update_revision
        told = await w.told(owner)
        assert told[0] == "Normal SuccessfulCreate create Pod db-0 in StatefulSet db successful"


async def test_pod_has_an_identity() -> None:
    async with controlled() as w:
        await w.client.create(stateful_set(1, ordinals=StatefulSetOrdinals(start=5)))
        await w.settle()
        [pod] = await pods_of(w)
        revision = (await current(w)).status.update_revision
        assert pod.metadata.name == "db-5"
        assert pod.metadata.labels == {
            "app": "db",
            "apps.kubernetes.io/pod-index": "5",
            "statefulset.kubernetes.io/pod-name": "db-5",
            "controller-revision-hash": revision,
        }
        assert (pod.spec.hostname, pod.spec.subdomain) == ("db-5", "db")
        [kept] = await revisions(w)
        assert (kept.metadata.name, kept.revision) == (revision, 1)
        assert kept.metadata.labels == {"app": "db", "controller.kubernetes.io/hash": revision.removeprefix("db-")}
        assert kept.data["spec"]["template"]["$patch"] == "replace"


async def test_parallel_pods_come_and_go_at_once() -> None:
    async with controlled() as w:
        await w.client.create(stateful_set(4, pod_management_policy="Parallel"))
        await w.settle()
        assert await names(w) == ["db-0", "db-1", "db-2", "db-3"]
        await edit(w, replicas=1)
        await w.settle()
        assert await names(w) == ["db-0"]


async def test_pods_go_one_by_one_from_the_highest() -> None:
    async with controlled() as w:
        await w.client.create(stateful_set(3, pod_management_policy="OrderedReady"))
        await w.settle()
        for name in ("db-0", "db-1", "db-2"):
            await ready(w, name)
        await hold(w, "db-2")
        await edit(w, replicas=1)
        await w.settle()
        assert await names(w) == ["db-0", "db-1"]  # db-2 is on its way out, and db-1 waits for it
        await release(w, "db-2")
        assert await names(w) == ["db-0"]
        status = (await current(w)).status
        assert (status.replicas, status.ready_replicas) == (1, 1)


async def hold(w: World, name: str) -> None:
    """Keep a pod from vanishing when it is deleted."""
    await w.client.patch(Pod, name, {"metadata": {"finalizers": ["example.com/hold"]}}, "ns")


async def release(w: World, name: str) -> None:
    await w.client.patch(Pod, name, {"metadata": {"finalizers": None}}, "ns")
    await w.settle()


async def test_shrinking_waits_while_a_pod_that_stays_is_unwell() -> None:
    async with controlled() as w:
        await w.client.create(stateful_set(2))
        await w.settle()
        await ready(w, "db-0")
        await ready(w, "db-1")
        await ready(w, "db-0", False)
        await edit(w, replicas=1)
        await w.settle()
        assert await names(w) == ["db-0", "db-1"]
        await ready(w, "db-0")
        assert await names(w) == ["db-0"]


async def test_failed_and_finished_pods_are_made_anew() -> None:
    async with controlled() as w:
        await w.client.create(stateful_set(1))
        await w.settle()
        for phase in ("Failed", "Succeeded"):
            before = await w.client.get(Pod, "db-0", "ns")
            await report(w, "db-0", phase)
            after = await w.client.get(Pod, "db-0", "ns")
            assert after.metadata.uid != before.metadata.uid
            assert after.status.phase == "Pending"


async def test_update_goes_from_the_highest_and_waits_for_each() -> None:
    async with controlled() as w:
        await w.client.create(stateful_set(3))
        await w.settle()
        for name in ("db-0", "db-1", "db-2"):
            await ready(w, name)
        old = (await current(w)).status.current_revision
        await edit(w, template=template("db", "app:2"))
        await w.settle()
        assert await images(w) == {"db-0": "app:1", "db-1": "app:1", "db-2": "app:2"}
        status = (await current(w)).status
        assert (status.current_replicas, status.updated_replicas) == (2, 1)
        assert status.current_revision == old != status.update_revision
        await ready(w, "db-2")
        await ready(w, "db-1")
        assert await images(w) == {"db-0": "app:2", "db-1": "app:2", "db-2": "app:2"}
        await ready(w, "db-0")
        status = (await current(w)).status
        assert (status.current_replicas, status.updated_replicas) == (3, 3)
        assert status.current_revision == status.update_revision != old


async def test_parallel_update_is_one_by_one_too() -> None:
    async with controlled() as w:
        await w.client.create(stateful_set(3, pod_management_policy="Parallel"))
        await w.settle()
        for name in ("db-0", "db-1", "db-2"):
            await ready(w, name)
        await edit(w, template=template("db", "app:2"))
        await w.settle()
        assert await images(w) == {"db-0": "app:1", "db-1": "app:1", "db-2": "app:2"}


async def test_pods_below_the_partition_keep_their_revision_even_when_replaced() -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_pods, w)
        await w.client.create(stateful_set(3, update_strategy=partitioned(2)))
        await w.settle(5)
        await edit(w, template=template("db", "app:2"))
        await w.settle(5)
        assert await images(w) == {"db-0": "app:1", "db-1": "app:1", "db-2": "app:2"}
        await kill(w, "db-0")
        await w.settle(5)
        assert (await images(w))["db-0"] == "app:1"
        status = (await current(w)).status
        assert (status.current_replicas, status.updated_replicas) == (2, 1)
        await edit(w, update_strategy=partitioned(0))
        await w.settle(5)
        assert set((await images(w)).values()) == {"app:2"}
        status = (await current(w)).status
        assert status.current_revision == status.update_revision


async def test_partition_counts_from_the_first_ordinal() -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_pods, w)
        start = StatefulSetOrdinals(start=10)
        await w.client.create(stateful_set(3, ordinals=start, update_strategy=partitioned(1)))
        await w.settle(5)
        await edit(w, template=template("db", "app:2"))
        await w.settle(5)
        assert await images(w) == {"db-10": "app:1", "db-11": "app:2", "db-12": "app:2"}


async def test_on_delete_leaves_old_pods_until_somebody_deletes_them() -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_pods, w)
        await w.client.create(stateful_set(2, update_strategy=StatefulSetUpdateStrategy(type="OnDelete")))
        await w.settle(5)
        await edit(w, template=template("db", "app:2"))
        await w.settle(5)
        assert set((await images(w)).values()) == {"app:1"}
        await kill(w, "db-0")
        await w.settle(5)
        assert await images(w) == {"db-0": "app:2", "db-1": "app:1"}


async def test_going_back_to_an_old_template_gives_its_revision_the_highest_number() -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_pods, w)
        await w.client.create(stateful_set(2))
        await w.settle(5)
        [first] = await revisions(w)
        await edit(w, template=template("db", "app:2"))
        await w.settle(0.2)  # in mid-rollout
        await edit(w, template=template("db", "app:1"))
        await w.settle(5)
        kept = await revisions(w)
        assert [r.revision for r in kept] == [2, 3]
        assert kept[-1].metadata.uid == first.metadata.uid
        assert set((await images(w)).values()) == {"app:1"}
        assert (await current(w)).status.current_revision == first.metadata.name


async def test_history_is_cut_to_its_limit() -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_pods, w)
        await w.client.create(stateful_set(1, revision_history_limit=2))
        await w.settle(3)
        for version in range(2, 7):
            await edit(w, template=template("db", f"app:{version}"))
            await w.settle(3)
        assert [r.revision for r in await revisions(w)] == [4, 5, 6]


async def test_taken_revision_name_is_counted_and_avoided() -> None:
    async with controlled() as w:
        await w.client.create(stateful_set(1))
        await w.settle()
        [revision] = await revisions(w)
        await w.client.delete(StatefulSet, "db", "ns", DeleteOptions(propagation_policy="Orphan"))
        await w.settle(5)
        metadata = ObjectMeta(name=revision.metadata.name, namespace="ns")
        stranger = ControllerRevision(metadata=metadata, data={"spec": {}}, revision=1)
        await w.client.delete(ControllerRevision, revision.metadata.name, "ns")
        await w.client.create(stranger)
        await kill(w, "db-0")
        await w.client.create(stateful_set(1))
        await w.settle()
        status = (await current(w)).status
        assert status.collision_count == 1
        assert status.update_revision != revision.metadata.name


async def test_set_that_is_made_anew_adopts_pods_and_history() -> None:
    async with controlled() as w:
        await w.client.create(stateful_set(1))
        await w.settle()
        await ready(w, "db-0")
        before = await w.client.get(Pod, "db-0", "ns")
        await w.client.delete(StatefulSet, "db", "ns", DeleteOptions(propagation_policy="Orphan"))
        await w.settle(5)
        assert controller_of((await w.client.get(Pod, "db-0", "ns")).metadata) is None
        again = await w.client.create(stateful_set(1))
        await w.settle(5)
        after = await w.client.get(Pod, "db-0", "ns")
        owner = controller_of(after.metadata)
        assert owner is not None
        assert (owner.uid, after.metadata.uid) == (again.metadata.uid, before.metadata.uid)
        assert [r.revision for r in await revisions(w)] == [1]
        assert (await current(w)).status.ready_replicas == 1


async def test_orphan_of_another_name_is_left_alone() -> None:
    async with controlled() as w:
        pod = Pod(
            metadata=ObjectMeta(name="dba-0", namespace="ns", labels={"app": "db"}),
            spec=PodSpec(containers=(Container(name="app", image="app:1"),)),
        )
        await w.client.create(pod)
        await w.client.create(stateful_set(1))
        await w.settle()
        assert controller_of((await w.client.get(Pod, "dba-0", "ns")).metadata) is None


async def test_identity_labels_that_were_taken_away_come_back() -> None:
    async with controlled() as w:
        owner = await w.client.create(stateful_set(1))
        await w.settle()
        await ready(w, "db-0")
        label = "statefulset.kubernetes.io/pod-name"
        await w.client.patch(Pod, "db-0", {"metadata": {"labels": {label: None}}}, "ns")
        await w.settle()
        assert (await w.client.get(Pod, "db-0", "ns")).metadata.labels[label] == "db-0"
        assert "Normal SuccessfulUpdate update Pod db-0 in StatefulSet db successful" in await w.told(owner)


async def test_min_ready_seconds_hold_up_the_next_pod() -> None:
    async with controlled() as w:
        await w.client.create(stateful_set(2, min_ready_seconds=30))
        await w.settle()
        await ready(w, "db-0")
        status = (await current(w)).status
        assert (status.ready_replicas, status.available_replicas) == (1, 0)
        await w.settle(25)
        assert await names(w) == ["db-0"]
        await w.settle(10)
        assert await names(w) == ["db-0", "db-1"]
        assert (await current(w)).status.available_replicas == 1


async def test_each_pod_has_its_claims_and_keeps_them() -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_pods, w)
        owner = await w.client.create(stateful_set(2, **with_data()))
        await w.settle(5)
        made = await claims(w)
        assert sorted(made) == ["data-db-0", "data-db-1"]
        assert made["data-db-0"].metadata.labels == {"app": "db", "tier": "db"}
        assert owners(made["data-db-0"]) == []
        pod = await w.client.get(Pod, "db-0", "ns")
        [source] = [v.persistent_volume_claim for v in pod.spec.volumes if v.name == "data"]
        assert source is not None
        assert source.claim_name == "data-db-0"
        told = await w.told(owner)
        assert told[0] == "Normal SuccessfulCreate create Claim data-db-0 Pod db-0 in StatefulSet db success"
        await edit(w, replicas=0)
        await w.settle(5)
        await w.client.delete(StatefulSet, "db", "ns")
        await w.settle(10)
        kept = await claims(w)
        assert {name: c.metadata.uid for name, c in kept.items()} == {n: c.metadata.uid for n, c in made.items()}


async def test_claims_go_with_the_set() -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_pods, w)
        await w.client.create(stateful_set(2, **with_data(deleted="Delete")))
        await w.settle(5)
        assert {name: owners(c) for name, c in (await claims(w)).items()} == {
            "data-db-0": ["StatefulSet/db"],
            "data-db-1": ["StatefulSet/db"],
        }
        await edit(w, replicas=1)
        await w.settle(5)
        assert owners((await claims(w))["data-db-1"]) == ["StatefulSet/db"]


async def test_claims_of_pods_that_go_are_theirs_and_come_back_empty() -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_pods, w)
        await w.client.create(stateful_set(2, **with_data(scaled="Delete")))
        await w.settle(5)
        made = await claims(w)
        assert owners(made["data-db-1"]) == []
        hold = {"metadata": {"finalizers": ["example.com/hold"]}}
        await w.client.patch(PersistentVolumeClaim, "data-db-1", hold, "ns")
        await edit(w, replicas=1)
        await w.settle(5)
        held = (await claims(w))["data-db-1"]
        assert owners(held) == ["Pod/db-1"]
        assert held.metadata.deletion_timestamp is not None
        await edit(w, replicas=2)
        await w.settle(2)
        assert await names(w) == ["db-0"]  # the claim of the pod before is not gone yet
        await w.client.patch(PersistentVolumeClaim, "data-db-1", {"metadata": {"finalizers": None}}, "ns")
        await w.settle(5)
        assert await names(w) == ["db-0", "db-1"]
        assert (await claims(w))["data-db-1"].metadata.uid != made["data-db-1"].metadata.uid


async def test_claims_change_hands_with_the_policy() -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_pods, w)
        await w.client.create(stateful_set(1, **with_data()))
        await w.settle(5)
        policy = StatefulSetPersistentVolumeClaimRetentionPolicy(when_deleted="Delete", when_scaled="Retain")
        await edit(w, persistent_volume_claim_retention_policy=policy)
        await w.settle()
        assert owners((await claims(w))["data-db-0"]) == ["StatefulSet/db"]
        policy = StatefulSetPersistentVolumeClaimRetentionPolicy(when_deleted="Retain", when_scaled="Retain")
        await edit(w, persistent_volume_claim_retention_policy=policy)
        await w.settle()
        assert owners((await claims(w))["data-db-0"]) == []


async def test_refused_pods_are_told_of_and_tried_again() -> None:
    async with controlled() as w:
        create = w.registry.create

        async def refuse_pods(req: Request, obj: Any) -> Answer:
            if req.kind.type is Pod:
                raise Forbidden('pods "db-0" is forbidden: exceeded quota')
            return await create(req, obj)

        w.registry.create = refuse_pods  # type: ignore[method-assign]
        owner = await w.client.create(stateful_set(1))
        await w.settle()
        words = 'create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: exceeded quota'
        assert f"Warning FailedCreate {words}" in await w.told(owner)
        assert (await current(w)).status.observed_generation == 1
        w.registry.create = create  # type: ignore[method-assign]
        await w.settle(10)
        assert await names(w) == ["db-0"]


async def test_deleted_set_makes_no_pods() -> None:
    async with controlled() as w:
        held = replace(stateful_set(2), metadata=ObjectMeta(name="db", namespace="ns", finalizers=("example.com/x",)))
        await w.client.create(held)
        await w.settle()
        await w.client.delete(StatefulSet, "db", "ns")
        await kill(w, "db-0")
        await w.settle(5)
        assert await names(w) == []
        assert (await current(w)).status.replicas == 0


async def test_set_in_a_namespace_that_goes_keeps_quiet() -> None:
    async with controlled() as w:
        held = replace(stateful_set(2), metadata=ObjectMeta(name="db", namespace="ns", finalizers=("example.com/x",)))
        owner = await w.client.create(held)
        await w.settle()
        await w.client.delete(Namespace, "ns")
        await kill(w, "db-0")
        await w.settle(10)
        assert not [line for line in await w.told(owner) if "FailedCreate" in line]
