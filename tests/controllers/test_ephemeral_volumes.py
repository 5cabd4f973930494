from __future__ import annotations

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import EphemeralVolumeSource, PersistentVolumeClaim, PersistentVolumeClaimTemplate, Pod, Volume
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta
from tests.controllers.control import controlled, template
from tests.controllers.volumes import claim
from tests.sim.world import World


async def make_pod(w: World) -> Pod:
    wanted = PersistentVolumeClaimTemplate(metadata=ObjectMeta(labels={"kind": "scratch"}), spec=claim().spec)
    scratch = Volume(name="scratch", ephemeral=EphemeralVolumeSource(volume_claim_template=wanted))
    spec = replace(template().spec, volumes=(scratch,))
    return await w.client.create(Pod(metadata=ObjectMeta(name="p", namespace="ns"), spec=spec))


async def test_pod_brings_its_claim_along_and_takes_it_with_it() -> None:
    async with controlled() as w:
        pod = await make_pod(w)
        await w.settle()
        made = await w.client.get(PersistentVolumeClaim, "p-scratch", "ns")
        owner = made.metadata.owner_references[0]
        assert (owner.kind, owner.uid, owner.controller, owner.block_owner_deletion) == (
            "Pod",
            pod.metadata.uid,
            True,
            True,
        )
        assert made.metadata.labels == {"kind": "scratch"}
        await w.client.delete(Pod, "p", "ns", DeleteOptions(grace_period_seconds=0))
        await w.settle()
        with pytest.raises(NotFound):
            await w.client.get(PersistentVolumeClaim, "p-scratch", "ns")


async def test_claim_of_somebody_else_is_not_taken() -> None:
    async with controlled() as w:
        await w.client.create(claim("p-scratch"))
        pod = await make_pod(w)
        await w.settle()
        why = 'ephemeral volume "scratch": PVC ns/p-scratch was not created for pod ns/p (pod is not owner)'
        assert await w.told(pod) == [f"Warning FailedBinding {why}"]


async def test_claim_that_somebody_deletes_is_made_again() -> None:
    async with controlled() as w:
        await make_pod(w)
        await w.settle()
        first = await w.client.get(PersistentVolumeClaim, "p-scratch", "ns")
        await w.client.delete(PersistentVolumeClaim, "p-scratch", "ns")
        await w.settle()
        again = await w.client.get(PersistentVolumeClaim, "p-scratch", "ns")
        assert again.metadata.uid != first.metadata.uid
