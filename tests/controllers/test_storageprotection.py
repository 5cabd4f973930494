from __future__ import annotations

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import (
    HostPathVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimVolumeSource,
    PersistentVolumeSpec,
    Pod,
    Volume,
    VolumeResourceRequirements,
)
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta
from kcore.api.storage_v1 import VolumeAttributesClass
from tests.controllers.control import controlled, template
from tests.sim.world import World

_SIZE = {"storage": "1Gi"}


async def claim(w: World, attributes: str | None = None) -> PersistentVolumeClaim:
    spec = PersistentVolumeClaimSpec(
        access_modes=("ReadWriteOnce",),
        storage_class_name="x",
        resources=VolumeResourceRequirements(requests=_SIZE),
        volume_attributes_class_name=attributes,
    )
    metadata = ObjectMeta(name="data", namespace="ns")
    return await w.client.create(PersistentVolumeClaim(metadata=metadata, spec=spec))


async def test_unused_claim_goes_at_once() -> None:
    async with controlled() as w:
        assert (await claim(w)).metadata.finalizers == ("kubernetes.io/pvc-protection",)
        await w.client.delete(PersistentVolumeClaim, "data", "ns")
        await w.settle()
        with pytest.raises(NotFound):
            await w.client.get(PersistentVolumeClaim, "data", "ns")


async def test_claim_waits_for_the_pod_that_mounts_it() -> None:
    async with controlled() as w:
        await claim(w)
        source = PersistentVolumeClaimVolumeSource(claim_name="data")
        spec = replace(template().spec, node_name="n1", volumes=(Volume(name="v", persistent_volume_claim=source),))
        await w.client.create(Pod(metadata=ObjectMeta(name="p", namespace="ns"), spec=spec))
        await w.settle()
        await w.client.delete(PersistentVolumeClaim, "data", "ns")
        await w.settle()
        assert (await w.client.get(PersistentVolumeClaim, "data", "ns")).metadata.deletion_timestamp
        await w.client.delete(Pod, "p", "ns", DeleteOptions(grace_period_seconds=0))
        await w.settle()
        with pytest.raises(NotFound):
            await w.client.get(PersistentVolumeClaim, "data", "ns")


async def test_volume_waits_until_it_is_released() -> None:
    async with controlled() as w:
        spec = PersistentVolumeSpec(
            capacity=_SIZE, access_modes=("ReadWriteOnce",), host_path=HostPathVolumeSource(path="/x")
        )
        volume = await w.client.create(PersistentVolume(metadata=ObjectMeta(name="v"), spec=spec))
        bound = replace(volume, status=replace(volume.status, phase="Bound"))
        await w.client.update(bound, subresource="status")
        await w.settle()
        await w.client.delete(PersistentVolume, "v")
        await w.settle()
        waiting = await w.client.get(PersistentVolume, "v")
        released = replace(waiting, status=replace(waiting.status, phase="Released"))
        await w.client.update(released, subresource="status")
        await w.settle()
        with pytest.raises(NotFound):
            await w.client.get(PersistentVolume, "v")


async def test_attributes_class_waits_for_the_claim_that_names_it() -> None:
    async with controlled() as w:
        attributes = VolumeAttributesClass(
            metadata=ObjectMeta(name="gold"), driver_name="csi.example.com", parameters={"iops": "1"}
        )
        await w.client.create(attributes)
        await claim(w, "gold")
        await w.settle()
        await w.client.delete(VolumeAttributesClass, "gold")
        await w.settle()
        assert (await w.client.get(VolumeAttributesClass, "gold")).metadata.deletion_timestamp
        await w.client.delete(PersistentVolumeClaim, "data", "ns")
        await w.settle()
        with pytest.raises(NotFound):
            await w.client.get(VolumeAttributesClass, "gold")
