"""The types of batch/v1."""

from typing import Annotated

from msgspec import field

from kcore.api.core_v1 import ObjectReference, PodTemplateSpec
from kcore.api.meta_v1 import LabelSelector, ObjectMeta
from kcore.api.object import Object
from kcore.api.schema import (
    LIST_ATOMIC,
    LIST_SET,
    Int32,
    Int64,
    Patch,
    Struct,
    Time,
    empty,
    empty_tuple,
    null,
)


class PodFailurePolicyOnExitCodesRequirement(Struct):
    container_name: str | None = None
    operator: str = field(default_factory=empty)
    values: Annotated[tuple[Int32, ...], LIST_SET] = field(default_factory=empty_tuple)


class PodFailurePolicyOnPodConditionsPattern(Struct):
    type: str = field(default_factory=empty)
    status: str = ""


class PodFailurePolicyRule(Struct):
    action: str = field(default_factory=empty)
    on_exit_codes: PodFailurePolicyOnExitCodesRequirement | None = None
    on_pod_conditions: Annotated[tuple[PodFailurePolicyOnPodConditionsPattern, ...], LIST_ATOMIC] = ()


class PodFailurePolicy(Struct):
    rules: Annotated[tuple[PodFailurePolicyRule, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class SuccessPolicyRule(Struct):
    succeeded_count: Int32 | None = None
    succeeded_indexes: str | None = None


class SuccessPolicy(Struct):
    rules: Annotated[tuple[SuccessPolicyRule, ...], LIST_ATOMIC] = field(default_factory=empty_tuple)


class JobSpec(Struct):
    active_deadline_seconds: Int64 | None = None
    backoff_limit: Int32 | None = None
    backoff_limit_per_index: Int32 | None = None
    completion_mode: str | None = None
    completions: Int32 | None = None
    managed_by: str | None = None
    manual_selector: bool | None = None
    max_failed_indexes: Int32 | None = None
    parallelism: Int32 | None = None
    pod_failure_policy: PodFailurePolicy | None = None
    pod_replacement_policy: str | None = None
    selector: LabelSelector | None = None
    success_policy: SuccessPolicy | None = None
    suspend: bool | None = None
    template: PodTemplateSpec = field(default_factory=PodTemplateSpec)
    ttl_seconds_after_finished: Int32 | None = None


class JobTemplateSpec(Struct):
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: JobSpec = field(default_factory=JobSpec)


class CronJobSpec(Struct):
    concurrency_policy: str = ""
    failed_jobs_history_limit: Int32 | None = None
    job_template: JobTemplateSpec = field(default_factory=JobTemplateSpec)
    schedule: str = field(default_factory=empty)
    starting_deadline_seconds: Int64 | None = None
    successful_jobs_history_limit: Int32 | None = None
    suspend: bool | None = None
    time_zone: str | None = None


class CronJobStatus(Struct):
    active: Annotated[tuple[ObjectReference, ...], LIST_ATOMIC] = ()
    last_schedule_time: Time | None = None
    last_successful_time: Time | None = None


class CronJob(Object):
    spec: CronJobSpec = field(default_factory=CronJobSpec)
    status: CronJobStatus = field(default_factory=CronJobStatus)


class JobCondition(Struct):
    type: str = field(default_factory=empty)
    last_probe_time: Time | None = field(default_factory=null)
    last_transition_time: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    status: str = field(default_factory=empty)


class UncountedTerminatedPods(Struct):
    failed: Annotated[tuple[str, ...], LIST_SET] = ()
    succeeded: Annotated[tuple[str, ...], LIST_SET] = ()


class JobStatus(Struct):
    active: Int32 = 0
    completed_indexes: str = ""
    completion_time: Time | None = None
    conditions: Annotated[tuple[JobCondition, ...], LIST_ATOMIC, Patch("merge", key="type")] = ()
    failed: Int32 = 0
    failed_indexes: str | None = None
    ready: Int32 | None = None
    start_time: Time | None = None
    succeeded: Int32 = 0
    terminating: Int32 | None = None
    uncounted_terminated_pods: UncountedTerminatedPods | None = None


class Job(Object):
    spec: JobSpec = field(default_factory=JobSpec)
    status: JobStatus = field(default_factory=JobStatus)
