"""The status of a Job, as its controller reports it: what cannot be true together, and what cannot be taken back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from kcore.api.batch_v1 import Job, UncountedTerminatedPods
from kcore.api.field import OMITTED, FieldError, Path, duplicate, invalid, required
from kcore.registry.validation.indexes import IndexesError, count_indexes, overlap
from kcore.registry.validation.internal import shown
from kcore.registry.validation.rules import not_negative
from kcore.registry.validation.values import IMMUTABLE

__all__ = ["validate_job_status"]

_STATUS = Path("status")
_CONDITIONS = _STATUS / "conditions"


def validate_job_status(new: Job, old: Job) -> Iterator[FieldError]:
    """What must go together is held only against those who change a part of it: old statuses may break newer rules."""
    status = new.status
    for name, count in (
        ("active", status.active),
        ("succeeded", status.succeeded),
        ("failed", status.failed),
        ("ready", status.ready),
        ("terminating", status.terminating),
    ):
        yield from not_negative(_STATUS / name, count)
    if status.uncounted_terminated_pods is not None:
        yield from _validate_uncounted(status.uncounted_terminated_pods, _STATUS / "uncountedTerminatedPods")
    for touched, error in (*_together(new), *_indexes(new), *_counts(new)):
        if touched & _changes(new, old):
            yield error
    yield from _validate_success(new)
    yield from _validate_against(new, old)


_FIELDS = (
    *("active", "ready", "terminating", "start_time", "completion_time", "completed_indexes", "failed_indexes"),
    "uncounted_terminated_pods",
)


def _changes(new: Job, old: Job) -> set[str]:
    """Conditions (and the state of being finished) that came or went, and fields of the status that differ."""
    conditions = ("Complete", "Failed", "FailureTarget", "SuccessCriteriaMet")
    changed = {name for name in conditions if _is(new, name) != _is(old, name)}
    if _is_finished(new) != _is_finished(old):
        changed.add("finished")
    return changed | {name for name in _FIELDS if getattr(new.status, name) != getattr(old.status, name)}


def _validate_uncounted(pods: UncountedTerminatedPods, path: Path) -> Iterator[FieldError]:
    seen: set[str] = set()
    for name, uids in (("succeeded", pods.succeeded), ("failed", pods.failed)):
        for i, uid in enumerate(uids):
            if not uid:
                yield invalid(path / name @ i, uid, "must not be empty")
            elif uid in seen:
                yield duplicate(path / name @ i, uid)
            seen.add(uid)


def _is(job: Job, condition: str) -> bool:
    return any(c.type == condition and c.status == "True" for c in job.status.conditions)


def _is_finished(job: Job) -> bool:
    return _is(job, "Complete") or _is(job, "Failed")


_Rule: TypeAlias = tuple[set[str], FieldError]
"""What is wrong, and whose change it is held against."""


def _together(job: Job) -> Iterator[_Rule]:
    status = job.status
    complete, failed = _is(job, "Complete"), _is(job, "Failed")
    failing, finished = _is(job, "FailureTarget"), _is_finished(job)
    if complete and failed:
        yield {"Complete", "Failed"}, _refused("cannot set Complete=True and Failed=true conditions")
    if complete and failing:
        yield {"Complete", "FailureTarget"}, _refused("cannot set Complete=True and FailureTarget=true conditions")
    done, path = {"Complete", "completion_time"}, _STATUS / "completionTime"
    if status.completion_time is not None and not complete:
        words = "cannot set completionTime when there is no Complete=True condition"
        yield done, invalid(path, status.completion_time, words)
    if status.completion_time is None and complete:
        yield done, required(path, "completionTime is required for Complete jobs")
    if status.start_time and status.completion_time and status.completion_time < status.start_time:
        words = "must be equal to or after `startTime`"
        yield {"start_time", "completion_time"}, invalid(path, status.completion_time, words)
    if failed and not failing:
        words = "cannot set Failed=True condition without the FailureTarget=true condition"
        yield {"Failed", "FailureTarget"}, _refused(words)
    if complete and not _is(job, "SuccessCriteriaMet"):
        words = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"
        yield {"Complete", "SuccessCriteriaMet"}, _refused(words)
    if finished and status.active > 0:
        words = "active>0 is invalid for finished job"
        yield {"finished", "active"}, invalid(_STATUS / "active", status.active, words)
    if finished and status.start_time is None:
        words = "startTime is required for finished job"
        yield {"finished", "start_time"}, required(_STATUS / "startTime", words)
    uncounted = status.uncounted_terminated_pods
    if finished and uncounted is not None and (uncounted.succeeded or uncounted.failed):
        error = invalid(_STATUS / "uncountedTerminatedPods", shown(uncounted), "must be empty for finished job")
        yield {"finished", "uncounted_terminated_pods"}, error


def _counts(job: Job) -> Iterator[_Rule]:
    status = job.status
    if _is_finished(job) and status.terminating:
        error = invalid(_STATUS / "terminating", status.terminating, "terminating>0 is invalid for finished job")
        yield {"finished", "terminating"}, error
    if status.ready is not None and status.ready > status.active:
        error = invalid(_STATUS / "ready", status.ready, "cannot set more ready pods than active")
        yield {"ready", "active"}, error


def _validate_success(job: Job) -> Iterator[FieldError]:
    succeeding = _is(job, "SuccessCriteriaMet")
    if succeeding and _is(job, "Failed"):
        yield _refused("cannot set SuccessCriteriaMet=True and Failed=true conditions")
    if succeeding and _is(job, "FailureTarget"):
        yield _refused("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
    if job.spec.success_policy is not None and not succeeding and _is(job, "Complete"):
        yield _refused("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True")


def _refused(words: str) -> FieldError:
    return invalid(_CONDITIONS, OMITTED, words)


def _indexes(job: Job) -> Iterator[_Rule]:
    spec, status = job.spec, job.status
    completed, failed = status.completed_indexes, status.failed_indexes
    if spec.completions is not None:
        for error in _validate_format(completed, _STATUS / "completedIndexes", spec.completions):
            yield {"completed_indexes"}, error
        if failed is not None and spec.backoff_limit_per_index is not None:
            for error in _validate_format(failed, _STATUS / "failedIndexes", spec.completions):
                yield {"failed_indexes"}, error
    if completed and spec.completion_mode != "Indexed":
        words = "cannot set non-empty completedIndexes when non-indexed completion mode"
        yield {"completed_indexes"}, invalid(_STATUS / "completedIndexes", completed, words)
    if failed is None:
        return
    if spec.backoff_limit_per_index is None:
        words = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        yield {"failed_indexes"}, invalid(_STATUS / "failedIndexes", failed, words)
    if spec.completions is not None and (shared := overlap(completed, failed, spec.completions)) is not None:
        words = f"failedIndexes and completedIndexes overlap at index: {shared}"
        yield {"failed_indexes", "completed_indexes"}, invalid(_STATUS / "failedIndexes", failed, words)


def _validate_format(indexes: str, path: Path, completions: int) -> Iterator[FieldError]:
    try:
        count_indexes(indexes, completions)
    except IndexesError as e:
        yield invalid(path, indexes, f"error parsing {path.text.removeprefix('status.')}: {e}")


_TERMINAL: Sequence[str] = ("Failed", "Complete", "FailureTarget")


def _validate_against(new: Job, old: Job) -> Iterator[FieldError]:
    status, before = new.status, old.status
    for condition in _TERMINAL:
        if _is(old, condition) and not _is(new, condition):
            yield _refused(f"cannot disable the terminal {condition}=True condition")
    if status.failed < before.failed:
        yield invalid(_STATUS / "failed", status.failed, "cannot decrease the failed counter")
    together = new.spec.completion_mode == "Indexed" and new.spec.completions == new.spec.parallelism
    if status.succeeded < before.succeeded and not together:
        yield invalid(_STATUS / "succeeded", status.succeeded, "cannot decrease the succeeded counter")
    if (
        None not in (status.completion_time, before.completion_time)
        and status.completion_time != before.completion_time
    ):
        yield invalid(_STATUS / "completionTime", status.completion_time, IMMUTABLE)
    if before.start_time is not None and status.start_time != before.start_time and not new.spec.suspend:
        yield required(_STATUS / "startTime", "startTime cannot be removed for unsuspended job")
    if _is(old, "SuccessCriteriaMet") and not _is(new, "SuccessCriteriaMet"):
        yield _refused("cannot disable the SuccessCriteriaMet=True condition")
    if _is(old, "Complete") and not _is(old, "SuccessCriteriaMet") and _is(new, "SuccessCriteriaMet"):
        yield _refused("cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions")
