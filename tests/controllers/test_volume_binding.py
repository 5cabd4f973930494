from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import CSIPersistentVolumeSource, PersistentVolume, PersistentVolumeClaim, Pod
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import DeleteOptions, LabelSelector
from kcore.api.volume_matching import SELECTED_NODE, best_match, mismatch
from kcore.controllers.volumes.binding import BIND_COMPLETED, BOUND_BY_CONTROLLER
from kcore.controllers.volumes.provisioning import PROVISIONED_BY
from tests.controllers.control import controlled, pods_of
from tests.controllers.jobs import end
from tests.controllers.volumes import claim, make_class, phase, pod_with, volume
from tests.sim.world import World

PV, PVC = PersistentVolume, PersistentVolumeClaim


def available(name: str, **fields: Any) -> PersistentVolume:
    made = volume(name, **fields)
    return replace(made, status=replace(made.status, phase="Available"))


@pytest.mark.parametrize(
    ("wanted", "volumes", "found"),
    [
        (claim(), [], None),
        (claim(size="2Gi"), [available("small")], None),
        (claim(), [available("big", size="5Gi"), available("fits")], "fits"),
        (claim(), [available("other", class_="x")], None),
        (claim(class_=""), [available("classless", class_="")], "classless"),
        (claim(), [available("rwx", access_modes=("ReadWriteMany",))], None),
        (
            claim(),
            [
                available("many", access_modes=("ReadWriteOnce", "ReadWriteMany")),
                available("few", size="9Gi"),
            ],
            "few",
        ),
        (claim(volume_mode="Block"), [available("files")], None),
        (claim(volume_mode="Block"), [available("block", volume_mode="Block")], "block"),
        (
            claim(selector=LabelSelector(match_labels={"disk": "ssd"})),
            [available("plain"), available("ssd", size="9Gi", labels={"disk": "ssd"})],
            "ssd",
        ),
        (claim(), [available("other's", reserved="x"), available("free", size="9Gi")], "free"),
        (claim(), [available("free"), available("ours", size="9Gi", reserved="data")], "ours"),
        (claim(), [volume("not looked at yet")], None),
        (claim(volume_attributes_class_name="gold"), [available("plain")], None),
    ],
)
def test_claim_gets_the_volume_that_fits_with_the_least_waste(
    wanted: PersistentVolumeClaim, volumes: list[PersistentVolume], found: str | None
) -> None:
    best = best_match(wanted, volumes, reserved_only=False)
    assert (best.metadata.name if best else None) == found


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (claim(), ""),
        (claim(size="2Gi"), "requested PV is too small"),
        (claim(class_="x"), "storageClassName does not match"),
        (claim(volume_attributes_class_name="gold"), "volumeAttributesClassName does not match"),
        (claim(volume_mode="Block"), "incompatible volumeMode"),
        (claim(access_modes=("ReadWriteMany",)), "incompatible accessMode"),
    ],
)
def test_volume_asked_for_by_name_must_satisfy_the_claim(wanted: PersistentVolumeClaim, why: str) -> None:
    assert mismatch(volume(), wanted) == why


async def test_claim_and_volume_are_bound_to_each_other() -> None:
    async with controlled() as w:
        await w.client.create(claim())
        await w.settle()
        assert await phase(w, PVC, "data") == "Pending"
        await w.client.create(volume(size="3Gi"))
        await w.settle()
        bound, held = await w.client.get(PVC, "data", "ns"), await w.client.get(PV, "v")
        assert (bound.status.phase, bound.spec.volume_name, held.status.phase) == ("Bound", "v", "Bound")
        assert bound.status.capacity == {"storage": "3Gi"}
        assert bound.status.access_modes == ("ReadWriteOnce",)
        assert bound.metadata.annotations == {BIND_COMPLETED: "yes", BOUND_BY_CONTROLLER: "yes"}
        assert held.metadata.annotations == {BOUND_BY_CONTROLLER: "yes"}
        ref = held.spec.claim_ref
        assert ref is not None
        assert (ref.kind, ref.namespace, ref.name, ref.uid) == (
            "PersistentVolumeClaim",
            "ns",
            "data",
            bound.metadata.uid,
        )


async def test_many_claims_never_share_a_volume() -> None:
    async with controlled() as w:
        for i in range(20):
            await w.client.create(claim(f"c{i}"))
        for i in range(15):
            await w.client.create(volume(f"v{i}"))
        await w.settle(10)
        claims = (await w.client.list(PVC, "ns")).items
        held = [c.spec.volume_name for c in claims if c.status.phase == "Bound"]
        assert len(held) == len(set(held)) == 15
        assert sum(c.status.phase == "Pending" for c in claims) == 5


async def test_claim_without_a_class_is_told_that_nothing_fits() -> None:
    async with controlled() as w:
        made = await w.client.create(claim(class_=""))
        await w.settle()
        why = "no persistent volumes available for this claim and no storage class is set"
        assert await w.told(made) == [f"Normal FailedBinding {why}"]


async def test_claim_of_an_unknown_class_is_told_so_and_bound_when_the_class_comes() -> None:
    async with controlled() as w:
        made = await w.client.create(claim(class_="fast"))
        await w.settle()
        assert await w.told(made) == ['Warning ProvisioningFailed storageclass.storage.k8s.io "fast" not found']
        await make_class(w)
        await w.settle()
        assert await phase(w, PVC, "data") == "Bound"


async def test_claim_that_names_a_volume_waits_for_it_and_for_it_to_be_free() -> None:
    async with controlled() as w:
        await w.client.create(volume("v", size="1Gi"))
        await w.client.create(claim("first"))
        await w.settle()
        second = await w.client.create(claim("second", volume_name="v"))
        third = await w.client.create(claim("third", size="2Gi", volume_name="later"))
        await w.settle()
        assert await w.told(second) == ['Warning FailedBinding volume "v" already bound to a different claim.']
        await w.client.create(volume("later"))
        await w.settle()
        told = await w.told(third)
        assert told == ['Warning VolumeMismatch Cannot bind to requested volume "later": requested PV is too small']


async def test_volume_reserved_by_its_maker_goes_to_the_claim_of_that_name_only() -> None:
    async with controlled() as w:
        await w.client.create(volume("v", reserved="data"))
        await w.client.create(claim("other"))
        await w.settle()
        assert await phase(w, PV, "v") == "Available"
        await w.client.create(claim("data"))
        await w.settle()
        assert (await w.client.get(PVC, "data", "ns")).spec.volume_name == "v"
        assert BOUND_BY_CONTROLLER not in (await w.client.get(PV, "v")).metadata.annotations


async def test_retained_volume_keeps_its_data_for_nobody_else() -> None:
    async with controlled() as w:
        await w.client.create(volume())
        await w.client.create(claim())
        await w.settle()
        await w.client.delete(PVC, "data", "ns")
        await w.settle()
        assert await phase(w, PV, "v") == "Released"
        await w.client.create(claim())
        await w.settle()
        assert await phase(w, PVC, "data") == "Pending"
        held = await w.client.get(PV, "v")
        await w.client.update(replace(held, spec=replace(held.spec, claim_ref=None)))
        await w.settle()
        assert await phase(w, PVC, "data") == "Bound"


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("Recycle", "VolumeFailedRecycle No recycler plugin found for the volume!"),  # there is one for hostPath
        (
            "Delete",
            'VolumeFailedDelete error getting deleter volume plugin for volume "v": no volume plugin matched',
        ),
    ],
)
async def test_volume_that_nobody_can_reclaim_has_failed(policy: str, message: str) -> None:
    async with controlled() as w:
        await w.create_namespace("default")
        source = CSIPersistentVolumeSource(driver="csi.example.com", volume_handle="h")
        made = await w.client.create(volume(persistent_volume_reclaim_policy=policy, csi=source))
        await w.client.create(claim())
        await w.settle()
        await w.client.delete(PVC, "data", "ns")
        await w.settle()
        failed = await w.client.get(PV, "v")
        assert failed.status.phase == "Failed"
        assert message.endswith(failed.status.message)
        assert await w.told(made) == [f"Warning {message}"]


@pytest.mark.parametrize(
    ("exit_code", "phase", "told"),
    [
        (0, "Available", "Normal VolumeRecycled Volume recycled"),
        (1, "Failed", "Warning VolumeFailedRecycle Recycle failed: the recycler pod failed"),
    ],
)
async def test_folder_of_a_node_is_recycled_by_a_pod(exit_code: int, phase: str, told: str) -> None:
    async with controlled() as w:
        await w.create_namespace("default")
        made = await w.client.create(volume(persistent_volume_reclaim_policy="Recycle"))
        await w.client.create(claim())
        await w.settle()
        await w.client.delete(PVC, "data", "ns")
        await w.settle()
        assert (await w.client.get(PV, "v")).status.phase == "Released"
        (pod,) = await pods_of(w, "default")
        assert pod.metadata.name == "recycler-for-v"
        assert [v.host_path.path for v in pod.spec.volumes if v.host_path is not None] == ["/tmp/v"]
        await end(w, pod, exit_code)
        await w.settle()
        for gone in await pods_of(w, "default"):
            await w.client.delete(Pod, gone.metadata.name, "default", DeleteOptions(grace_period_seconds=0))
        await w.settle(30)
        assert await pods_of(w, "default") == []
        found = await w.client.get(PV, "v")
        assert found.status.phase == phase
        assert (found.spec.claim_ref is None) is (phase == "Available")
        assert await w.told(made) == [told]


async def test_claim_whose_volume_vanishes_is_lost() -> None:
    async with controlled() as w:
        await w.client.create(volume())
        made = await w.client.create(claim())
        await w.settle()
        held = await w.client.get(PV, "v")
        await w.client.update(replace(held, metadata=replace(held.metadata, finalizers=())))
        await w.client.delete(PV, "v")
        await w.settle()
        lost = await w.client.get(PVC, "data", "ns")
        assert (lost.status.phase, lost.status.capacity) == ("Lost", {})
        told = (await w.told(made))[-1]
        assert told == "Warning ClaimLost Bound claim has lost its PersistentVolume. Data on the volume is lost!"


async def test_volume_is_made_for_a_claim_and_goes_with_it() -> None:
    async with controlled() as w:
        await make_class(w, reclaim_policy="Delete")
        made = await w.client.create(claim(class_="fast"))
        await w.settle()
        bound = await w.client.get(PVC, "data", "ns")
        name = f"pvc-{made.metadata.uid}"
        assert (bound.status.phase, bound.spec.volume_name) == ("Bound", name)
        held = await w.client.get(PV, name)
        assert held.metadata.annotations[PROVISIONED_BY] == "kcore.dev/host-path"
        assert held.spec.persistent_volume_reclaim_policy == "Delete"
        reasons = [line.split()[1] for line in await w.told(made)]
        assert reasons == ["ExternalProvisioning", "Provisioning", "ProvisioningSucceeded"]
        await w.client.delete(PVC, "data", "ns")
        await w.settle()
        with pytest.raises(NotFound):
            await w.client.get(PV, name)


async def test_claim_of_a_class_that_waits_is_bound_once_the_scheduler_has_chosen_a_node() -> None:
    async with controlled() as w:
        await make_class(w, volume_binding_mode="WaitForFirstConsumer")
        made = await w.client.create(claim(class_="fast"))
        await w.settle()
        await w.client.create(pod_with("data"))
        await w.client.patch(PVC, "data", {"metadata": {"labels": {"touched": "yes"}}}, "ns")
        await w.settle()
        assert await w.told(made) == [
            "Normal WaitForFirstConsumer waiting for first consumer to be created before binding",
            "Normal WaitForPodScheduled waiting for pod p to be scheduled",
        ]
        await w.client.patch(PVC, "data", {"metadata": {"annotations": {SELECTED_NODE: "n1"}}}, "ns")
        await w.settle()
        assert await phase(w, PVC, "data") == "Bound"


async def test_claim_of_a_provisioner_that_is_not_there_waits_for_it() -> None:
    async with controlled() as w:
        await make_class(w, provisioner="csi.example.com")
        made = await w.client.create(claim(class_="fast"))
        await w.settle()
        waiting = await w.client.get(PVC, "data", "ns")
        assert waiting.metadata.annotations["volume.kubernetes.io/storage-provisioner"] == "csi.example.com"
        assert "external provisioner 'csi.example.com'" in (await w.told(made))[0]


async def test_claim_made_before_there_was_a_default_class_gets_it_later() -> None:
    async with controlled() as w:
        await w.client.create(claim(class_=None))
        await w.settle()
        made = await make_class(w)
        marked = {"storageclass.kubernetes.io/is-default-class": "true"}
        await w.client.update(replace(made, metadata=replace(made.metadata, annotations=marked)))
        await w.settle()
        bound = await w.client.get(PVC, "data", "ns")
        assert (bound.spec.storage_class_name, bound.status.phase) == ("fast", "Bound")


async def bind(w: World) -> PersistentVolumeClaim:
    await w.client.create(claim(class_="fast"))
    await w.settle()
    return await w.client.get(PVC, "data", "ns")


async def test_claim_of_kcores_own_class_grows() -> None:
    async with controlled() as w:
        await make_class(w, allow_volume_expansion=True)
        bound = await bind(w)
        more = {"spec": {"resources": {"requests": {"storage": "5Gi"}}}}
        await w.client.patch(PVC, "data", more, "ns")
        await w.settle()
        assert (await w.client.get(PVC, "data", "ns")).status.capacity == {"storage": "5Gi"}
        assert (await w.client.get(PV, bound.spec.volume_name)).spec.capacity == {"storage": "5Gi"}
        assert (await w.told(bound))[-1] == "Normal VolumeResizeSuccessful Resize volume succeeded"


async def test_claim_of_another_provisioner_waits_for_its_resizer() -> None:
    async with controlled() as w:
        await make_class(w, "manual", "csi.example.com", allow_volume_expansion=True)
        await w.client.create(volume())
        made = await w.client.create(claim())
        await w.settle()
        await w.client.patch(PVC, "data", {"spec": {"resources": {"requests": {"storage": "5Gi"}}}}, "ns")
        await w.settle()
        waiting = "Normal ExternalExpanding waiting for an external controller to expand this PVC"
        assert (await w.told(made))[-1] == waiting
        assert (await w.client.get(PVC, "data", "ns")).status.capacity == {"storage": "1Gi"}
