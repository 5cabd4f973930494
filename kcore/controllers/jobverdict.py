"""Whether a Job is decided: it met its policy for success, or one of the ways to fail."""

from __future__ import annotations

from kcore.api.batch_v1 import Job, JobCondition, JobStatus
from kcore.api.timestamp import parse
from kcore.controllers.jobpods import Pods, completions_of, is_failed, is_indexed, past_restarts
from kcore.controllers.jobpolicies import judge, success_message
from kcore.controllers.jobstatus import is_suspended, make_condition, standing

__all__ = ["COMPLETED", "deadline_in", "verdict_on"]

COMPLETED = ("CompletionsReached", "Reached expected number of succeeded pods")


def verdict_on(job: Job, status: JobStatus, pods: Pods, now: float) -> JobCondition | None:
    """SuccessCriteriaMet, FailureTarget, or None while the Job goes on. What was once decided stands."""
    decided = standing(job.status, "SuccessCriteriaMet") or standing(job.status, "FailureTarget")
    if decided is not None:
        return decided
    failure = _failure(job, status, pods, now)
    if failure is not None:
        return make_condition("FailureTarget", *failure, now)
    if is_indexed(job):
        message = success_message(job.spec.success_policy, completions_of(job), pods.succeeded_indexes)
        if message:
            return make_condition("SuccessCriteriaMet", "SuccessPolicy", message, now)
    return None


def _failure(job: Job, status: JobStatus, pods: Pods, now: float) -> tuple[str, str] | None:
    """Reason and message of the first failure there is."""
    spec = job.spec
    if spec.pod_failure_policy is not None:
        for pod in pods.all:
            judgement = judge(job, pod) if is_failed(job, pod) else None
            if judgement is not None and judgement.action == "FailJob":
                return "PodFailurePolicy", judgement.message
    if pods.failed > (spec.backoff_limit or 0) or past_restarts(job, pods.all):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    left = deadline_in(job, status, now)
    if left is not None and left <= 0:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    if pods.failed_indexes:
        if spec.max_failed_indexes is not None and len(pods.failed_indexes) > spec.max_failed_indexes:
            return "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
        if len(pods.failed_indexes) + len(pods.succeeded_indexes) >= completions_of(job):
            return "FailedIndexes", "Job has failed indexes"
    return None


def deadline_in(job: Job, status: JobStatus, now: float) -> float | None:
    """Seconds until the Job has been active for too long; None: it never is."""
    if job.spec.active_deadline_seconds is None or status.start_time is None or is_suspended(job):
        return None
    return parse(status.start_time) + job.spec.active_deadline_seconds - now
