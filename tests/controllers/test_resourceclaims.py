from __future__ import annotations

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import Pod, PodResourceClaim
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta
from kcore.api.resource_v1 import (
    AllocationResult,
    DeviceClaim,
    DeviceRequest,
    ExactDeviceRequest,
    ResourceClaim,
    ResourceClaimConsumerReference,
    ResourceClaimSpec,
    ResourceClaimTemplate,
    ResourceClaimTemplateSpec,
)
from tests.controllers.control import controlled, template
from tests.sim.world import World


def wish() -> ResourceClaimSpec:
    exactly = ExactDeviceRequest(device_class_name="gpu", allocation_mode="ExactCount", count=1)
    return ResourceClaimSpec(devices=DeviceClaim(requests=(DeviceRequest(name="gpu", exactly=exactly),)))


async def make_template(w: World) -> None:
    spec = ResourceClaimTemplateSpec(metadata=ObjectMeta(labels={"kind": "gpu"}), spec=wish())
    await w.client.create(ResourceClaimTemplate(metadata=ObjectMeta(name="gpus", namespace="ns"), spec=spec))


async def make_pod(w: World, claim: PodResourceClaim | None = None) -> Pod:
    wanted = claim or PodResourceClaim(name="gpu", resource_claim_template_name="gpus")
    spec = replace(template().spec, resource_claims=(wanted,))
    return await w.client.create(Pod(metadata=ObjectMeta(name="p", namespace="ns"), spec=spec))


async def claims(w: World) -> list[ResourceClaim]:
    return list((await w.client.list(ResourceClaim, "ns")).items)


async def allocate(w: World, claim: ResourceClaim, pod: Pod) -> None:
    """As the scheduler does."""
    metadata = replace(claim.metadata, finalizers=("resource.kubernetes.io/delete-protection",))
    claim = await w.client.update(replace(claim, metadata=metadata))
    user = ResourceClaimConsumerReference(resource="pods", name=pod.metadata.name, uid=pod.metadata.uid)
    status = replace(claim.status, allocation=AllocationResult(), reserved_for=(user,))
    await w.client.update(replace(claim, status=status), subresource="status")


async def test_claim_is_made_from_the_template_and_named_in_the_pods_status() -> None:
    async with controlled() as w:
        pod = await make_pod(w)
        await w.settle()
        assert "FailedResourceClaimCreation" in (await w.told(pod))[0]
        await make_template(w)
        await w.settle()
        (made,) = await claims(w)
        assert made.metadata.name.startswith("p-gpu-")
        assert made.metadata.labels == {"kind": "gpu"}
        assert made.metadata.annotations == {"resource.kubernetes.io/pod-claim-name": "gpu"}
        assert made.metadata.owner_references[0].uid == pod.metadata.uid
        (status,) = (await w.client.get(Pod, "p", "ns")).status.resource_claim_statuses
        assert (status.name, status.resource_claim_name) == ("gpu", made.metadata.name)


async def test_claim_of_a_pod_goes_with_it_however_it_was_protected() -> None:
    async with controlled() as w:
        await make_template(w)
        pod = await make_pod(w)
        await w.settle()
        (made,) = await claims(w)
        await allocate(w, made, pod)
        await w.settle()
        assert (await claims(w))[0].status.allocation is not None
        await w.client.delete(Pod, "p", "ns", DeleteOptions(grace_period_seconds=0))
        await w.settle()
        assert await claims(w) == []


async def test_claim_of_many_is_free_again_when_its_pod_is_through() -> None:
    async with controlled() as w:
        shared = await w.client.create(ResourceClaim(metadata=ObjectMeta(name="shared", namespace="ns"), spec=wish()))
        pod = await make_pod(w, PodResourceClaim(name="gpu", resource_claim_name="shared"))
        await allocate(w, shared, pod)
        await w.settle()
        pod = await w.client.get(Pod, "p", "ns")
        await w.client.update(replace(pod, status=replace(pod.status, phase="Succeeded")), subresource="status")
        await w.settle()
        (free,) = await claims(w)
        assert (free.status.allocation, free.status.reserved_for, free.metadata.finalizers) == (None, (), ())


async def test_claim_made_for_a_pod_that_is_through_is_deleted() -> None:
    async with controlled() as w:
        await make_template(w)
        pod = await make_pod(w)
        await w.settle()
        pod = await w.client.get(Pod, "p", "ns")
        await w.client.update(replace(pod, status=replace(pod.status, phase="Failed")), subresource="status")
        await w.settle()
        assert await claims(w) == []
        with pytest.raises(NotFound):
            await w.client.get(ResourceClaim, "shared", "ns")
