"""Defaults of the batch group."""

from __future__ import annotations

from kcore.api.batch_v1 import CronJob, Job, JobSpec
from kcore.api.schema import fill
from kcore.registry.defaults.pods import default_pod_template_spec

__all__ = ["default_cron_job", "default_job"]

UNLIMITED = 2**31 - 1


def default_job(job: Job) -> None:
    """Labels are left to the strategy: they name the job's uid, which it does not have yet."""
    spec = job.spec
    default_pod_template_spec(spec.template)
    _default_pod_failure_policy(spec)
    if spec.completions is None and spec.parallelism is None:
        fill(spec, completions=1, parallelism=1)
    if spec.parallelism is None:
        fill(spec, parallelism=1)
    if spec.backoff_limit is None:
        fill(spec, backoff_limit=6 if spec.backoff_limit_per_index is None else UNLIMITED)
    if spec.completion_mode is None:
        fill(spec, completion_mode="NonIndexed")
    if spec.suspend is None:
        fill(spec, suspend=False)
    if spec.manual_selector is None:
        fill(spec, manual_selector=False)
    if spec.pod_replacement_policy is None:
        fill(spec, pod_replacement_policy="TerminatingOrFailed" if spec.pod_failure_policy is None else "Failed")
    # Upstream copies the template's labels to a job that has none; those it makes up itself come later.
    if not job.metadata.labels and spec.template.metadata.labels:
        fill(job.metadata, labels=spec.template.metadata.labels)


def default_cron_job(cron_job: CronJob) -> None:
    spec = cron_job.spec
    template = spec.job_template.spec
    default_pod_template_spec(template.template)
    _default_pod_failure_policy(template)
    if not spec.concurrency_policy:
        fill(spec, concurrency_policy="Allow")
    if spec.suspend is None:
        fill(spec, suspend=False)
    if spec.successful_jobs_history_limit is None:
        fill(spec, successful_jobs_history_limit=3)
    if spec.failed_jobs_history_limit is None:
        fill(spec, failed_jobs_history_limit=1)


def _default_pod_failure_policy(spec: JobSpec) -> None:
    if spec.pod_failure_policy is None:
        return
    for rule in spec.pod_failure_policy.rules:
        for pattern in rule.on_pod_conditions:
            if not pattern.status:
                fill(pattern, status="True")
