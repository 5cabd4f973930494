"""The Job controller: runs pods until enough of them have succeeded, or too many failed.

Each pod carries a finalizer until the Job has counted it, so that no end is lost and none is counted twice, whatever
happens in between (KEP-2307). The order of the writes is what makes that sure: the uids of ended pods go into
`status.uncountedTerminatedPods`, then the pods lose their finalizer, then the uids turn into counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import anyio
from msgspec.structs import replace

from kcore.api.batch_v1 import Job, JobCondition, JobStatus, UncountedTerminatedPods
from kcore.api.core_v1 import Pod
from kcore.api.errors import ApiError, Conflict, Invalid, NotFound, because_namespace_goes
from kcore.api.meta_v1 import DeleteOptions, Preconditions
from kcore.api.object import Object
from kcore.api.selectors import selector_from_struct
from kcore.api.timestamp import format_seconds
from kcore.client.client import PatchType
from kcore.client.informer import key_of
from kcore.client.runner import Controller, MapFunction, Result, controller_of
from kcore.controllers.adoption import Claimant, controller_reference, index_by_controller, owned_or_orphaned
from kcore.controllers.batches import slow_start
from kcore.controllers.context import Context
from kcore.controllers.expectations import Expectations
from kcore.controllers.freshness import Freshness
from kcore.controllers.jobbackoff import Failures
from kcore.controllers.jobindexes import completion_index, format_indexes
from kcore.controllers.jobpods import (
    TRACKING,
    Pods,
    completions_of,
    index_seconds_left,
    is_failed,
    is_indexed,
    is_tracked,
    job_pod,
    observe,
    pending_indexes,
    replaces_only_failed,
    surplus,
)
from kcore.controllers.jobpolicies import judge
from kcore.controllers.jobstatus import final, is_finished, is_suspended, make_condition, with_condition
from kcore.controllers.jobverdict import COMPLETED, deadline_in, verdict_on
from kcore.controllers.pods import is_ready

__all__ = ["JobController"]

MANAGER = "kubernetes.io/job-controller"
AT_ONCE = 500
"""The most pods that one `reconcile` creates, deletes or counts."""
BATCH_SECONDS = 0.1
"""How long changes of pods are gathered, so that a Job of many pods is not looked at once for each."""
ORPHAN = "orphan "
"""Starts the keys of pods that nobody will count any more: no name has a space."""


@dataclass(slots=True)
class _Look:
    """One look at a Job. `status` collects what is to be written, the counts are those after what was done, and
    `released` has the uids of pods that lost their finalizer."""

    job: Job
    pods: Pods
    status: JobStatus
    active: int
    ready: int
    terminating: int
    released: set[str] = field(default_factory=set)
    error: ApiError | None = None

    def removed(self, pods: Iterable[Pod]) -> None:
        for pod in pods:
            self.active -= 1
            self.terminating += 1
            self.ready -= is_ready(pod)


class JobController(Controller):
    """Runs pods to completion."""

    name = "job-controller"
    root = Job

    def __init__(self, context: Context) -> None:
        super().__init__()
        informers = context.informers
        self._client = context.client
        self._recorder = context.events.recorder(self.name)
        self._clock = context.clock
        self._kind = self._client.scheme.of(Job)
        self._jobs = informers.of(Job)
        self._jobs.add_index("namespace", lambda job: (job.metadata.namespace,))
        self._pods = informers.of(Pod)
        index_by_controller(self._pods)
        self._expectations = Expectations(self._clock)
        self._freshness = Freshness(self._jobs)
        self._failures: dict[str, Failures] = {}
        self._counted: set[str] = set()  # uids of pods that are seen with the finalizer after it was taken off

    # From changes to keys.

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Job: self._job_changed, Pod: self._pod_changed}

    def _job_changed(self, old: Job | None, new: Job | None) -> Iterator[str]:
        job = new if new is not None else old
        assert job is not None
        if new is None or new.metadata.deletion_timestamp is not None:
            for pod in owned_or_orphaned(self._pods, job):
                yield from self._uncounted(pod)
        yield key_of(job)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> Iterator[str]:
        pod = new if new is not None else old
        assert pod is not None
        if new is None or not is_tracked(new):
            self._counted.discard(pod.metadata.uid)
        owner = controller_of(pod.metadata)
        if owner is not None and owner.kind == "Job":
            if new is None or new.metadata.deletion_timestamp is not None:
                self._expectations.deletion_observed(owner.uid, pod.metadata.uid)
            elif old is None:
                self._expectations.creation_observed(owner.uid)
            self.queue.add_after(f"{pod.metadata.namespace}/{owner.name}", BATCH_SECONDS)
            if new is not None and self._owner(new) is None:
                yield from self._uncounted(new)
        elif owner is None and new is not None:
            yield from self._uncounted(new)
            if old is None or old.metadata != new.metadata:
                yield from self._would_adopt(new)

    def _owner(self, pod: Pod) -> Job | None:
        reference = controller_of(pod.metadata)
        if reference is None:
            return None
        job = self._jobs.get_object(pod.metadata.namespace, reference.name)
        return job if job is not None and job.metadata.uid == reference.uid else None

    def _uncounted(self, pod: Pod) -> Iterator[str]:
        if is_tracked(pod):
            yield f"{ORPHAN}{key_of(pod)}"

    def _would_adopt(self, pod: Pod) -> Iterator[str]:
        for job in self._jobs.by_index("namespace", pod.metadata.namespace):
            if selector_from_struct(job.spec.selector).matches(pod.metadata.labels):
                yield key_of(job)

    # From what is to what should be.

    async def reconcile(self, key: str) -> Result | None:
        if key.startswith(ORPHAN):
            await self._release_orphan(key.removeprefix(ORPHAN))
            return None
        job = self._jobs.get(key)
        if job is None:
            self._freshness.forget(key)
            return None
        uid = job.metadata.uid
        if job.spec.managed_by not in (None, MANAGER):
            return None
        if not self._freshness.is_fresh(key) or not self._expectations.satisfied(uid):
            return None
        if is_finished(job):
            self._failures.pop(uid, None)
            self._expectations.forget(uid)
            await self._release([pod for pod in self._pods.by_index("controller", uid) if is_tracked(pod)])
            return None
        return await self._sync(key, job)

    async def _release_orphan(self, key: str) -> None:
        """Let go of a pod whose Job is gone, or was made to forget it. Asked of the server where the cache knows of
        no Job: pods may be seen before their Job is."""
        pod = self._pods.get(key)
        if pod is None or not is_tracked(pod):
            return
        reference = controller_of(pod.metadata)
        if reference is not None:
            try:
                job = await self._client.get(Job, reference.name, pod.metadata.namespace)
            except NotFound:
                pass
            else:
                if job.metadata.uid == reference.uid:
                    return
        elif any(not is_finished(job) for job in self._adopters(pod)):
            return
        await self._release([pod])

    def _adopters(self, pod: Pod) -> Iterator[Job]:
        for key in self._would_adopt(pod):
            job = self._jobs.get(key)
            if job is not None and job.metadata.deletion_timestamp is None:
                yield job

    async def _sync(self, key: str, job: Job) -> Result | None:
        now, uid = self._clock.now(), job.metadata.uid
        selector = selector_from_struct(job.spec.selector)
        claimant = Claimant(self._client, job, lambda pod: selector.matches(pod.metadata.labels), (TRACKING,))
        nearby = owned_or_orphaned(self._pods, job)
        counted = {pod.metadata.uid for pod in nearby} & self._counted  # as of when these pods were seen
        pods = observe(job, await claimant.claim(nearby), counted)
        look = _Look(job, pods, job.status, len(pods.active), pods.ready, pods.terminating)
        if job.status.start_time is None and not is_suspended(job):
            look.status = replace(look.status, start_time=format_seconds(now))
        failures = self._failures.get(uid, Failures()).after(pods.new_succeeded, pods.new_failed)
        deadline = deadline_in(job, look.status, now)
        waits = [deadline] if deadline is not None and deadline > 0 else []
        verdict = verdict_on(job, look.status, pods, now)
        if verdict is not None:
            if not await self._delete_active(look, pods.active):
                verdict = None
        else:
            if job.metadata.deletion_timestamp is None:
                wait = await self._manage(look, failures, now)
                waits += [wait] if wait else []
            if _is_complete(job, look):
                verdict = make_condition("SuccessCriteriaMet", *COMPLETED, now)
            elif job.metadata.deletion_timestamp is None:
                self._tell_suspension(look, now)
        await self._track(key, look, verdict, failures, now)
        if look.error is not None:
            raise look.error
        return Result(max(min(waits), BATCH_SECONDS)) if waits else None

    # The pods.

    async def _manage(self, look: _Look, failures: Failures, now: float) -> float:
        """Create or delete pods until there are as many as wanted. Returns for how long to wait before more of them
        can be created, if that is all that hinders."""
        job, pods = look.job, look.pods
        wanted = _wanted(job, pods)
        remove = surplus(job, pods.active, max(0, look.active - wanted), now)
        if remove:
            await self._delete_counted(look, remove if is_suspended(job) else remove[:AT_ONCE])
            return 0.0
        missing = wanted - look.active - (look.terminating if replaces_only_failed(job) else 0)
        if missing <= 0:
            return 0.0
        per_index = job.spec.backoff_limit_per_index is not None
        if not per_index and (left := failures.seconds_left(now)) > 0:
            return left
        indexes: list[int | None] = [None] * min(missing, AT_ONCE)
        if is_indexed(job):
            indexes = [
                index for index, _ in zip(pending_indexes(job, pods), range(min(missing, AT_ONCE)), strict=False)
            ]
        if per_index:
            delays = {index: index_seconds_left(pods.last_failed.get(index or 0), now) for index in indexes}
            indexes = [index for index in indexes if not delays[index]]
            if delays and not indexes:
                return min(delays.values())
        await self._create(look, indexes)
        return 0.0

    async def _create(self, look: _Look, indexes: list[int | None]) -> None:
        if not indexes:
            return
        job, pods = look.job, look.pods
        owner = controller_reference(job, self._kind)
        left = iter(indexes)

        async def create() -> None:
            index = next(left)
            await self._create_one(job, job_pod(job, owner, index, pods.last_failed.get(index or 0)))

        count, uid = len(indexes), job.metadata.uid
        self._expectations.expect_creations(uid, count)
        done, error = await slow_start(count, create)
        if done < count:
            self._expectations.creation_observed(uid, count - done)
        look.active += done
        if error is not None and not because_namespace_goes(error):
            look.error = error

    async def _create_one(self, job: Job, pod: Pod) -> None:
        try:
            created = await self._client.create(pod)
        except ApiError as error:
            if not because_namespace_goes(error):
                self._recorder.event(job, "Warning", "FailedCreate", f"Error creating: {error.message}")
            raise
        self._recorder.event(job, "Normal", "SuccessfulCreate", f"Created pod: {created.metadata.name}")

    async def _delete_active(self, look: _Look, pods: list[Pod]) -> bool:
        """Have pods end that are still to be counted, because the Job has. False where some would not."""
        deleted = await self._delete(look, pods)
        look.removed(deleted)
        return len(deleted) == len(pods)

    async def _delete_counted(self, look: _Look, pods: list[Pod]) -> None:
        """Remove pods whose end does not count."""
        released = look.released = await self._release([pod for pod in pods if is_tracked(pod)])
        look.removed(
            await self._delete(look, [pod for pod in pods if pod.metadata.uid in released or not is_tracked(pod)])
        )

    async def _delete(self, look: _Look, pods: list[Pod]) -> list[Pod]:
        job, deleted = look.job, list[Pod]()

        async def delete(pod: Pod) -> None:
            metadata = pod.metadata
            options = DeleteOptions(preconditions=Preconditions(uid=metadata.uid))
            try:
                await self._client.delete(Pod, metadata.name, metadata.namespace, options)
            except (NotFound, Conflict):
                self._expectations.deletion_observed(job.metadata.uid, metadata.uid)
            except ApiError as error:
                self._expectations.deletion_observed(job.metadata.uid, metadata.uid)
                self._recorder.event(job, "Warning", "FailedDelete", f"Error deleting: {error.message}")
                look.error = error
                return
            else:
                self._recorder.event(job, "Normal", "SuccessfulDelete", f"Deleted pod: {metadata.name}")
            deleted.append(pod)

        if pods:
            self._expectations.expect_deletions(job.metadata.uid, [pod.metadata.uid for pod in pods])
        async with anyio.create_task_group() as deletions:
            for pod in pods:
                deletions.start_soon(delete, pod)
        return deleted

    async def _release(self, pods: list[Pod]) -> set[str]:
        """Take the finalizer off pods; returns the uids of those that have it no more."""
        released: set[str] = set()

        async def release(pod: Pod) -> None:
            metadata = pod.metadata
            patch = {"metadata": {"uid": metadata.uid, "$deleteFromPrimitiveList/finalizers": [TRACKING]}}
            self._counted.add(metadata.uid)
            try:
                await self._client.patch(Pod, metadata.name, patch, metadata.namespace, patch_type=PatchType.STRATEGIC)
            except (NotFound, Invalid, Conflict):  # gone, or replaced by another of its name
                self._counted.discard(metadata.uid)
            except ApiError:
                self._counted.discard(metadata.uid)
                return
            released.add(metadata.uid)

        async with anyio.create_task_group() as patches:
            for pod in pods:
                patches.start_soon(release, pod)
        return released

    # The status.

    def _tell_suspension(self, look: _Look, now: float) -> None:
        """A Job that is resumed counts as started then: its deadline is about the time since."""
        if is_suspended(look.job):
            condition, event = make_condition("Suspended", "JobSuspended", "Job suspended", now), "Suspended"
            look.status = replace(look.status, start_time=None)
        else:
            condition, event = make_condition("Suspended", "JobResumed", "Job resumed", now, "False"), "Resumed"
        status = with_condition(look.status, condition)
        if status is not look.status:
            look.status = status
            self._recorder.event(look.job, "Normal", event, condition.message)

    async def _track(self, key: str, look: _Look, verdict: JobCondition | None, failures: Failures, now: float) -> None:
        """Count the pods that ended, let go of them, and finish the Job when nothing is left to be counted."""
        tracked = {pod.metadata.uid for pod in look.pods.tracked} - look.released
        look.status = _counted(
            replace(look.status, active=look.active, ready=look.ready, terminating=look.terminating), tracked
        )
        done, more = self._count_ended(look, verdict)
        if is_indexed(look.job):
            bad = look.pods.failed_indexes
            look.status = replace(
                look.status,
                succeeded=len(look.pods.succeeded_indexes),
                completed_indexes=format_indexes(look.pods.succeeded_indexes),
                failed_indexes=None if bad is None else format_indexes(bad),
            )
        if verdict is not None:
            look.status = with_condition(look.status, verdict)
        await self._write(key, look)
        self._failures[look.job.metadata.uid] = failures
        released = await self._release(done)
        look.status = _counted(look.status, tracked - released)
        finished = None
        if verdict is not None and not more and len(released) == len(done):
            finished = self._finish(look, verdict, now)
        await self._write(key, look)
        if finished is not None:
            self._tell_finished(look, finished)
        if len(released) < len(done):
            self.queue.add_rate_limited(key)

    def _count_ended(self, look: _Look, verdict: JobCondition | None) -> tuple[list[Pod], bool]:
        """Note the pods that have ended as uncounted. Returns those to let go of, and whether there are more."""
        job, pods = look.job, look.pods
        uncounted = look.status.uncounted_terminated_pods or UncountedTerminatedPods()
        succeeded, failed = list(uncounted.succeeded), list(uncounted.failed)
        waiting = {*succeeded, *failed}
        failing = verdict is not None and verdict.type == "FailureTarget"
        kept = {pod.metadata.uid for pod in pods.last_failed.values()} if verdict is None else ()
        done: list[Pod] = []
        more = False
        for pod in pods.tracked:
            uid = pod.metadata.uid
            if uid in look.released or uid in kept or not _may_release(job, pod, verdict):
                continue
            if len(done) >= AT_ONCE:
                more = True
                break
            done.append(pod)
            index = completion_index(pod, completions_of(job)) if is_indexed(job) else 0
            if uid in waiting or index is None:
                continue
            if pod.status.phase == "Succeeded":
                if not is_indexed(job):  # the index itself is kept, which is enough
                    succeeded.append(uid)
            elif (failing or is_failed(job, pod)) and judge(job, pod).counts:
                failed.append(uid)
        noted = UncountedTerminatedPods(succeeded=tuple(succeeded), failed=tuple(failed))
        look.status = replace(look.status, uncounted_terminated_pods=noted)
        return done, more

    def _finish(self, look: _Look, verdict: JobCondition, now: float) -> JobCondition | None:
        """Complete or Failed, unless pods are still to end or to be counted."""
        status = look.status
        uncounted = status.uncounted_terminated_pods
        if look.terminating or look.active or (uncounted is not None and (uncounted.succeeded or uncounted.failed)):
            return None
        condition = final(verdict, now)
        status = with_condition(status, condition)
        time = condition.last_transition_time
        if condition.type == "Complete":
            status = replace(status, completion_time=time)
        look.status = replace(status, start_time=status.start_time or time)
        return condition

    def _tell_finished(self, look: _Look, condition: JobCondition) -> None:
        job = look.job
        if condition.type == "Failed":
            self._recorder.event(job, "Warning", condition.reason, condition.message)
            return
        if job.spec.completions is not None and look.status.succeeded > job.spec.completions:
            words = "Too many succeeded pods running after completion count reached"
            self._recorder.event(job, "Warning", "TooManySucceededPods", words)
        self._recorder.event(job, "Normal", "Completed", "Job completed")

    async def _write(self, key: str, look: _Look) -> None:
        if look.status == look.job.status:
            return
        look.job = await self._client.update(replace(look.job, status=look.status), subresource="status")
        self._freshness.wrote(key, look.job)


def _wanted(job: Job, pods: Pods) -> int:
    """How many pods should be at work."""
    if is_suspended(job):
        return 0
    parallelism = 1 if job.spec.parallelism is None else job.spec.parallelism
    if job.spec.completions is None:  # a work queue: after the first success those at work finish it
        return len(pods.active) if pods.succeeded else parallelism
    return max(0, min(job.spec.completions - pods.succeeded, parallelism))


def _is_complete(job: Job, look: _Look) -> bool:
    if look.active:
        return False
    return look.pods.succeeded >= (1 if job.spec.completions is None else job.spec.completions)


def _may_release(job: Job, pod: Pod, verdict: JobCondition | None) -> bool:
    if job.metadata.deletion_timestamp is not None or verdict is not None or pod.status.phase == "Succeeded":
        return True
    return is_failed(job, pod)


def _counted(status: JobStatus, tracked: set[str]) -> JobStatus:
    """Turn the uids of pods that have lost their finalizer into counts."""
    uncounted = status.uncounted_terminated_pods or UncountedTerminatedPods()
    succeeded = tuple(uid for uid in uncounted.succeeded if uid in tracked)
    failed = tuple(uid for uid in uncounted.failed if uid in tracked)
    return replace(
        status,
        succeeded=status.succeeded + len(uncounted.succeeded) - len(succeeded),
        failed=status.failed + len(uncounted.failed) - len(failed),
        uncounted_terminated_pods=UncountedTerminatedPods(succeeded=succeeded, failed=failed),
    )
