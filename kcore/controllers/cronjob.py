"""The CronJob controller: creates a Job at each time of a schedule, and forgets old ones.

A Job's name tells the minute that it was meant for, so that no run happens twice even if the controller was stopped
between creating a Job and noting that it did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from kcore.api.batch_v1 import CronJob, CronJobStatus, Job
from kcore.api.core_v1 import ObjectReference
from kcore.api.cron import CronError
from kcore.api.errors import AlreadyExists, ApiError, NotFound, because_namespace_goes
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta, Preconditions
from kcore.api.timestamp import format_seconds, parse
from kcore.client.runner import Controller, Result, controller_of
from kcore.controllers.adoption import controller_reference, index_by_controller
from kcore.controllers.context import Context
from kcore.controllers.cronschedule import InvalidSchedule, missed, schedule_of, seconds_to_next
from kcore.controllers.freshness import Freshness
from kcore.controllers.jobstatus import finished_condition

__all__ = ["CronJobController"]

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
ZONE_IN_SCHEDULE = (
    'CRON_TZ or TZ used in schedule "{}" is not officially supported, '
    "see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)
TOO_MANY = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"


@dataclass(slots=True)
class _Look:
    """One look at a CronJob; `status` collects what is to be written."""

    cron_job: CronJob
    jobs: list[Job]
    status: CronJobStatus

    def is_active(self, uid: str) -> bool:
        return any(entry.uid == uid for entry in self.status.active)

    def drop(self, uid: str) -> None:
        self.status = replace(self.status, active=tuple(entry for entry in self.status.active if entry.uid != uid))


class CronJobController(Controller):
    """Looks at each CronJob when it or one of its Jobs changes, and when it is due."""

    name = "cronjob-controller"
    root = CronJob
    owns = (Job,)

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._recorder = context.events.recorder(self.name)
        self._kind = self._client.scheme.of(CronJob)
        self._job_kind = self._client.scheme.of(Job)
        self._cron_jobs = context.informers.of(CronJob)
        self._jobs = context.informers.of(Job)
        index_by_controller(self._jobs)
        self._freshness = Freshness(self._cron_jobs)

    async def reconcile(self, key: str) -> Result | None:
        cron_job = self._cron_jobs.get(key)
        if cron_job is None:
            self._freshness.forget(key)
            return None
        if not self._freshness.is_fresh(key):
            return None
        jobs = self._jobs.by_index("controller", cron_job.metadata.uid)
        look = _Look(cron_job, jobs, cron_job.status)
        try:
            await self._note_jobs(look)
            after = await self._run_if_due(look)
            await self._forget_old(look)
        finally:
            # What was done must be known even if something else failed: it would be told about again.
            if look.status != cron_job.status:
                written = replace(cron_job, status=look.status)
                self._freshness.wrote(key, await self._client.update(written, subresource="status"))
        return Result(after) if after else None

    def _tell(self, look: _Look, type_: str, reason: str, message: str) -> None:
        self._recorder.event(look.cron_job, type_, reason, message)

    # What became of earlier runs.

    async def _note_jobs(self, look: _Look) -> None:
        for job in look.jobs:
            name, uid = job.metadata.name, job.metadata.uid
            finished = finished_condition(job)
            if finished is None:
                if not look.is_active(uid):
                    words = f"Saw a job that the controller did not create or forgot: {name}"
                    self._tell(look, "Warning", "UnexpectedJob", words)
                continue
            if look.is_active(uid):
                look.drop(uid)
                words = f"Saw completed job: {name}, condition: {finished.type}"
                self._tell(look, "Normal", "SawCompletedJob", words)
            if finished.type == "Complete":
                _note_success(look, job.status.completion_time)
        known = {job.metadata.uid for job in look.jobs}
        for entry in look.status.active:
            if entry.uid not in known and await self._fetch(entry) is None:
                self._tell(look, "Normal", "MissingJob", f"Active job went missing: {entry.name}")
                look.drop(entry.uid)

    async def _fetch(self, entry: ObjectReference) -> Job | None:
        try:
            return await self._client.get(Job, entry.name, entry.namespace)
        except NotFound:
            return None

    async def _forget_old(self, look: _Look) -> None:
        """Delete the oldest finished Jobs beyond the limits."""
        spec = look.cron_job.spec
        limits: Mapping[str, int | None] = {
            "Complete": spec.successful_jobs_history_limit,
            "Failed": spec.failed_jobs_history_limit,
        }
        for type_, limit in limits.items():
            if limit is None:
                continue
            jobs = [job for job in look.jobs if (found := finished_condition(job)) and found.type == type_]
            jobs = [job for job in jobs if job.metadata.deletion_timestamp is None]
            for job in sorted(jobs, key=_by_start)[: max(0, len(jobs) - limit)]:
                await self._delete(look, job)

    async def _delete(self, look: _Look, job: Job) -> None:
        metadata = job.metadata
        options = DeleteOptions(propagation_policy="Background", preconditions=Preconditions(uid=metadata.uid))
        try:
            await self._client.delete(Job, metadata.name, metadata.namespace, options)
        except NotFound:
            pass
        except ApiError as error:
            self._tell(look, "Warning", "FailedDelete", f"Deleted job: {error.message}")
            raise
        else:
            self._tell(look, "Normal", "SuccessfulDelete", f"Deleted job {metadata.name}")
        look.drop(metadata.uid)

    # The next run.

    async def _run_if_due(self, look: _Look) -> float:
        """Returns in how many seconds to look again; 0: not before something changes."""
        cron_job = look.cron_job
        if cron_job.metadata.deletion_timestamp is not None or cron_job.spec.suspend:
            return 0.0
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        try:
            schedule = schedule_of(cron_job)
            if "TZ" in cron_job.spec.schedule:
                words = ZONE_IN_SCHEDULE.format(cron_job.spec.schedule)
                self._tell(look, "Warning", "UnsupportedSchedule", words)
            past = missed(cron_job, schedule, now)
        except CronError as error:
            words = f'unparseable schedule: "{cron_job.spec.schedule}" : {error}'
            self._tell(look, "Warning", "UnparseableSchedule", words)
            return 0.0
        except InvalidSchedule as error:
            words = f"invalid schedule: {cron_job.spec.schedule} : {error}"
            self._tell(look, "Warning", "InvalidSchedule", words)
            return 0.0
        if past.latest is not None:
            if past.many:
                self._tell(look, "Warning", "TooManyMissedTimes", TOO_MANY)
            await self._run(look, past.latest, now)
        return seconds_to_next(replace(cron_job, status=look.status), schedule, now)

    async def _run(self, look: _Look, due: datetime, now: datetime) -> None:
        """Create the Job that was due at `due`, if the policies let it be."""
        cron_job = look.cron_job
        spec, name = cron_job.spec, f"{cron_job.metadata.name}-{int(due.timestamp()) // 60}"
        deadline = spec.starting_deadline_seconds
        if deadline is not None and due + timedelta(seconds=deadline) < now:
            words = f"Missed scheduled time to start a job: {due.astimezone(UTC):%a, %d %b %Y %H:%M:%S +0000}"
            self._tell(look, "Warning", "MissSchedule", words)
            return
        last = look.status.last_schedule_time
        if any(entry.name == name for entry in look.status.active) or (last and parse(last) == due.timestamp()):
            return
        if spec.concurrency_policy == "Forbid" and look.status.active:
            words = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._tell(look, "Normal", "JobAlreadyActive", words)
            return
        if spec.concurrency_policy == "Replace":
            await self._replace_active(look)
        job = await self._create(look, name, due)
        if job is not None:
            active = (*look.status.active, self._reference(job))
            look.status = replace(look.status, active=active, last_schedule_time=format_seconds(due.timestamp()))

    async def _replace_active(self, look: _Look) -> None:
        for entry in look.status.active:
            job = await self._fetch(entry)
            if job is None:
                look.drop(entry.uid)
            else:
                await self._delete(look, job)

    async def _create(self, look: _Look, name: str, due: datetime) -> Job | None:
        """The Job of this time, unless it is somebody else's, or already known."""
        cron_job = look.cron_job
        template = cron_job.spec.job_template
        zone = ZoneInfo(cron_job.spec.time_zone or "UTC")
        mark = {SCHEDULED_AT: due.astimezone(zone).isoformat().replace("+00:00", "Z")}
        job = Job(
            metadata=ObjectMeta(
                name=name,
                namespace=cron_job.metadata.namespace,
                labels=template.metadata.labels,
                annotations={**template.metadata.annotations, **mark},
                owner_references=(controller_reference(cron_job, self._kind),),
            ),
            spec=template.spec,
        )
        try:
            created = await self._client.create(job)
        except AlreadyExists:
            standing = await self._client.get(Job, name, cron_job.metadata.namespace)
            owner = controller_of(standing.metadata)
            if owner is None or owner.uid != cron_job.metadata.uid:
                return None
            return standing
        except ApiError as error:
            if not because_namespace_goes(error):
                self._tell(look, "Warning", "FailedCreate", f"Error creating job: {error.message}")
            raise
        self._tell(look, "Normal", "SuccessfulCreate", f"Created job {name}")
        return created

    def _reference(self, job: Job) -> ObjectReference:
        metadata = job.metadata
        return ObjectReference(
            kind=self._job_kind.name,
            api_version=self._job_kind.api_version,
            namespace=metadata.namespace,
            name=metadata.name,
            uid=metadata.uid,
            resource_version=metadata.resource_version,
        )


def _note_success(look: _Look, at: str | None) -> None:
    last = look.status.last_successful_time
    if at is not None and (last is None or parse(at) > parse(last)):
        look.status = replace(look.status, last_successful_time=at)


def _by_start(job: Job) -> tuple[bool, str, str]:
    start = job.status.start_time
    return start is None, start or "", job.metadata.name
