"""Deletes finished Jobs when their `ttlSecondsAfterFinished` is over (KEP-592)."""

from __future__ import annotations

from kcore.api.batch_v1 import Job
from kcore.api.errors import Conflict, NotFound
from kcore.api.meta_v1 import DeleteOptions, Preconditions
from kcore.api.timestamp import seconds_since
from kcore.client.runner import Controller, Result
from kcore.controllers.context import Context
from kcore.controllers.jobstatus import finished_condition

__all__ = ["TTLAfterFinishedController"]


class TTLAfterFinishedController(Controller):
    """Looks at each Job when it changes, and when its time is up."""

    name = "ttl-after-finished-controller"
    root = Job

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._jobs = context.informers.of(Job)

    async def reconcile(self, key: str) -> Result | None:
        job = self._jobs.get(key)
        left = self._seconds_left(job) if job is not None else None
        if job is None or left is None:
            return None
        if left > 0:
            return Result(left)
        metadata = job.metadata
        try:
            # The cache may not know yet that somebody has given the Job more time.
            fresh = await self._client.get(Job, metadata.name, metadata.namespace)
            left = self._seconds_left(fresh)
            if left is None or left > 0:
                return None
            options = DeleteOptions(
                propagation_policy="Foreground", preconditions=Preconditions(uid=fresh.metadata.uid)
            )
            await self._client.delete(Job, metadata.name, metadata.namespace, options)
        except (NotFound, Conflict):
            return None  # it is gone, or another of its name is there, which is a change like any other
        return None

    def _seconds_left(self, job: Job) -> float | None:
        """None: nothing of this Job is to be deleted."""
        finished = finished_condition(job)
        ttl = job.spec.ttl_seconds_after_finished
        if finished is None or ttl is None or job.metadata.deletion_timestamp is not None:
            return None
        return ttl - seconds_since(finished.last_transition_time, self._clock.now())
