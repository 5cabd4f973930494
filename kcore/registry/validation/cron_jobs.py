"""CronJobs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from kcore.api.batch_v1 import CronJob, CronJobSpec
from kcore.api.cron import CronError, parse_schedule
from kcore.api.field import FieldError, Path, invalid, required
from kcore.registry.validation.jobs import validate_job_template_spec
from kcore.registry.validation.rules import not_negative
from kcore.registry.validation.values import one_of

__all__ = ["validate_cron_job", "validate_cron_job_update"]

_SPEC = Path("spec")
_NAME = Path("metadata.name")
_CONCURRENCY = ("Allow", "Forbid", "Replace")
_CRON_JOB_NAME_MAX = 52
_is_zone_part = re.compile(r"[A-Za-z.\-_0-9+]{1,14}").fullmatch


def validate_cron_job(cron_job: CronJob) -> Iterator[FieldError]:
    yield from _validate_cron_job_spec(cron_job.spec, None)
    if len(cron_job.metadata.name) > _CRON_JOB_NAME_MAX:
        # The jobs it makes have names of their own: eleven characters more, and at most 63.
        words = f"must be no more than {_CRON_JOB_NAME_MAX} characters"
        yield invalid(_NAME, cron_job.metadata.name, words)


def validate_cron_job_update(new: CronJob, old: CronJob) -> Iterator[FieldError]:
    yield from _validate_cron_job_spec(new.spec, old.spec)


def _validate_cron_job_spec(spec: CronJobSpec, old: CronJobSpec | None) -> Iterator[FieldError]:
    if not spec.schedule:
        yield required(_SPEC / "schedule")
    else:
        yield from _validate_schedule(spec, _SPEC / "schedule", zone_allowed=old is not None and "TZ" in old.schedule)
    yield from not_negative(_SPEC / "startingDeadlineSeconds", spec.starting_deadline_seconds)
    if spec.time_zone is not None and (old is None or old.time_zone != spec.time_zone):
        yield from _validate_time_zone(spec.time_zone, _SPEC / "timeZone")
    yield from one_of(_SPEC / "concurrencyPolicy", spec.concurrency_policy, _CONCURRENCY)
    template, path = spec.job_template.spec, _SPEC / "jobTemplate" / "spec"
    yield from validate_job_template_spec(template, path)
    if template.selector is not None:
        yield invalid(path / "selector", template.selector, "`selector` will be auto-generated")
    if template.manual_selector:
        yield FieldError(
            "FieldValueNotSupported", (path / "manualSelector").text, True, 'supported values: "nil", "false"'
        )
    yield from not_negative(_SPEC / "successfulJobsHistoryLimit", spec.successful_jobs_history_limit)
    yield from not_negative(_SPEC / "failedJobsHistoryLimit", spec.failed_jobs_history_limit)


def _validate_schedule(spec: CronJobSpec, path: Path, *, zone_allowed: bool) -> Iterator[FieldError]:
    try:
        parse_schedule(spec.schedule)
    except CronError as e:
        yield invalid(path, spec.schedule, str(e))
    if "TZ" not in spec.schedule:
        return
    if not zone_allowed:
        words = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        yield invalid(path, spec.schedule, words)
    elif spec.time_zone is not None:
        yield invalid(path, spec.schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule")


def _validate_time_zone(zone: str, path: Path) -> Iterator[FieldError]:
    if not zone:
        yield invalid(path, zone, "timeZone must be nil or non-empty string")
        return
    unknown = f"unknown time zone {zone}"
    if any(p in (".", "..") or p.startswith("-") or not _is_zone_part(p) for p in zone.split("/")):
        yield invalid(path, zone, unknown)
        return
    if zone.lower() == "local":
        words = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        yield invalid(path, zone, words)
        if zone == "Local":
            return
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        yield invalid(path, zone, unknown)
