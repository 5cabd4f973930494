"""Tables of jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.api import batch_v1
from kcore.api.timestamp import parse
from kcore.registry.tables.printer import (
    AGE,
    NAME,
    NONE,
    UNSET,
    Column,
    Printer,
    age,
    format_selector,
    human_duration,
    since,
    wide,
)
from kcore.registry.tables.templates import TEMPLATE_COLUMNS, template_cells

__all__ = ["BATCH"]


def _job(o: batch_v1.Job, now: float) -> Sequence[Any]:
    spec, status = o.spec, o.status
    duration = ""
    if status.start_time:
        end = parse(status.completion_time) if status.completion_time else now
        duration = human_duration(end - parse(status.start_time))
    return (
        o.metadata.name,
        _job_status(o),
        _completions(o),
        duration,
        age(o, now),
        *template_cells(spec.template),
        format_selector(spec.selector),
    )


def _job_status(o: batch_v1.Job) -> str:
    true = {c.type for c in o.status.conditions if c.status == "True"}
    for type_ in ("Complete", "Failed"):
        if type_ in true:
            return type_
    if o.metadata.deletion_timestamp:
        return "Terminating"
    return next((t for t in ("Suspended", "FailureTarget", "SuccessCriteriaMet") if t in true), "Running")


def _completions(o: batch_v1.Job) -> str:
    if o.spec.completions is not None:
        return f"{o.status.succeeded}/{o.spec.completions}"
    parallelism = o.spec.parallelism or 0
    return f"{o.status.succeeded}/1 of {parallelism}" if parallelism > 1 else f"{o.status.succeeded}/1"


def _cron_job(o: batch_v1.CronJob, now: float) -> Sequence[Any]:
    spec, status = o.spec, o.status
    job = spec.job_template.spec
    return (
        o.metadata.name,
        spec.schedule,
        spec.time_zone or NONE,
        UNSET if spec.suspend is None else str(spec.suspend),
        len(status.active),
        since(status.last_schedule_time, now) if status.last_schedule_time else NONE,
        age(o, now),
        *template_cells(job.template),
        format_selector(job.selector),
    )


_SELECTOR = wide("Selector", "Which pods are counted.")

BATCH: Mapping[type[Any], Printer] = {
    batch_v1.Job: Printer(
        (
            NAME,
            Column("Status", "How far the job is."),
            Column("Completions", "How many pods have succeeded, of how many."),
            Column("Duration", "How long the job has run, or ran."),
            AGE,
            *TEMPLATE_COLUMNS,
            _SELECTOR,
        ),
        _job,
    ),
    batch_v1.CronJob: Printer(
        (
            NAME,
            Column("Schedule", "When jobs start, as cron writes it."),
            Column("Timezone", "The time zone of the schedule."),
            Column("Suspend", "Whether no more jobs start.", "boolean"),
            Column("Active", "How many jobs are running.", "integer"),
            Column("Last Schedule", "How long ago a job was started."),
            AGE,
            *TEMPLATE_COLUMNS,
            _SELECTOR,
        ),
        _cron_job,
    ),
}
