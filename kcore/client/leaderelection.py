"""Leader election by a Lease: of several processes that want to do the same work, one does.

The holder renews the lease; another takes it over once it has watched it for a whole lease duration without a change.
What counts is how long a candidate itself has seen no renewal, never the times written in the lease: clocks differ.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import anyio
from msgspec.structs import replace

from kcore.api.coordination_v1 import Lease, LeaseSpec
from kcore.api.errors import ApiError, NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.timestamp import format_micro
from kcore.client.client import Client
from kcore.kit.clock import Chance, Clock

__all__ = ["Election", "LeaderElector"]


class Election(NamedTuple):
    """Whom and what it is about. The durations are upstream's defaults, in seconds."""

    namespace: str
    name: str
    identity: str
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0


class LeaderElector:
    """One candidate."""

    def __init__(self, client: Client, election: Election, clock: Clock, chance: Chance) -> None:
        self._client = client
        self._election = election
        self._clock = clock
        self._chance = chance
        self._seen: LeaseSpec | None = None
        self._seen_at = 0.0

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait to be elected, then run `lead`; return when it ends, or when the lease is lost and it was cancelled."""
        while True:
            if await self._attempt():
                break
            await anyio.sleep(self._chance.jitter(self._election.retry_period, 1.2))
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._renew, tasks.cancel_scope)
                await lead()
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._release()

    async def _renew(self, leading: anyio.CancelScope) -> None:
        """Keep the lease; give the lead up when it could not be renewed in time."""
        renewed = self._clock.now()
        while self._clock.now() - renewed < self._election.renew_deadline:
            await anyio.sleep(self._election.retry_period)
            if await self._attempt():
                renewed = self._clock.now()
            elif self._seen is not None and self._seen.holder_identity != self._election.identity:
                break
        leading.cancel()

    async def _attempt(self) -> bool:
        """Take or renew the lease; whether it is ours now."""
        try:
            return await self._take()
        except ApiError:  # somebody was faster, or nobody is there: the next attempt will show
            return False

    async def _take(self) -> bool:
        election, now = self._election, self._clock.now()
        try:
            lease = await self._client.get(Lease, election.name, election.namespace)
        except NotFound:
            metadata = ObjectMeta(name=election.name, namespace=election.namespace)
            await self._client.create(Lease(metadata=metadata, spec=self._spec(None)))
            return True
        if lease.spec != self._seen:
            self._seen, self._seen_at = lease.spec, now
        holder = lease.spec.holder_identity
        duration = lease.spec.lease_duration_seconds or election.lease_duration
        if holder and holder != election.identity and now - self._seen_at < duration:
            return False
        written = await self._client.update(replace(lease, spec=self._spec(lease.spec)))
        self._seen, self._seen_at = written.spec, now
        return True

    def _spec(self, old: LeaseSpec | None) -> LeaseSpec:
        now, identity = format_micro(self._clock.now()), self._election.identity
        renewed = old is not None and old.holder_identity == identity
        transitions = (old.lease_transitions or 0) + (not renewed) if old is not None else 0
        return LeaseSpec(
            holder_identity=identity,
            lease_duration_seconds=int(self._election.lease_duration),
            acquire_time=old.acquire_time if old is not None and renewed else now,
            renew_time=now,
            lease_transitions=transitions,
        )

    async def _release(self) -> None:
        """Let the next one begin at once."""
        try:
            lease = await self._client.get(Lease, self._election.name, self._election.namespace)
            if lease.spec.holder_identity == self._election.identity:
                spec = replace(lease.spec, holder_identity="", lease_duration_seconds=1)
                await self._client.update(replace(lease, spec=spec))
        except ApiError:
            return
