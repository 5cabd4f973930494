"""When a CronJob is due: the last time that it missed, and the next one to wake up at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from kcore.api.batch_v1 import CronJob
from kcore.api.cron import Every, Schedule, parse_schedule
from kcore.api.timestamp import parse

__all__ = ["InvalidSchedule", "Missed", "missed", "schedule_of", "seconds_to_next"]

MANY = 100
"""More missed times than these are told about, as a clock may have been wrong."""
PADDING = 0.1
"""Seconds to sleep beyond the next time, so as not to wake up just before it."""


class InvalidSchedule(ValueError):
    """A schedule that is well written but never comes, such as the 31st of February."""


class Missed(NamedTuple):
    """Times since the CronJob ran last: the latest one (None: not due, or it cannot be told), and whether it is one
    of none, some or many."""

    earliest: datetime
    latest: datetime | None
    any: bool = False
    many: bool = False


def schedule_of(cron_job: CronJob) -> Schedule | Every:
    """Raises CronError. A zone within the schedule goes before `timeZone`; without either it is UTC."""
    text, zone = cron_job.spec.schedule, cron_job.spec.time_zone
    return parse_schedule(text if zone is None or "TZ" in text else f"TZ={zone} {text}")


def missed(cron_job: CronJob, schedule: Schedule | Every, now: datetime, *, within_deadline: bool = True) -> Missed:
    """What was missed up to `now`, no longer ago than `startingDeadlineSeconds`. Raises InvalidSchedule.

    How many they are is estimated from the time between the first two, as counting them one by one could take for
    ever; upstream does so, too, and what it gives for irregular schedules follows from it.
    """
    earliest = _earliest(cron_job, now if within_deadline else None)
    first = schedule.next(earliest)
    second = schedule.next(first) if first is not None else None
    if first is None or second is None:
        raise InvalidSchedule("time difference between two schedules is less than 1 second")
    if now < first:
        return Missed(earliest, None)
    if now < second:
        return Missed(earliest, first)
    between = round((second - first).total_seconds())
    if between < 1:
        raise InvalidSchedule("time difference between two schedules is less than 1 second")
    count = int((now - first).total_seconds()) // between + 1
    latest = None
    found = schedule.next(first + timedelta(seconds=(count - 2) * between))
    while found is not None and found <= now:
        latest, found = found, schedule.next(found)
    return Missed(earliest, latest, any=True, many=count > MANY)


def _earliest(cron_job: CronJob, now: datetime | None) -> datetime:
    """The time after which runs count."""
    text = cron_job.status.last_schedule_time or cron_job.metadata.creation_timestamp
    earliest = datetime.fromtimestamp(parse(text), UTC) if text else datetime.fromtimestamp(0, UTC)
    deadline = cron_job.spec.starting_deadline_seconds
    if now is None or deadline is None:
        return earliest
    return max(earliest, now - timedelta(seconds=min(deadline, now.timestamp())))


def seconds_to_next(cron_job: CronJob, schedule: Schedule | Every, now: datetime) -> float:
    """Until the CronJob is due again."""
    try:
        past = missed(cron_job, schedule, now, within_deadline=False)
    except InvalidSchedule:
        after = now
    else:
        after = past.latest or (now if past.any else past.earliest)
    found = schedule.next(after)
    return (found - now).total_seconds() + PADDING if found is not None else 0.0
