"""The status of a Job, as its controller reports it: what cannot be true together, and what cannot be taken back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kcore.api.batch_v1 import Job, UncountedTerminatedPods
from kcore.api.field import OMITTED, FieldError, Path, duplicate, invalid, required
from kcore.registry.validation.indexes import IndexesError, count_indexes, overlap
from kcore.registry.validation.internal import shown
from kcore.registry.validation.rules import not_negative

__all__ = ["validate_job_status"]

_STATUS = Path("status")
_CONDITIONS = _STATUS / "conditions"


def validate_job_status(new: Job, old: Job) -> Iterator[FieldError]:
    """Rules about conditions are held only against those who change them: old statuses may break newer rules."""
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
    if status != old.status:
        yield from _validate_together(new)
        yield from _validate_indexes(new)
        yield from _validate_against(new, old)


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


def _validate_together(job: Job) -> Iterator[FieldError]:
    status = job.status
    complete, failed = _is(job, "Complete"), _is(job, "Failed")
    failing, succeeding = _is(job, "FailureTarget"), _is(job, "SuccessCriteriaMet")
    finished = complete or failed
    if complete and failed:
        yield _refused("cannot set Complete=True and Failed=true conditions")
    if complete and failing:
        yield _refused("cannot set Complete=True and FailureTarget=true conditions")
    if status.completion_time is not None and not complete:
        words = "cannot set completionTime when there is no Complete=True condition"
        yield invalid(_STATUS / "completionTime", status.completion_time, words)
    if status.completion_time is None and complete:
        yield required(_STATUS / "completionTime", "completionTime is required for Complete jobs")
    if status.start_time and status.completion_time and status.completion_time < status.start_time:
        words = "completionTime cannot be set before startTime"
        yield invalid(_STATUS / "completionTime", status.completion_time, words)
    if failed and not failing:
        yield _refused("cannot set Failed=True condition without the FailureTarget=true condition")
    if complete and not succeeding:
        yield _refused("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
    if finished and status.active > 0:
        yield invalid(_STATUS / "active", status.active, "active>0 is invalid for finished job")
    if finished and status.start_time is None:
        yield required(_STATUS / "startTime", "startTime is required for finished job")
    uncounted = status.uncounted_terminated_pods
    if finished and uncounted is not None and (uncounted.succeeded or uncounted.failed):
        words = "uncountedTerminatedPods needs to be empty for finished job"
        yield invalid(_STATUS / "uncountedTerminatedPods", shown(uncounted), words)
    if finished and status.terminating:
        yield invalid(_STATUS / "terminating", status.terminating, "terminating>0 is invalid for finished job")
    if status.ready is not None and status.ready > status.active:
        yield invalid(_STATUS / "ready", status.ready, "cannot set more ready pods than active")
    if succeeding and failed:
        yield _refused("cannot set SuccessCriteriaMet=True and Failed=true conditions")
    if succeeding and failing:
        yield _refused("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")


def _refused(words: str) -> FieldError:
    return invalid(_CONDITIONS, OMITTED, words)


def _validate_indexes(job: Job) -> Iterator[FieldError]:
    spec, status = job.spec, job.status
    completed, failed = status.completed_indexes, status.failed_indexes
    if spec.completions is not None:
        yield from _validate_format(completed, _STATUS / "completedIndexes", spec.completions)
        if failed is not None and spec.backoff_limit_per_index is not None:
            yield from _validate_format(failed, _STATUS / "failedIndexes", spec.completions)
    if completed and spec.completion_mode != "Indexed":
        words = "cannot set non-empty completedIndexes when non-indexed completion mode"
        yield invalid(_STATUS / "completedIndexes", completed, words)
    if failed is not None:
        if spec.backoff_limit_per_index is None:
            words = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
            yield invalid(_STATUS / "failedIndexes", failed, words)
        if spec.completions is not None and (shared := overlap(completed, failed, spec.completions)) is not None:
            words = f"failedIndexes and completedIndexes overlap at index: {shared}"
            yield invalid(_STATUS / "failedIndexes", failed, words)


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
    if status.succeeded < before.succeeded:
        yield invalid(_STATUS / "succeeded", status.succeeded, "cannot decrease the succeeded counter")
    if (
        None not in (status.completion_time, before.completion_time)
        and status.completion_time != before.completion_time
    ):
        yield invalid(_STATUS / "completionTime", status.completion_time, "completionTime cannot be mutated")
    if before.start_time is not None and status.start_time != before.start_time and not new.spec.suspend:
        yield required(_STATUS / "startTime", "startTime cannot be removed for unsuspended job")
    if _is(old, "SuccessCriteriaMet") and not _is(new, "SuccessCriteriaMet"):
        yield _refused("cannot disable the SuccessCriteriaMet=True condition")
    if _is(old, "Complete") and not _is(old, "SuccessCriteriaMet") and _is(new, "SuccessCriteriaMet"):
        yield _refused("cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions")
