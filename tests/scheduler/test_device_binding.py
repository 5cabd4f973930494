"""Pods wait on their nodes for devices that have to be made ready, and go elsewhere where that fails."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import Pod
from kcore.api.meta_v1 import Condition
from kcore.api.resource_v1 import AllocatedDeviceStatus, Device, ResourceClaim, ResourceSlice
from tests.scheduler.clusters import node
from tests.scheduler.test_dynamic_resources import CLASS, DRIVER, asks, claim, device, published, using
from tests.scheduler.test_scheduler import scheduled, where
from tests.sim.world import World

FABRIC = Device(
    name="x",
    binds_to_node=True,
    binding_conditions=("attached", "configured"),
    binding_failure_conditions=("broken",),
)


async def waiting(w: World) -> Pod:
    """A pod that waits for its device."""
    await w.client.create(CLASS)
    await w.client.create(published(FABRIC, on="a"))
    await w.client.create(claim(asks()))
    created = await w.client.create(using("p"))
    await w.settle(5)
    return created


async def tell(w: World, *conditions: str) -> None:
    """What the driver says of the device."""
    known = await w.client.get(ResourceClaim, "c", "ns")
    told = tuple(Condition(type=name, status="True", reason="Said", last_transition_time=STAMP) for name in conditions)
    status = AllocatedDeviceStatus(driver=DRIVER, pool="a", device="x", conditions=told)
    await w.client.update(replace(known, status=replace(known.status, devices=(status,))), subresource="status")
    await w.settle(1)


STAMP = "2026-01-01T00:00:00Z"


async def test_a_pod_is_bound_when_all_conditions_hold() -> None:
    async with scheduled(node("a")) as w:
        created = await waiting(w)
        assert await where(w) == ""
        expected = "Normal BindingConditionsPending waiting for binding conditions for device on node a"
        assert await w.told(created) == [expected]
        allocation = (await w.client.get(ResourceClaim, "c", "ns")).status.allocation
        assert allocation is not None
        assert allocation.allocation_timestamp is not None
        assert allocation.devices.results[0].binding_conditions == ("attached", "configured")
        await tell(w, "attached")
        assert await where(w) == ""
        await tell(w, "attached", "configured")
        assert await where(w) == "a"


@pytest.mark.parametrize("by_time", [False, True], ids=["it fails", "time runs out"])
async def test_a_device_that_cannot_be_made_ready_is_given_back(by_time: bool) -> None:
    async with scheduled(node("a"), node("b")) as w:
        await waiting(w)
        await w.client.delete(ResourceSlice, "slice-a")
        await w.client.create(published(device("y"), on="b"))
        if by_time:
            await w.settle(590)
            assert await where(w) == ""
        else:
            await tell(w, "attached", "broken")
        await w.settle(60)
        assert await where(w) == "b"
        status = (await w.client.get(ResourceClaim, "c", "ns")).status
        assert status.allocation is not None
        assert [result.device for result in status.allocation.devices.results] == ["y"]
        assert status.devices == ()
