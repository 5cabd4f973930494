from __future__ import annotations

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import ConfigMap, Secret
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta, OwnerReference
from kcore.api.object import Object
from tests.controllers.control import controlled
from tests.sim.world import World


def owned_by(*owners: ConfigMap | Secret, blocking: bool = False) -> tuple[OwnerReference, ...]:
    return tuple(
        OwnerReference(
            api_version="v1",
            kind=type(owner).__name__,
            name=owner.metadata.name,
            uid=owner.metadata.uid,
            block_owner_deletion=blocking or None,
        )
        for owner in owners
    )


async def make(w: World, name: str, owners: tuple[OwnerReference, ...] = (), *finalizers: str) -> ConfigMap:
    metadata = ObjectMeta(name=name, namespace="ns", owner_references=owners, finalizers=finalizers)
    return await w.client.create(ConfigMap(metadata=metadata))


async def exists(w: World, obj: Object) -> bool:
    try:
        found = await w.client.get(type(obj), obj.metadata.name, obj.metadata.namespace)
    except NotFound:
        return False
    return found.metadata.uid == obj.metadata.uid


async def delete(w: World, obj: ConfigMap, policy: str = "Background") -> None:
    await w.client.delete(ConfigMap, obj.metadata.name, "ns", DeleteOptions(propagation_policy=policy))


async def release(w: World, obj: ConfigMap) -> None:
    latest = await w.client.get(ConfigMap, obj.metadata.name, "ns")
    await w.client.update(replace(latest, metadata=replace(latest.metadata, finalizers=())))


async def test_dependents_follow_their_owner_all_the_way_down() -> None:
    async with controlled() as w:
        owner = await make(w, "owner")
        child = await make(w, "child", owned_by(owner))
        grandchild = await make(w, "grandchild", owned_by(child))
        await w.settle()
        await delete(w, owner)
        await w.settle()
        assert [await exists(w, obj) for obj in (owner, child, grandchild)] == [False] * 3


async def test_object_stays_as_long_as_one_owner_does() -> None:
    async with controlled() as w:
        one, other = await make(w, "one"), await make(w, "other")
        child = await make(w, "child", owned_by(one, other))
        await delete(w, one)
        await w.settle()
        assert await exists(w, child)
        await delete(w, other)
        await w.settle()
        assert not await exists(w, child)


async def test_owner_in_the_foreground_waits_for_blocking_dependents_only() -> None:
    async with controlled() as w:
        owner = await make(w, "owner")
        held = await make(w, "held", owned_by(owner, blocking=True), "example.com/hold")
        loose = await make(w, "loose", owned_by(owner), "example.com/hold")
        await w.settle()
        await delete(w, owner, "Foreground")
        await w.settle()
        assert [await exists(w, obj) for obj in (owner, held, loose)] == [True, True, True]
        await release(w, held)
        await w.settle()
        assert [await exists(w, obj) for obj in (owner, held, loose)] == [False, False, True]


async def test_foreground_deletion_goes_down_before_it_comes_up() -> None:
    async with controlled() as w:
        owner = await make(w, "owner")
        child = await make(w, "child", owned_by(owner, blocking=True))
        grandchild = await make(w, "grandchild", owned_by(child, blocking=True), "example.com/hold")
        await w.settle()
        await delete(w, owner, "Foreground")
        await w.settle()
        assert [await exists(w, obj) for obj in (owner, child, grandchild)] == [True] * 3
        await release(w, grandchild)
        await w.settle()
        assert [await exists(w, obj) for obj in (owner, child, grandchild)] == [False] * 3


async def test_circle_of_owners_is_broken_in_the_foreground() -> None:
    async with controlled() as w:
        one = await make(w, "one")
        other = await make(w, "other", owned_by(one, blocking=True))
        one = await w.client.update(
            replace(one, metadata=replace(one.metadata, owner_references=owned_by(other, blocking=True)))
        )
        await w.settle()
        await delete(w, one, "Foreground")
        await w.settle(5)
        assert [await exists(w, obj) for obj in (one, other)] == [False, False]


async def test_orphans_lose_their_reference_and_stay() -> None:
    async with controlled() as w:
        owner = await make(w, "owner")
        child = await make(w, "child", owned_by(owner))
        await w.settle()
        await delete(w, owner, "Orphan")
        await w.settle()
        assert [await exists(w, obj) for obj in (owner, child)] == [False, True]
        assert (await w.client.get(ConfigMap, "child", "ns")).metadata.owner_references == ()


@pytest.mark.parametrize("name", ["never", "owner"])
async def test_object_whose_owner_never_was_is_collected(name: str) -> None:
    """Also where another object has the owner's name by now."""
    async with controlled() as w:
        await make(w, "owner")
        absent = ConfigMap(metadata=ObjectMeta(name=name, uid="11111111-2222-3333-4444-555555555555"))
        child = await make(w, "child", owned_by(absent))
        await w.settle()
        assert not await exists(w, child)


async def test_owner_of_an_unknown_kind_is_given_the_doubt() -> None:
    async with controlled() as w:
        reference = OwnerReference(api_version="example.com/v1", kind="Widget", name="w", uid="1-2-3")
        child = await make(w, "child", (reference,))
        await w.settle(10)
        assert await exists(w, child)


async def test_owner_of_another_kind_takes_its_dependents_along() -> None:
    async with controlled() as w:
        owner = await w.client.create(Secret(metadata=ObjectMeta(name="owner", namespace="ns")))
        child = await make(w, "child", owned_by(owner))
        await w.settle()
        await w.client.delete(Secret, "owner", "ns")
        await w.settle()
        assert not await exists(w, child)
