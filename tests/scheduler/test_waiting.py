"""Permit plugins can hold pods back until more of them have a node: a small gang scheduler."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kcore.api.core_v1 import Pod
from kcore.scheduler.config.plan import default_plan
from kcore.scheduler.framework import Code, CycleState, Status
from kcore.scheduler.plugins import DEFAULT_PLUGINS, Entry, Handle
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.scheduler import Scheduler
from tests.scheduler.clusters import node, pod
from tests.scheduler.test_scheduler import add, where
from tests.sim.world import World, world


class Together:
    """Pods go three at a time, or not at all."""

    name = "Together"

    def __init__(self, handle: Handle) -> None:
        self._waiting = handle.waiting

    def permit(self, state: CycleState, given: PodInfo, node_name: str) -> tuple[Status | None, float]:
        others = list(self._waiting)
        if len(others) < 2:
            return Status(Code.WAIT), 30.0
        for other in others:
            self._waiting.allow(other.pod.uid)
        return None, 0.0


@asynccontextmanager
async def gang() -> AsyncIterator[World]:
    async with world() as w:
        await w.create_namespace()
        await add(w, node("a", cpu="4"))
        plan = default_plan((*DEFAULT_PLUGINS, Entry("Together", lambda handle, args: Together(handle))))
        scheduler = Scheduler(w.client, w.informers, w.events, w.clock, w.chance, plan)
        await w.tasks.start(w.informers.run)
        await w.tasks.start(scheduler.run)
        yield w


async def test_a_full_gang_is_bound_together() -> None:
    async with gang() as w:
        for name in ("x", "y"):
            await w.client.create(pod(name))
        await w.settle(10)
        assert await where(w, "x") == ""
        await w.client.create(pod("z"))
        await w.settle()
        assert [await where(w, name) for name in ("x", "y", "z")] == ["a"] * 3


async def test_an_incomplete_gang_gives_its_room_back_in_time() -> None:
    async with gang() as w:
        created = await w.client.create(pod("x", cpu="4"))
        await w.settle(31)
        assert await where(w, "x") == ""
        reason = 'pod "x" rejected while waiting on permit: timeout'
        assert await w.told(created) == [f"Warning FailedScheduling {reason}"]


@pytest.mark.parametrize("gone", ["x", "y"])
async def test_who_is_deleted_while_waiting_counts_no_more(gone: str) -> None:
    async with gang() as w:
        for name in ("x", "y"):
            await w.client.create(pod(name))
        await w.settle()
        await w.client.delete(Pod, gone, "ns")
        await w.settle()
        await w.client.create(pod("z"))
        await w.settle()
        assert await where(w, "z") == ""
