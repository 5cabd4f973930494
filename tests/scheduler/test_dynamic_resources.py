"""DynamicResources: devices for claims, searched, assumed, written; and what keeps a pod waiting for them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import Pod, PodResourceClaim
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.resource_v1 import (
    AllocationResult,
    CELDeviceSelector,
    Counter,
    CounterSet,
    Device,
    DeviceAttribute,
    DeviceCapacity,
    DeviceClaim,
    DeviceClass,
    DeviceClassSpec,
    DeviceConstraint,
    DeviceCounterConsumption,
    DeviceRequest,
    DeviceSelector,
    DeviceSubRequest,
    DeviceTaint,
    DeviceToleration,
    ExactDeviceRequest,
    ResourceClaim,
    ResourceClaimSpec,
    ResourcePool,
    ResourceSlice,
    ResourceSliceSpec,
)
from kcore.scheduler.device_allocation import DeviceId, allocate, offers
from kcore.scheduler.device_selectors import SelectorError, matches
from tests.scheduler.clusters import node, pod
from tests.scheduler.test_scheduler import scheduled, where

DRIVER = "gpu.example.com"


def device(
    name: str, model: str = "", memory: str = "", taints: Sequence[DeviceTaint] = (), slices: str = ""
) -> Device:
    consumed = DeviceCounterConsumption(counter_set="memory", counters={"bytes": Counter(value=slices)})
    return Device(
        name=name,
        attributes={"model": DeviceAttribute(string=model)} if model else {},
        capacity={"memory": DeviceCapacity(value=memory)} if memory else {},
        taints=tuple(taints),
        consumes_counters=(consumed,) if slices else (),
    )


def published(*devices: Device, on: str = "a", name: str = "", counters: str = "", count: int = 1) -> ResourceSlice:
    shared = (CounterSet(name="memory", counters={"bytes": Counter(value=counters)}),) if counters else ()
    return ResourceSlice(
        metadata=ObjectMeta(name=name or f"slice-{on}"),
        spec=ResourceSliceSpec(
            driver=DRIVER,
            node_name=on,
            pool=ResourcePool(name=on, generation=1, resource_slice_count=count),
            devices=devices,
            shared_counters=shared,
        ),
    )


def cel(expression: str) -> DeviceSelector:
    return DeviceSelector(cel=CELDeviceSelector(expression=expression))


def asks(name: str = "r", count: int = 1, mode: str = "ExactCount", where: str = "", **more: object) -> DeviceRequest:
    selectors = (cel(where),) if where else ()
    exactly = ExactDeviceRequest(
        device_class_name="gpu",
        count=count,
        allocation_mode=mode,
        selectors=selectors,
        **more,  # type: ignore[arg-type]
    )
    return DeviceRequest(name=name, exactly=exactly)


def claim(*requests: DeviceRequest, constraints: Sequence[DeviceConstraint] = (), name: str = "c") -> ResourceClaim:
    spec = ResourceClaimSpec(devices=DeviceClaim(requests=requests, constraints=tuple(constraints)))
    return ResourceClaim(metadata=ObjectMeta(name=name, namespace="ns", uid=f"uid-{name}"), spec=spec)


CLASS = DeviceClass(
    metadata=ObjectMeta(name="gpu"), spec=DeviceClassSpec(selectors=(cel(f'device.driver == "{DRIVER}"'),))
)
MODEL = f'device.attributes["{DRIVER}"].model'
BIG = f'{MODEL} == "big"'
MEMORY = f'device.capacity["{DRIVER}"].memory'
EITHER = DeviceRequest(
    name="r",
    first_available=(
        DeviceSubRequest(name="big", device_class_name="gpu", count=1, selectors=(cel(f'{MODEL} == "big"'),)),
        DeviceSubRequest(name="two", device_class_name="gpu", count=2, selectors=(cel(f'{MODEL} == "small"'),)),
    ),
)
BROKEN = DeviceTaint(key="broken", effect="NoSchedule")


def names(found: Sequence[AllocationResult] | None) -> list[list[str]] | None:
    """The devices of each claim."""
    return None if found is None else [[result.device for result in one.devices.results] for one in found]


@pytest.mark.parametrize(
    ("devices", "taken", "wanted", "chosen"),
    [
        pytest.param([device("x")], [], [claim(asks())], [["x"]], id="one"),
        pytest.param([device("x")], ["x"], [claim(asks())], None, id="taken"),
        pytest.param([device("x"), device("y")], ["x"], [claim(asks())], [["y"]], id="the other one"),
        pytest.param([device("x"), device("y")], [], [claim(asks(count=2))], [["x", "y"]], id="two"),
        pytest.param([device("x")], [], [claim(asks(count=2))], None, id="too many"),
        pytest.param([device("x")], [], [claim(asks(), name="c"), claim(asks(), name="d")], None, id="two claims"),
        pytest.param([device("x"), device("y")], [], [claim(asks(mode="All"))], [["x", "y"]], id="all"),
        pytest.param([device("x"), device("y")], ["y"], [claim(asks(mode="All"))], None, id="all, but one is taken"),
        pytest.param(
            [device("x", "small"), device("y", "big")],
            [],
            [claim(asks(where=f'{MODEL} == "big"'))],
            [["y"]],
            id="model",
        ),
        pytest.param(
            [device("x", memory="8Gi"), device("y", memory="40Gi")],
            [],
            [claim(asks(where=f'{MEMORY}.compareTo(quantity("10Gi")) >= 0'))],
            [["y"]],
            id="capacity",
        ),
        pytest.param(
            [device("x", "small"), device("y", "big")],
            [],
            [claim(asks("any"), asks("small", where=f'{MODEL} == "small"'))],
            [["y", "x"]],
            id="an earlier request gives way",
        ),
        pytest.param(
            [device("x", "small"), device("y", "big"), device("z", "big")],
            [],
            [claim(asks(count=2), constraints=[DeviceConstraint(match_attribute=f"{DRIVER}/model")])],
            [["y", "z"]],
            id="of the same model",
        ),
        pytest.param(
            [device("x", "big"), device("y", "big"), device("z", "small")],
            [],
            [claim(asks(count=2), constraints=[DeviceConstraint(distinct_attribute=f"{DRIVER}/model")])],
            [["x", "z"]],
            id="of different models",
        ),
        pytest.param([device("x", "small"), device("y", "small")], [], [claim(EITHER)], [["x", "y"]], id="alternative"),
        pytest.param([device("x", "big"), device("y", "small")], [], [claim(EITHER)], [["x"]], id="first alternative"),
        pytest.param([device("x", taints=[BROKEN]), device("y")], [], [claim(asks())], [["y"]], id="tainted"),
        pytest.param(
            [device("x", taints=[BROKEN])],
            [],
            [claim(asks(tolerations=(DeviceToleration(key="broken", operator="Exists"),)))],
            [["x"]],
            id="tolerated",
        ),
        pytest.param([device("x")], ["x"], [claim(asks(admin_access=True))], [["x"]], id="administrators share"),
    ],
)
def test_devices_for_claims(
    devices: Sequence[Device],
    taken: Sequence[str],
    wanted: Sequence[ResourceClaim],
    chosen: Sequence[Sequence[str]] | None,
) -> None:
    host = node("a")
    gone = {DeviceId(DRIVER, "a", name) for name in taken}
    found = allocate(wanted, offers([published(*devices)], host), gone.__contains__, {"gpu": CLASS}, host)
    assert names(found) == chosen


@pytest.mark.parametrize(("taken", "chosen"), [([], ["whole"]), (["half-1"], ["half-2"]), (["half-1", "half-2"], None)])
def test_parts_of_a_device_share_its_memory(taken: Sequence[str], chosen: Sequence[str] | None) -> None:
    parts = (device("whole", slices="40Gi"), device("half-1", slices="20Gi"), device("half-2", slices="20Gi"))
    host, gone = node("a"), {DeviceId(DRIVER, "a", name) for name in taken}
    offered = offers([published(*parts, counters="40Gi")], host)
    found = allocate([claim(asks())], offered, gone.__contains__, {"gpu": CLASS}, host)
    assert names(found) == ([chosen] if chosen is not None else None)


def test_old_generations_and_other_nodes_offer_nothing() -> None:
    newer = published(device("new"), name="s2")
    newer = replace(newer, spec=replace(newer.spec, pool=replace(newer.spec.pool, generation=2)))
    found = offers([published(device("old"), name="s1"), newer, published(device("far"), on="b")], node("a"))
    assert [offer.id.device for offer in found] == ["new"]


def test_all_devices_cannot_be_had_of_a_pool_that_is_incomplete() -> None:
    host = node("a")
    offered = offers([published(device("x"), count=2)], host)
    assert allocate([claim(asks(mode="All"))], offered, lambda _: False, {"gpu": CLASS}, host) is None
    assert allocate([claim(asks())], offered, lambda _: False, {"gpu": CLASS}, host) is not None


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ('device.attributes["other.example.com"].exists(a, true)', False),
        (f'"model" in device.attributes["{DRIVER}"]', True),
        (f'{MODEL}.startsWith("b")', True),
        (f'{MEMORY}.isGreaterThan(quantity("1Gi"))', True),
    ],
)
def test_expressions(expression: str, met: bool) -> None:
    assert matches([cel(expression)], DRIVER, device("x", "big", "8Gi")) is met


@pytest.mark.parametrize("expression", ["device.", f'device.attributes["{DRIVER}"].nope == 1', "1 + 1"])
def test_expressions_that_are_wrong(expression: str) -> None:
    with pytest.raises(SelectorError):
        matches([cel(expression)], DRIVER, device("x"))


def using(name: str, claim_name: str = "c") -> Pod:
    bare = pod(name)
    claims = (PodResourceClaim(name="gpu", resource_claim_name=claim_name),)
    return replace(bare, spec=replace(bare.spec, resource_claims=claims))


async def test_a_pod_gets_its_devices_where_it_goes() -> None:
    async with scheduled(node("a"), node("b")) as w:
        await w.client.create(CLASS)
        await w.client.create(published(device("x"), on="b"))
        await w.client.create(claim(asks()))
        created = await w.client.create(using("p"))
        await w.settle()
        assert await where(w) == "b"
        status = (await w.client.get(ResourceClaim, "c", "ns")).status
        assert status.allocation is not None
        assert [result.device for result in status.allocation.devices.results] == ["x"]
        assert [user.uid for user in status.reserved_for] == [created.metadata.uid]


async def test_a_pod_waits_for_its_claim_and_its_devices() -> None:
    async with scheduled(node("a")) as w:
        created = await w.client.create(using("p"))
        await w.settle()
        await w.client.create(CLASS)
        await w.client.create(claim(asks()))
        await w.settle(5)
        assert any("1 cannot allocate all claims" in line for line in await w.told(created))
        await w.client.create(published(device("x")))
        await w.settle(5)
        assert await where(w) == "a"


async def test_a_device_is_given_once() -> None:
    async with scheduled(node("a")) as w:
        await w.client.create(CLASS)
        await w.client.create(published(device("x"), device("y")))
        for number in range(3):
            await w.client.create(claim(asks(), name=f"c{number}"))
            await w.client.create(using(f"p{number}", f"c{number}"))
        await w.settle(5)
        bound = [name for name in ("p0", "p1", "p2") if await where(w, name)]
        assert len(bound) == 2
        claims = (await w.client.list(ResourceClaim, "ns")).items
        given = [r.device for c in claims if c.status.allocation for r in c.status.allocation.devices.results]
        assert sorted(given) == ["x", "y"]


async def test_pods_share_a_claim_on_the_node_of_its_devices() -> None:
    async with scheduled(node("a"), node("b")) as w:
        await w.client.create(CLASS)
        await w.client.create(published(device("x"), on="b"))
        await w.client.create(claim(asks()))
        for name in ("p", "q", "r"):
            await w.client.create(using(name))
        await w.settle(30)
        assert [await where(w, name) for name in ("p", "q", "r")] == ["b"] * 3
