"""GangScheduling: members of a pod group start together or not at all."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import Pod
from kcore.scheduler.plugins.gang_scheduling import GROUP, MIN_AVAILABLE, TIMEOUT
from tests.scheduler.clusters import node, pod
from tests.scheduler.test_scheduler import add, scheduled, where


def member(name: str, least: str = "3", *, group: str = "g", cpu: str = "1", timeout: str = "") -> Pod:
    bare = pod(name, cpu=cpu, labels={GROUP: group, MIN_AVAILABLE: least})
    annotations = {TIMEOUT: timeout} if timeout else {}
    return replace(bare, metadata=replace(bare.metadata, annotations=annotations))


async def test_members_wait_outside_the_queue_until_there_are_enough_of_them() -> None:
    async with scheduled(node("a")) as w:
        for name in ("x", "y"):
            await w.client.create(member(name))
        await w.settle(30)
        assert await where(w, "x") == ""
        await w.client.create(member("z"))
        await w.settle()
        assert [await where(w, name) for name in ("x", "y", "z")] == ["a"] * 3


async def test_a_group_that_does_not_fit_keeps_no_room() -> None:
    async with scheduled(node("a", cpu="2")) as w:
        for name in ("x", "y", "z"):
            await w.client.create(member(name, timeout="5"))
        await w.settle(3)
        await w.client.create(pod("single", cpu="2"))
        await w.settle(60)
        assert await where(w, "single") == "a"
        assert [await where(w, name) for name in ("x", "y", "z")] == [""] * 3


async def test_a_group_that_gave_up_starts_when_there_is_room() -> None:
    async with scheduled(node("a", cpu="2")) as w:
        for name in ("x", "y", "z"):
            await w.client.create(member(name, timeout="5"))
        await w.settle(20)
        await add(w, node("b", cpu="2"))
        await w.settle(30)
        assert all([await where(w, name) for name in ("x", "y", "z")])


async def test_members_beyond_the_minimum_join_those_that_have_started() -> None:
    async with scheduled(node("a")) as w:
        for name in ("x", "y"):
            await w.client.create(member(name, "2"))
        await w.settle()
        await w.client.create(member("late", "2"))
        await w.settle()
        assert [await where(w, name) for name in ("x", "y", "late")] == ["a"] * 3


@pytest.mark.parametrize("least", ["", "1", "many"])
async def test_a_group_without_a_minimum_is_no_gang(least: str) -> None:
    async with scheduled(node("a")) as w:
        given = member("x", least or "1")
        labels = {GROUP: "g", **({MIN_AVAILABLE: least} if least else {})}
        await w.client.create(replace(given, metadata=replace(given.metadata, labels=labels)))
        await w.settle()
        assert await where(w, "x") == "a"


async def test_groups_of_other_names_do_not_count() -> None:
    async with scheduled(node("a")) as w:
        for name in ("x", "y", "z"):
            await w.client.create(member(name, group=name))
        await w.settle(90)
        assert [await where(w, name) for name in ("x", "y", "z")] == [""] * 3
