"""The pods of a Job: how they are made, what counts as failed, and what all of them together amount to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from kcore.api.batch_v1 import Job
from kcore.api.core_v1 import Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod
from kcore.api.meta_v1 import ObjectMeta, OwnerReference
from kcore.controllers.jobbackoff import finished_at, seconds_left
from kcore.controllers.jobindexes import INDEX, completion_index, parse_indexes
from kcore.controllers.jobpolicies import judge
from kcore.controllers.pods import is_active, is_ready, is_terminating, rank_for_deletion

__all__ = [
    "TRACKING",
    "Pods",
    "completions_of",
    "index_seconds_left",
    "is_failed",
    "is_indexed",
    "is_tracked",
    "job_pod",
    "observe",
    "past_restarts",
    "pending_indexes",
    "replaces_only_failed",
    "surplus",
]

TRACKING = "batch.kubernetes.io/job-tracking"
"""The finalizer of pods that their Job has not counted yet."""

FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
LONGEST_PREFIX = 58
"""The server appends five characters to a generated name, of 63 at most."""


class Pods(NamedTuple):
    """A Job's pods at one moment. `tracked` are those whose end is still to be counted."""

    all: list[Pod]
    active: list[Pod]
    tracked: list[Pod]
    ready: int
    terminating: int
    new_succeeded: list[Pod]
    new_failed: list[Pod]
    succeeded: int
    failed: int
    succeeded_indexes: frozenset[int]
    failed_indexes: frozenset[int] | None
    """None: indexes of this Job do not fail by themselves."""
    last_failed: Mapping[int, Pod]
    """By index: failed pods that are kept until a successor has taken over their count of failures."""


def is_indexed(job: Job) -> bool:
    return job.spec.completion_mode == "Indexed"


def completions_of(job: Job) -> int:
    return job.spec.completions or 0


def is_tracked(pod: Pod) -> bool:
    return TRACKING in pod.metadata.finalizers


def replaces_only_failed(job: Job) -> bool:
    return job.spec.pod_replacement_policy == "Failed"


def is_failed(job: Job, pod: Pod) -> bool:
    """A pod on its way out counts as failed, too: nobody may be there any more to say that it did. A Job that
    replaces only what has failed waits until somebody does."""
    if pod.status.phase == "Failed":
        return True
    return not replaces_only_failed(job) and is_terminating(pod)


def observe(job: Job, pods: list[Pod], counted: Collection[str]) -> Pods:
    """`counted` are the uids of pods that are tracked only because the cache is late."""
    status = job.status
    uncounted = status.uncounted_terminated_pods
    waiting = {*uncounted.succeeded, *uncounted.failed} if uncounted is not None else set()
    tracked = [pod for pod in pods if is_tracked(pod) and pod.metadata.uid not in counted]
    valid = [pod for pod in tracked if not is_indexed(job) or completion_index(pod, completions_of(job)) is not None]
    new = [pod for pod in valid if pod.metadata.uid not in waiting]
    succeeded = [pod for pod in new if pod.status.phase == "Succeeded"]
    failed = [pod for pod in new if is_failed(job, pod)]
    active = [pod for pod in pods if is_active(pod)]
    in_succeeded = status.succeeded + len(succeeded) + (len(uncounted.succeeded) if uncounted is not None else 0)
    in_failed = sum(judge(job, pod).counts for pod in failed)
    in_failed += status.failed + (len(uncounted.failed) if uncounted is not None else 0)
    good: frozenset[int] = frozenset()
    bad: frozenset[int] | None = None
    last_failed: Mapping[int, Pod] = {}
    if is_indexed(job):
        good = _succeeded_indexes(job, valid)
        in_succeeded = len(good)
        if job.spec.backoff_limit_per_index is not None:
            bad = _failed_indexes(job, valid) - good
            last_failed = _last_failed(job, valid, active, good | bad)
    return Pods(
        all=pods,
        active=active,
        tracked=tracked,
        ready=sum(map(is_ready, active)),
        terminating=sum(map(is_terminating, pods)),
        new_succeeded=succeeded,
        new_failed=failed,
        succeeded=in_succeeded,
        failed=in_failed,
        succeeded_indexes=good,
        failed_indexes=bad,
        last_failed=last_failed,
    )


def _index(job: Job, pod: Pod) -> int:
    index = completion_index(pod, completions_of(job))
    assert index is not None
    return index


def _succeeded_indexes(job: Job, valid: Iterable[Pod]) -> frozenset[int]:
    before = parse_indexes(job.status.completed_indexes, completions_of(job))
    return before.union(_index(job, pod) for pod in valid if pod.status.phase == "Succeeded")


def _failed_indexes(job: Job, valid: Iterable[Pod]) -> frozenset[int]:
    before = parse_indexes(job.status.failed_indexes or "", completions_of(job))
    return before.union(_index(job, pod) for pod in valid if _fails_index(job, pod))


def _fails_index(job: Job, pod: Pod) -> bool:
    if not is_failed(job, pod):
        return False
    judgement = judge(job, pod)
    if judgement.action == "FailIndex":
        return True
    limit = job.spec.backoff_limit_per_index
    assert limit is not None
    return judgement.counts and _number(pod, FAILURES) >= limit


def _last_failed(job: Job, valid: Iterable[Pod], active: Iterable[Pod], settled: frozenset[int]) -> dict[int, Pod]:
    """Of each index that is to be tried again, the pod that failed last."""
    running = {completion_index(pod, completions_of(job)) for pod in active}
    last: dict[int, Pod] = {}
    for pod in valid:
        index = _index(job, pod)
        if index in settled or index in running or not is_failed(job, pod):
            continue
        other = last.get(index)
        if other is None or _attempt(other) < _attempt(pod):
            last[index] = pod
    return last


def _attempt(pod: Pod) -> tuple[int, float]:
    return _number(pod, FAILURES) + _number(pod, IGNORED_FAILURES), finished_at(pod)


def _number(pod: Pod, annotation: str) -> int:
    text = pod.metadata.annotations.get(annotation, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def index_seconds_left(last_failed: Pod | None, now: float) -> float:
    """Until an index may be tried again."""
    if last_failed is None:
        return 0.0
    return seconds_left(_attempt(last_failed)[0] + 1, finished_at(last_failed), now)


def past_restarts(job: Job, pods: Iterable[Pod]) -> bool:
    """Whether containers that are restarted in place have used up the backoff limit."""
    if job.spec.template.spec.restart_policy != "OnFailure":
        return False
    restarts = sum(
        status.restart_count
        for pod in pods
        if pod.status.phase in ("Running", "Pending")
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses)
    )
    return restarts >= max(1, job.spec.backoff_limit or 0)


def surplus(job: Job, active: list[Pod], at_least: int, now: float) -> list[Pod]:
    """Active pods to remove: those without a place of their own among the indexes, then the least useful ones."""
    ranked = rank_for_deletion(active, (), now)
    if not is_indexed(job):
        return ranked[:at_least]
    best: dict[int | None, Pod] = {completion_index(pod, completions_of(job)): pod for pod in ranked}
    best.pop(None, None)
    kept = {pod.metadata.uid for pod in best.values()}
    removed = [pod for pod in ranked if pod.metadata.uid not in kept]
    left = [pod for pod in ranked if pod.metadata.uid in kept]
    return removed + left[: max(0, at_least - len(removed))]


def job_pod(job: Job, owner: OwnerReference, index: int | None = None, last_failed: Pod | None = None) -> Pod:
    """A new pod of a Job."""
    template, name = job.spec.template, job.metadata.name
    labels, annotations, spec = template.metadata.labels, template.metadata.annotations, template.spec
    finalizers = template.metadata.finalizers
    prefix = f"{name}-"
    if index is not None:
        mark = {INDEX: str(index)}
        labels, annotations = {**labels, **mark}, {**annotations, **mark}
        if job.spec.backoff_limit_per_index is not None:
            annotations |= _failure_counts(job, last_failed)
        spec = replace(
            spec,
            hostname=f"{name}-{index}",
            containers=tuple(map(_with_index, spec.containers)),
            init_containers=tuple(map(_with_index, spec.init_containers)),
        )
        prefix = f"{name[: LONGEST_PREFIX - len(f'-{index}-')]}-{index}-"
    return Pod(
        metadata=ObjectMeta(
            generate_name=prefix,
            namespace=job.metadata.namespace,
            labels=labels,
            annotations=annotations,
            finalizers=finalizers if TRACKING in finalizers else (*finalizers, TRACKING),
            owner_references=(owner,),
        ),
        spec=spec,
    )


def _failure_counts(job: Job, last_failed: Pod | None) -> dict[str, str]:
    """Failures of an index are counted from pod to pod."""
    if last_failed is None:
        return {FAILURES: "0"}
    counts = judge(job, last_failed).counts
    ignored = _number(last_failed, IGNORED_FAILURES) + (not counts)
    marks = {FAILURES: str(_number(last_failed, FAILURES) + counts)}
    return {**marks, IGNORED_FAILURES: str(ignored)} if ignored else marks


def _with_index(container: Container) -> Container:
    if any(variable.name == INDEX_VARIABLE for variable in container.env):
        return container
    source = EnvVarSource(field_ref=ObjectFieldSelector(field_path=f"metadata.labels['{INDEX}']"))
    return replace(container, env=(*container.env, EnvVar(name=INDEX_VARIABLE, value_from=source)))


def pending_indexes(job: Job, pods: Pods) -> Iterator[int]:
    """Indexes that want a pod, lowest first."""
    completions = completions_of(job)
    taken = {completion_index(pod, completions) for pod in pods.active}
    if replaces_only_failed(job):
        taken |= {completion_index(pod, completions) for pod in pods.all if is_terminating(pod)}
    settled = pods.succeeded_indexes | (pods.failed_indexes or frozenset())
    return (index for index in range(completions) if index not in taken and index not in settled)
