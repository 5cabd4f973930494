from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from kcore.api.batch_v1 import CronJob, CronJobSpec, CronJobStatus, Job, JobTemplateSpec
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.timestamp import parse
from kcore.controllers.cronschedule import InvalidSchedule, missed, schedule_of, seconds_to_next
from tests.controllers.control import controlled
from tests.controllers.jobs import conditions, end, get_job, run_to_end, running, spec
from tests.sim.world import World

# The world starts at 2023-11-14T22:13:20Z, a Tuesday.


def cron_job(schedule: str = "*/5 * * * *", last: str | None = None, **fields: Any) -> CronJob:
    template = JobTemplateSpec(metadata=ObjectMeta(labels={"a": "b"}, annotations={"c": "d"}), spec=spec())
    return CronJob(
        metadata=ObjectMeta(name="cj", namespace="ns"),
        spec=CronJobSpec(schedule=schedule, job_template=template, **fields),
        status=CronJobStatus(last_schedule_time=last),
    )


async def create(w: World, schedule: str = "*/5 * * * *", **fields: Any) -> CronJob:
    return await w.client.create(cron_job(schedule, **fields))


async def get(w: World) -> CronJob:
    return await w.client.get(CronJob, "cj", "ns")


async def jobs(w: World) -> list[Job]:
    return sorted((await w.client.list(Job, "ns")).items, key=lambda j: j.metadata.name)


def at(text: str) -> datetime:
    return datetime.fromtimestamp(parse(text), UTC)


@pytest.mark.parametrize(
    ("schedule", "zone", "last", "now", "latest", "many"),
    [
        ("0 * * * *", None, "2024-01-01T10:00:00Z", "2024-01-01T10:59:59Z", None, False),
        ("0 * * * *", None, "2024-01-01T10:00:00Z", "2024-01-01T11:00:00Z", "2024-01-01T11:00:00Z", False),
        ("0 * * * *", None, "2024-01-01T10:00:00Z", "2024-01-01T15:30:00Z", "2024-01-01T15:00:00Z", False),
        ("* * * * *", None, "2024-01-01T10:00:00Z", "2024-01-01T11:40:59Z", "2024-01-01T11:40:00Z", False),
        ("* * * * *", None, "2024-01-01T10:00:00Z", "2024-01-01T11:41:00Z", "2024-01-01T11:41:00Z", True),
        ("@every 90s", None, "2024-01-01T10:00:00Z", "2024-01-01T10:05:00Z", "2024-01-01T10:04:30Z", False),
        # Berlin: 02:30 does not exist on 2024-03-31, and comes twice on 2024-10-27.
        ("30 2 * * *", "Europe/Berlin", "2024-03-30T01:30:00Z", "2024-03-31T12:00:00Z", None, False),
        ("30 2 * * *", "Europe/Berlin", "2024-03-30T01:30:00Z", "2024-04-01T00:30:00Z", "2024-04-01T00:30:00Z", False),
        ("30 2 * * *", "Europe/Berlin", "2024-10-26T00:30:00Z", "2024-10-27T12:00:00Z", "2024-10-27T00:30:00Z", False),
        (
            "0 9 * * *",
            "America/New_York",
            "2024-03-09T14:00:00Z",
            "2024-03-10T13:00:00Z",
            "2024-03-10T13:00:00Z",
            False,
        ),
        (
            "TZ=Asia/Tokyo 0 9 * * *",
            None,
            "2024-01-01T00:00:00Z",
            "2024-01-02T00:00:00Z",
            "2024-01-02T00:00:00Z",
            False,
        ),
    ],
)
def test_the_latest_missed_time(
    schedule: str, zone: str | None, last: str, now: str, latest: str | None, many: bool
) -> None:
    cj = cron_job(schedule, last, time_zone=zone)
    past = missed(cj, schedule_of(cj), at(now))
    assert (past.latest, past.many) == (at(latest) if latest else None, many)


def test_a_deadline_limits_how_far_back_times_are_missed() -> None:
    cj = cron_job("* * * * *", "2024-01-01T00:00:00Z", starting_deadline_seconds=200)
    past = missed(cj, schedule_of(cj), at("2024-01-02T00:00:30Z"))
    assert (past.latest, past.many) == (at("2024-01-02T00:00:00Z"), False)


def test_a_day_that_never_comes_is_invalid() -> None:
    cj = cron_job("0 0 31 2 *", "2024-01-01T00:00:00Z")
    with pytest.raises(InvalidSchedule):
        missed(cj, schedule_of(cj), at("2024-01-02T00:00:00Z"))


def test_next_time_is_slept_for_and_a_little_longer() -> None:
    cj = cron_job("0 * * * *", "2024-01-01T10:00:00Z")
    assert seconds_to_next(cj, schedule_of(cj), at("2024-01-01T10:00:01Z")) == pytest.approx(3599.1)


async def test_jobs_are_created_at_their_times() -> None:
    async with controlled() as w:
        cj = await create(w, time_zone="Europe/Berlin")
        await w.settle(390)
        assert [j.metadata.name for j in await jobs(w)] == ["cj-28333335"]
        await w.settle(30)
        (job, second) = await jobs(w)
        assert second.metadata.name == "cj-28333340"
        assert job.metadata.labels["a"] == "b"
        assert job.metadata.annotations == {
            "batch.kubernetes.io/cronjob-scheduled-timestamp": "2023-11-14T23:15:00+01:00",
            "c": "d",
        }
        assert [(o.kind, o.name, o.controller) for o in job.metadata.owner_references] == [("CronJob", "cj", True)]
        cj = await get(w)
        assert [entry.name for entry in cj.status.active] == ["cj-28333335", "cj-28333340"]
        assert cj.status.last_schedule_time == "2023-11-14T22:20:00Z"
        assert await w.told(cj) == [
            "Normal SuccessfulCreate Created job cj-28333335",
            "Normal SuccessfulCreate Created job cj-28333340",
        ]


async def test_finished_jobs_are_noted_and_only_the_last_ones_kept() -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_to_end, w)
        await create(w, successful_jobs_history_limit=2)
        await w.settle(3600)
        cj = await get(w)
        assert [j.metadata.name for j in await jobs(w)] == ["cj-28333385", "cj-28333390"]
        assert cj.status.active == ()
        assert cj.status.last_successful_time is not None
        assert at(cj.status.last_successful_time) > at("2023-11-14T23:10:00Z")
        told = await w.told(cj)
        assert "Normal SawCompletedJob Saw completed job: cj-28333335, condition: Complete" in told
        assert "Normal SuccessfulDelete Deleted job cj-28333335" in told


async def test_a_day_of_runs_misses_none_and_repeats_none() -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_to_end, w)
        await create(w, "0 * * * *", successful_jobs_history_limit=100)
        await w.settle(86_400)
        assert len(await jobs(w)) == 24


async def test_forbidden_run_waits_for_the_one_before() -> None:
    async with controlled() as w:
        cj = await create(w, concurrency_policy="Forbid")
        await w.settle(600)
        (job,) = await jobs(w)
        words = "Not starting job because prior execution is running and concurrency policy is Forbid"
        assert f"Normal JobAlreadyActive {words}" in await w.told(cj)
        await end(w, (await running(w))[0])
        await w.settle(5)
        names = [j.metadata.name for j in await jobs(w)]
        assert names == [job.metadata.name, "cj-28333340"]


async def test_replacing_run_deletes_the_one_before() -> None:
    async with controlled() as w:
        cj = await create(w, concurrency_policy="Replace")
        await w.settle(420)
        assert [j.metadata.name for j in await jobs(w)] == ["cj-28333340"]
        assert [entry.name for entry in (await get(w)).status.active] == ["cj-28333340"]
        assert "Normal SuccessfulDelete Deleted job cj-28333335" in await w.told(cj)


async def test_suspended_runs_are_made_up_for_by_one() -> None:
    async with controlled() as w:
        cj = await create(w, "* * * * *", suspend=True)
        await w.settle(3 * 3600)
        assert await jobs(w) == []
        cj = await get(w)
        await w.client.update(replace(cj, spec=replace(cj.spec, suspend=False)))
        await w.settle(1)
        assert len(await jobs(w)) == 1
        words = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        assert f"Warning TooManyMissedTimes {words}" in await w.told(cj)


async def test_missed_run_is_not_made_up_for_after_its_deadline() -> None:
    async with controlled() as w:
        cj = await create(w, "0 * * * *", suspend=True, starting_deadline_seconds=60)
        await w.settle(2 * 3600)
        cj = await get(w)
        await w.client.update(replace(cj, spec=replace(cj.spec, suspend=False)))
        await w.settle(5)
        assert await jobs(w) == []
        await w.settle(3600)
        assert len(await jobs(w)) == 1


async def test_job_that_vanishes_is_missed_and_a_foreign_one_wondered_at() -> None:
    async with controlled() as w:
        cj = await create(w)
        await w.settle(120)
        (job,) = await jobs(w)
        await w.client.delete(Job, job.metadata.name, "ns")
        metadata = ObjectMeta(name="manual", namespace="ns", owner_references=job.metadata.owner_references)
        await w.client.create(Job(metadata=metadata, spec=spec()))
        await w.settle(5)
        told = await w.told(cj)
        assert f"Normal MissingJob Active job went missing: {job.metadata.name}" in told
        assert "Warning UnexpectedJob Saw a job that the controller did not create or forgot: manual" in told
        assert (await get(w)).status.active == ()


async def test_failed_jobs_have_a_limit_of_their_own() -> None:
    async with controlled() as w:
        await create(w, failed_jobs_history_limit=0)
        await w.settle(120)
        (pod,) = await running(w)
        job = (await jobs(w))[0]
        limited = replace(job.spec, active_deadline_seconds=1)
        await w.client.update(replace(job, spec=limited))
        await w.settle(5)
        assert pod.metadata.name not in [p.metadata.name for p in await running(w)]
        assert await jobs(w) == []


async def test_invalid_times_are_told_about() -> None:
    async with controlled() as w:
        cj = await create(w, "0 0 31 2 *")
        await w.settle(5)
        words = "invalid schedule: 0 0 31 2 * : time difference between two schedules is less than 1 second"
        assert await w.told(cj) == [f"Warning InvalidSchedule {words}"]


async def test_finished_job_is_deleted_when_its_time_is_over() -> None:
    async with controlled() as w:
        await w.client.create(
            Job(metadata=ObjectMeta(name="j", namespace="ns"), spec=spec(ttl_seconds_after_finished=60))
        )
        await w.settle(1)
        await end(w, (await running(w))[0])
        await w.settle(50)
        assert conditions(await get_job(w))[-1][0] == "Complete"
        await w.settle(15)
        assert await jobs(w) == []
