"""Devices that several claims use at once: each takes its share, and no more is given away than there is."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kcore.api.resource_v1 import (
    CapacityRequestPolicy,
    CapacityRequestPolicyRange,
    CapacityRequirements,
    Device,
    DeviceCapacity,
    ResourceClaim,
)
from kcore.scheduler.device_allocation import DeviceId, allocate, offers
from kcore.scheduler.device_capacity import consumption
from tests.scheduler.clusters import node
from tests.scheduler.test_dynamic_resources import CLASS, DRIVER, asks, claim, published, using
from tests.scheduler.test_scheduler import scheduled, where

RANGE = CapacityRequestPolicy(default="1Gi", valid_range=CapacityRequestPolicyRange(min="1Gi", max="6Gi", step="2Gi"))
VALUES = CapacityRequestPolicy(default="1Gi", valid_values=("1Gi", "2Gi", "4Gi"))


def shared(memory: str = "8Gi", policy: CapacityRequestPolicy | None = None, name: str = "x") -> Device:
    capacity = {"memory": DeviceCapacity(value=memory, request_policy=policy)}
    return Device(name=name, allow_multiple_allocations=True, capacity=capacity)


def wants(memory: str, name: str = "c", count: int = 1) -> ResourceClaim:
    capacity = CapacityRequirements(requests={"memory": memory}) if memory else None
    return claim(asks(capacity=capacity, count=count), name=name)


@pytest.mark.parametrize(
    ("policy", "requested", "taken"),
    [
        (None, "", "8Gi"),
        (None, "3Gi", "3Gi"),
        (None, "9Gi", None),
        (RANGE, "", "1Gi"),
        (RANGE, "1", "1Gi"),
        (RANGE, "3Gi", "3Gi"),
        (RANGE, "3500Mi", "5Gi"),
        (RANGE, "5500Mi", None),
        (VALUES, "3Gi", "4Gi"),
        (VALUES, "5Gi", None),
    ],
)
def test_what_a_request_takes(policy: CapacityRequestPolicy | None, requested: str, taken: str | None) -> None:
    required = CapacityRequirements(requests={"memory": requested}) if requested else None
    assert consumption(required, shared(policy=policy)) == ({"memory": taken} if taken is not None else None)


def test_a_capacity_that_a_device_does_not_have_cannot_be_taken() -> None:
    assert consumption(CapacityRequirements(requests={"bandwidth": "1"}), shared()) is None


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (["3Gi", "5Gi"], True),
        (["3Gi", "5Gi", "1"], False),
        (["3Gi", ""], False),
        ([""], True),
    ],
)
def test_no_more_is_given_away_than_there_is(wanted: list[str], fits: bool) -> None:
    host, names = node("a"), iter("abcd")
    claims = [wants(memory, name=f"c{number}") for number, memory in enumerate(wanted)]
    found = allocate(
        claims, offers([published(shared())], host), lambda _: False, {"gpu": CLASS}, host, {}, lambda: next(names)
    )
    assert (found is not None) is fits
    results = [result for one in found or () for result in one.devices.results]
    assert [result.consumed_capacity["memory"] for result in results] == [m or "8Gi" for m in wanted if fits]
    assert [result.share_id for result in results] == ["a", "b", "c"][: len(results)]


def test_what_others_have_of_a_device_is_left_to_them() -> None:
    host, one = node("a"), DeviceId(DRIVER, "a", "x")
    offered = offers([published(shared(), shared(name="y"))], host)

    def chosen(memory: str) -> list[str]:
        shares = {one: [{"memory": "2Gi"}, {"memory": "4Gi"}]}
        found = allocate([wants(memory)], offered, lambda _: False, {"gpu": CLASS}, host, shares)
        return [result.device for result in found[0].devices.results] if found is not None else []

    assert (chosen("2Gi"), chosen("3Gi"), chosen("9Gi")) == (["x"], ["y"], [])


def test_several_devices_of_one_request_may_be_one_that_is_shared() -> None:
    host = node("a")
    found = allocate(
        [wants("3Gi", count=2)], offers([published(shared())], host), lambda _: False, {"gpu": CLASS}, host
    )
    assert found is not None
    assert [result.device for result in found[0].devices.results] == ["x", "x"]


def test_a_device_of_ones_own_must_have_the_capacity_as_well() -> None:
    host = node("a")
    small, big = (replace(shared(memory, name=memory), allow_multiple_allocations=None) for memory in ("2Gi", "4Gi"))
    found = allocate([wants("3Gi")], offers([published(small, big)], host), lambda _: False, {"gpu": CLASS}, host)
    assert found is not None
    [result] = found[0].devices.results
    assert (result.device, result.share_id, result.consumed_capacity) == ("4Gi", "", {})


async def test_pods_share_a_device_as_far_as_it_goes() -> None:
    async with scheduled(node("a")) as w:
        await w.client.create(CLASS)
        await w.client.create(published(shared()))
        for number, memory in enumerate(["3Gi", "5Gi", "1Gi"]):
            await w.client.create(wants(memory, name=f"c{number}"))
            await w.client.create(using(f"p{number}", f"c{number}"))
            await w.settle(5)
        assert [await where(w, f"p{number}") for number in range(3)] == ["a", "a", ""]
        allocations = [(await w.client.get(ResourceClaim, f"c{number}", "ns")).status.allocation for number in range(2)]
        results = [result for one in allocations if one is not None for result in one.devices.results]
        assert [result.consumed_capacity for result in results] == [{"memory": "3Gi"}, {"memory": "5Gi"}]
        assert len({result.share_id for result in results}) == 2
