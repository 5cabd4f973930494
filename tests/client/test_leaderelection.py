from __future__ import annotations

import anyio

from kcore.api.coordination_v1 import Lease, LeaseSpec
from kcore.api.meta_v1 import ObjectMeta
from kcore.client.leaderelection import Election, LeaderElector
from tests.sim.world import World, world


class Candidate:
    """Leads for as long as it may, and says so."""

    def __init__(self, w: World, identity: str, work: float = 10_000.0) -> None:
        self.leads = False
        self._work = work
        self._elector = LeaderElector(w.client, Election("ns", "boss", identity), w.clock, w.chance)

    async def run(self) -> None:
        await self._elector.run(self._lead)

    async def _lead(self) -> None:
        self.leads = True
        try:
            await anyio.sleep(self._work)
        finally:
            self.leads = False


async def holder(w: World) -> str | None:
    return (await w.client.get(Lease, "boss", "ns")).spec.holder_identity


async def test_one_of_two_leads_and_keeps_leading() -> None:
    async with world() as w:
        await w.create_namespace()
        one, other = Candidate(w, "one"), Candidate(w, "other")
        w.tasks.start_soon(one.run)
        await w.settle(1)
        w.tasks.start_soon(other.run)
        await w.settle(300)
        assert (one.leads, other.leads) == (True, False)
        assert (await w.client.get(Lease, "boss", "ns")).spec.lease_transitions == 0


async def test_leader_that_finishes_hands_over_at_once() -> None:
    async with world() as w:
        await w.create_namespace()
        one, other = Candidate(w, "one", work=60), Candidate(w, "other")
        w.tasks.start_soon(one.run)
        await w.settle(1)
        w.tasks.start_soon(other.run)
        await w.settle(65)
        assert (one.leads, other.leads) == (False, True)
        assert (await w.client.get(Lease, "boss", "ns")).spec.lease_transitions == 1


async def test_candidate_waits_a_whole_lease_without_renewal() -> None:
    async with world() as w:
        await w.create_namespace()
        stale = LeaseSpec(holder_identity="gone", lease_duration_seconds=15, renew_time="2000-01-01T00:00:00.000000Z")
        await w.client.create(Lease(metadata=ObjectMeta(name="boss", namespace="ns"), spec=stale))
        other = Candidate(w, "other")
        w.tasks.start_soon(other.run)
        leading = []
        for seconds in (14, 8):
            await w.settle(seconds)
            leading.append(other.leads)
        assert leading == [False, True]
        assert await holder(w) == "other"
