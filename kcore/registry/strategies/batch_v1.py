"""Jobs and CronJobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from kcore.api.batch_v1 import CronJob, Job, JobSpec
from kcore.api.field import Path
from kcore.api.meta_v1 import LabelSelector
from kcore.api.schema import fill
from kcore.registry.advice.pods import name_advice, template_advice
from kcore.registry.defaults.batch_v1 import default_cron_job, default_job
from kcore.registry.request import Request
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.validation.cron_jobs import validate_cron_job, validate_cron_job_update
from kcore.registry.validation.job_status import validate_job_status
from kcore.registry.validation.jobs import OWN_LABELS, validate_job, validate_job_update

__all__ = ["STRATEGIES"]

_OWN_SELECTOR = "batch.kubernetes.io/controller-uid"


def _job_advice(job: Job, old: Job | None) -> Iterator[str]:
    if old is None:
        yield from name_advice(job.metadata.name)
    if old is None or job.metadata.generation != old.metadata.generation:
        yield from _spec_advice(job.spec, Path("spec"))


def _spec_advice(spec: JobSpec, path: Path) -> Iterator[str]:
    if spec.completion_mode == "Indexed" and (spec.completions or 0) > 10**5 and (spec.parallelism or 0) > 10**4:
        yield (
            f"{path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than "
            "10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail"
        )
    yield from template_advice(spec.template, path / "template")


class JobStrategy(Ruled):
    type = Job
    generation = ("spec",)
    default_orphans = True
    selectable: ClassVar = {"status.successful": lambda job: str(job.status.succeeded)}
    rules = Rules(default_job, validate_job, validate_job_update, validate_job_status, _job_advice)

    def prepare_for_create(self, req: Request, obj: Job) -> None:
        super().prepare_for_create(req, obj)
        if not obj.spec.manual_selector:
            _select_own_pods(obj)


def _select_own_pods(job: Job) -> None:
    """Make up labels that no other job has, and select by them. What the client set itself is left to validation."""
    template = job.spec.template.metadata
    labels = dict(template.labels)
    for key, part in OWN_LABELS.items():
        labels.setdefault(key, getattr(job.metadata, part))
    # Labels that a job took over from its template stay the template's, as they do upstream.
    if not job.metadata.labels or job.metadata.labels is template.labels:
        fill(job.metadata, labels=labels)
    fill(template, labels=labels)
    if job.spec.selector is None:
        fill(job.spec, selector=LabelSelector(match_labels={_OWN_SELECTOR: job.metadata.uid}))


def _cron_job_advice(cron_job: CronJob, old: CronJob | None) -> Iterator[str]:
    if old is None:
        yield from name_advice(cron_job.metadata.name)
    if old is None or cron_job.metadata.generation != old.metadata.generation:
        yield from _spec_advice(cron_job.spec.job_template.spec, Path("spec") / "jobTemplate" / "spec")
    if "TZ" in cron_job.spec.schedule:
        yield (
            "CRON_TZ or TZ used in Spec.Schedule is not officially supported, "
            "see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#cron-schedule-syntax"
        )


class CronJobStrategy(Ruled):
    type = CronJob
    generation = ("spec",)
    rules = Rules(default_cron_job, validate_cron_job, validate_cron_job_update, advice=_cron_job_advice)


STRATEGIES = (CronJobStrategy, JobStrategy)
