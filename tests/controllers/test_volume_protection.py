from __future__ import annotations

import pytest

from kcore.api.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta
from kcore.api.storage_v1 import VolumeAttributesClass
from tests.controllers.control import controlled
from tests.controllers.volumes import claim, pod_with, volume


async def test_unused_claim_goes_at_once() -> None:
    async with controlled() as w:
        assert (await w.client.create(claim())).metadata.finalizers == ("kubernetes.io/pvc-protection",)
        await w.client.delete(PersistentVolumeClaim, "data", "ns")
        await w.settle()
        with pytest.raises(NotFound):
            await w.client.get(PersistentVolumeClaim, "data", "ns")


async def test_claim_waits_for_the_pod_that_mounts_it() -> None:
    async with controlled() as w:
        await w.client.create(claim())
        await w.client.create(pod_with("data", node="n1"))
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
        await w.client.create(volume())
        await w.client.create(claim())
        await w.settle()
        await w.client.delete(PersistentVolume, "v")
        await w.settle()
        assert (await w.client.get(PersistentVolume, "v")).metadata.deletion_timestamp
        await w.client.delete(PersistentVolumeClaim, "data", "ns")
        await w.settle()
        with pytest.raises(NotFound):
            await w.client.get(PersistentVolume, "v")


async def test_attributes_class_waits_for_the_claim_that_names_it() -> None:
    async with controlled() as w:
        attributes = VolumeAttributesClass(
            metadata=ObjectMeta(name="gold"), driver_name="csi.example.com", parameters={"iops": "1"}
        )
        await w.client.create(attributes)
        await w.client.create(claim(volume_attributes_class_name="gold"))
        await w.settle()
        await w.client.delete(VolumeAttributesClass, "gold")
        await w.settle()
        assert (await w.client.get(VolumeAttributesClass, "gold")).metadata.deletion_timestamp
        await w.client.delete(PersistentVolumeClaim, "data", "ns")
        await w.settle()
        with pytest.raises(NotFound):
            await w.client.get(VolumeAttributesClass, "gold")
