"""Jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from kcore.api import names
from kcore.api.batch_v1 import (
    Job,
    JobSpec,
)
from kcore.api.core_v1 import Affinity, Container, PodSpec
from kcore.api.field import (
    FieldError,
    Path,
    invalid,
    not_supported,
    required,
    too_long,
)
from kcore.api.selectors import SelectorError, selector_from_struct
from kcore.registry.validation.internal import shown
from kcore.registry.validation.job_policies import validate_pod_failure_policy, validate_success_policy
from kcore.registry.validation.labels import validate_label_selector
from kcore.registry.validation.pods import validate_pod_template_spec
from kcore.registry.validation.rules import not_negative
from kcore.registry.validation.values import immutable
from kcore.registry.validation.workloads import labels_mismatch

__all__ = ["OWN_LABELS", "validate_job", "validate_job_template_spec", "validate_job_update"]

_replace = msgspec.structs.replace
_SPEC = Path("spec")
_NAME = Path("metadata.name")

OWN_LABELS = {
    "controller-uid": "uid",
    "job-name": "name",
    "batch.kubernetes.io/controller-uid": "uid",
    "batch.kubernetes.io/job-name": "name",
}
"""Labels by which a job tells its pods: which part of its metadata each repeats."""

_INDEXED = "requires indexed completion mode"
_MODES = ("NonIndexed", "Indexed")
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_STATUSES = ("False", "True", "Unknown")
_REPLACEMENTS = ("Failed", "TerminatingOrFailed")
_CONCURRENCY = ("Allow", "Forbid", "Replace")
_RULES_MAX = 20
_EXIT_CODES_MAX = 255
_PATTERNS_MAX = 20
_INDEXES_LENGTH_MAX = 64 * 1024
_MANAGED_BY_MAX = 63
_PARALLELISM_MAX = 100_000
_FAILED_INDEXES_MAX = 100_000
_COMPLETIONS_SOFT_MAX = 100_000
_PARALLELISM_SOFT_MAX = 10_000
_FAILED_INDEXES_SOFT_MAX = 10_000
_CRON_JOB_NAME_MAX = 52
_is_zone_part = re.compile(r"[A-Za-z.\-_0-9+]{1,14}").fullmatch


def validate_job(job: Job) -> Iterator[FieldError]:
    spec = job.spec
    yield from _validate_generated_selector(job)
    yield from _validate_job_spec(spec, _SPEC)
    if spec.completion_mode == "Indexed" and spec.completions:
        last = f"{job.metadata.name}-{spec.completions - 1}"
        if names.dns1123_label(last):
            words = f"will not able to create pod with invalid DNS label: {last}"
            yield invalid(_NAME, job.metadata.name, words)


def _validate_generated_selector(job: Job) -> Iterator[FieldError]:
    """Labels that the client sent may have got in the way of those that the server adds."""
    spec, metadata = job.spec, job.metadata
    if spec.manual_selector or spec.selector is None:
        return
    path = _SPEC / "template" / "metadata" / "labels"
    labels = spec.template.metadata.labels
    expected = {key: getattr(metadata, part) for key, part in OWN_LABELS.items()}
    for key, value in expected.items():
        if key not in labels:
            yield required(path.key(key), f"must be '{value}'")
        elif labels[key] != value:
            yield invalid(path.key(key), dict(labels), f"must be '{value}'")
    try:
        selector = selector_from_struct(spec.selector)
    except SelectorError:
        return
    if not selector.matches(expected):
        yield invalid(_SPEC / "selector", spec.selector, "`selector` not auto-generated")


def _validate_job_spec(spec: JobSpec, path: Path) -> Iterator[FieldError]:
    yield from validate_job_template_spec(spec, path)
    if spec.selector is None:
        yield required(path / "selector")
    else:
        yield from validate_label_selector(spec.selector, path / "selector")
    try:
        selector = selector_from_struct(spec.selector)
    except SelectorError:
        return
    yield from labels_mismatch(selector, spec.template.metadata.labels, path / "template" / "metadata" / "labels")


def validate_job_template_spec(spec: JobSpec, path: Path) -> Iterator[FieldError]:
    """What holds for a job and for the template that a CronJob makes jobs of."""
    for name, number in (
        ("parallelism", spec.parallelism),
        ("completions", spec.completions),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
        ("backoffLimit", spec.backoff_limit),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index),
        ("maxFailedIndexes", spec.max_failed_indexes),
    ):
        yield from not_negative(path / name, number)
    if spec.max_failed_indexes is not None and spec.backoff_limit_per_index is None:
        yield required(path / "backoffLimitPerIndex", "when maxFailedIndexes is specified")
    if spec.managed_by is not None:
        yield from _validate_managed_by(spec.managed_by, path / "managedBy")
    yield from _validate_completion_mode(spec, path)
    if spec.pod_failure_policy is not None:
        yield from validate_pod_failure_policy(spec, spec.pod_failure_policy.rules, path / "podFailurePolicy")
    if spec.success_policy is not None:
        if spec.completion_mode != "Indexed":
            yield invalid(path / "successPolicy", shown(spec.success_policy), _INDEXED)
        else:
            yield from validate_success_policy(spec, spec.success_policy.rules, path / "successPolicy")
    policy = spec.pod_replacement_policy
    supported = _REPLACEMENTS if spec.pod_failure_policy is None else ("Failed",)
    if policy is not None and policy not in supported:
        yield not_supported(path / "podReplacementPolicy", policy, supported)
    yield from validate_pod_template_spec(spec.template, path / "template")
    yield from _validate_restart_policy(spec, path / "template" / "spec" / "restartPolicy")


def _validate_managed_by(manager: str, path: Path) -> Iterator[FieldError]:
    domain, slash, rest = manager.partition("/")
    if not manager:
        yield required(path)
    elif not slash or not domain or not rest:
        yield invalid(path, manager, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        for message in names.dns1123_subdomain(domain):
            yield invalid(path, domain, message)
        if not re.fullmatch(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", rest):
            words = (
                "Invalid path (e.g. 'foo', or 'foo/bar', regex used for validation is "
                r"'[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')"
            )
            yield invalid(path, rest, words)
    if len(manager) > _MANAGED_BY_MAX:
        yield too_long(path, _MANAGED_BY_MAX)


def _validate_completion_mode(spec: JobSpec, path: Path) -> Iterator[FieldError]:
    mode = spec.completion_mode
    if mode is not None and mode not in _MODES:
        yield not_supported(path / "completionMode", mode, _MODES)
    if mode == "Indexed":
        yield from _validate_indexed(spec, path)
    elif mode is None or mode == "NonIndexed":
        if spec.backoff_limit_per_index is not None:
            yield invalid(path / "backoffLimitPerIndex", spec.backoff_limit_per_index, _INDEXED)
        if spec.max_failed_indexes is not None:
            yield invalid(path / "maxFailedIndexes", spec.max_failed_indexes, _INDEXED)


def _validate_indexed(spec: JobSpec, path: Path) -> Iterator[FieldError]:
    completions, parallelism, failures = spec.completions, spec.parallelism, spec.max_failed_indexes
    if completions is None:
        yield required(path / "completions", "when completion mode is Indexed")
    if parallelism is not None and parallelism > _PARALLELISM_MAX:
        words = f"must be less than or equal to {_PARALLELISM_MAX} when completion mode is Indexed"
        yield invalid(path / "parallelism", parallelism, words)
    if failures is not None:
        if completions is not None and failures > completions:
            yield invalid(path / "maxFailedIndexes", failures, "must be less than or equal to completions")
        if failures > _FAILED_INDEXES_MAX:
            yield invalid(path / "maxFailedIndexes", failures, f"must be less than or equal to {_FAILED_INDEXES_MAX}")
    if completions is None or completions <= _COMPLETIONS_SOFT_MAX or spec.backoff_limit_per_index is None:
        return
    many = f"when completions are above {_COMPLETIONS_SOFT_MAX} and used with backoff limit per index"
    if failures is None:
        words = f"must be specified when completions is above {_COMPLETIONS_SOFT_MAX}"
        yield required(path / "maxFailedIndexes", words)
    if parallelism is not None and parallelism > _PARALLELISM_SOFT_MAX:
        words = f"must be less than or equal to {_PARALLELISM_SOFT_MAX} {many}"
        yield invalid(path / "parallelism", parallelism, words)
    if failures is not None and failures > _FAILED_INDEXES_SOFT_MAX:
        words = f"must be less than or equal to {_FAILED_INDEXES_SOFT_MAX} {many}"
        yield invalid(path / "maxFailedIndexes", failures, words)


def _validate_restart_policy(spec: JobSpec, path: Path) -> Iterator[FieldError]:
    policy = spec.template.spec.restart_policy
    if policy in ("", "Always"):
        yield required(path, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        yield not_supported(path, policy, ("OnFailure", "Never"))
    elif spec.pod_failure_policy is not None and policy != "Never":
        yield invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')


def validate_job_update(new: Job, old: Job) -> Iterator[FieldError]:
    """Upstream looks at the spec of a new job and once more at that of a changed one."""
    spec, before = new.spec, old.spec
    yield from validate_job(new)
    yield from _validate_job_spec(spec, _SPEC)
    yield from _validate_completions(spec, before, _SPEC / "completions")
    yield from immutable(_SPEC / "selector", spec.selector, before.selector)
    yield from _validate_template_update(new, old, _SPEC / "template")
    yield from immutable(_SPEC / "completionMode", spec.completion_mode, before.completion_mode)
    for name, value, standing in (
        ("podFailurePolicy", spec.pod_failure_policy, before.pod_failure_policy),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index, before.backoff_limit_per_index),
        ("managedBy", spec.managed_by, before.managed_by),
        ("successPolicy", spec.success_policy, before.success_policy),
    ):
        printed = shown(value) if isinstance(value, msgspec.Struct) else value
        yield from immutable(_SPEC / name, value, standing, printed)


def _validate_completions(new: JobSpec, old: JobSpec, path: Path) -> Iterator[FieldError]:
    """An indexed job may grow and shrink as long as all its indexes run side by side (KEP-3715)."""
    if new.completion_mode != "Indexed":
        yield from immutable(path, new.completions, old.completions)
    elif new.completions not in (old.completions, None, new.parallelism):
        yield invalid(path, new.completions, "can only be modified in tandem with spec.parallelism")


def _validate_template_update(new: Job, old: Job, path: Path) -> Iterator[FieldError]:
    """While a job is suspended and has no pods, where they will run and what they will have may change (KEP-2926,
    KEP-5440)."""
    wanted, standing = new.spec.template, old.spec.template
    if not _is_at_rest(old):
        yield from immutable(path, wanted, standing, shown(wanted))
        return
    spec = _with_resources_of(wanted.spec, _with_directives_of(wanted.spec, standing.spec))
    yield from immutable(path / "spec", wanted.spec, spec, shown(wanted.spec))


def _is_at_rest(job: Job) -> bool:
    status = job.status
    stopped = any(c.type == "Suspended" and c.status == "True" for c in status.conditions)
    return bool(job.spec.suspend) and not status.active and (status.start_time is None or stopped)


def _with_directives_of(wanted: PodSpec, standing: PodSpec) -> PodSpec:
    affinity = standing.affinity
    if wanted.affinity is not None:
        affinity = _replace(affinity or Affinity(), node_affinity=wanted.affinity.node_affinity)
    elif affinity is not None:
        affinity = _replace(affinity, node_affinity=None)
        affinity = None if affinity == Affinity() else affinity
    return _replace(
        standing,
        affinity=affinity,
        node_selector=wanted.node_selector,
        tolerations=wanted.tolerations,
        scheduling_gates=wanted.scheduling_gates,
    )


def _with_resources_of(wanted: PodSpec, standing: PodSpec) -> PodSpec:
    return _replace(
        standing,
        containers=_with_resources(wanted.containers, standing.containers),
        init_containers=_with_resources(wanted.init_containers, standing.init_containers),
    )


def _with_resources(wanted: tuple[Container, ...], standing: tuple[Container, ...]) -> tuple[Container, ...]:
    if len(wanted) != len(standing):
        return standing
    return tuple(
        _replace(then, resources=now.resources) if then.name == now.name else then
        for now, then in zip(wanted, standing, strict=True)
    )
