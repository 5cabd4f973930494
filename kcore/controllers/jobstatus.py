"""The conditions of a Job, and what they say together.

Verdicts come in two steps (KEP-3939): first SuccessCriteriaMet or FailureTarget, from when on nothing is started any
more; then, when no pod is left and all are counted, Complete or Failed with the same reason and message.
"""

from __future__ import annotations

from msgspec.structs import replace

from kcore.api.batch_v1 import Job, JobCondition, JobStatus
from kcore.api.timestamp import format_seconds

__all__ = ["final", "finished_condition", "is_finished", "is_suspended", "make_condition", "standing", "with_condition"]

_FINAL = {"SuccessCriteriaMet": "Complete", "FailureTarget": "Failed"}


def make_condition(type_: str, reason: str, message: str, now: float, status: str = "True") -> JobCondition:
    time = format_seconds(now)
    return JobCondition(
        type=type_, status=status, reason=reason, message=message, last_probe_time=time, last_transition_time=time
    )


def standing(status: JobStatus, type_: str) -> JobCondition | None:
    """The condition of this type, where it is True."""
    return next((c for c in status.conditions if c.type == type_ and c.status == "True"), None)


def finished_condition(job: Job) -> JobCondition | None:
    """Complete or Failed, once the job is."""
    return standing(job.status, "Complete") or standing(job.status, "Failed")


def is_finished(job: Job) -> bool:
    return finished_condition(job) is not None


def is_suspended(job: Job) -> bool:
    return bool(job.spec.suspend)


def final(verdict: JobCondition, now: float) -> JobCondition:
    """The second step of a verdict."""
    return make_condition(_FINAL[verdict.type], verdict.reason, verdict.message, now)


def with_condition(status: JobStatus, condition: JobCondition) -> JobStatus:
    """`status` with a condition in it; the very same where it says so already, or would only deny what nobody said."""
    old = next((c for c in status.conditions if c.type == condition.type), None)
    if old is None:
        if condition.status == "False":
            return status
        return replace(status, conditions=(*status.conditions, condition))
    if (old.status, old.reason, old.message) == (condition.status, condition.reason, condition.message):
        return status
    return replace(status, conditions=tuple(condition if c is old else c for c in status.conditions))
