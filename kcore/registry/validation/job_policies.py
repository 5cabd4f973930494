"""Which failures of a Job's pods count (KEP-3329), and which successes are enough (KEP-3998)."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from kcore.api import names
from kcore.api.batch_v1 import (
    JobSpec,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern,
    PodFailurePolicyRule,
    SuccessPolicyRule,
)
from kcore.api.field import OMITTED, FieldError, Path, duplicate, invalid, not_supported, required, too_long, too_many
from kcore.registry.validation.indexes import IndexesError, count_indexes
from kcore.registry.validation.rules import not_negative
from kcore.registry.validation.values import check

__all__ = ["validate_pod_failure_policy", "validate_success_policy"]

_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_STATUSES = ("False", "True", "Unknown")
_RULES_MAX = 20
_EXIT_CODES_MAX = 255
_PATTERNS_MAX = 20
_INDEXES_LENGTH_MAX = 64 * 1024


def validate_pod_failure_policy(
    spec: JobSpec, rules: tuple[PodFailurePolicyRule, ...], path: Path
) -> Iterator[FieldError]:
    path = path / "rules"
    if len(rules) > _RULES_MAX:
        yield too_many(path, len(rules), _RULES_MAX)
    pod = spec.template.spec
    containers = {c.name for c in (*pod.containers, *pod.init_containers)}
    for i, rule in enumerate(rules):
        at = path @ i
        if rule.action == "FailIndex":
            if spec.backoff_limit_per_index is None:
                yield invalid(at / "action", rule.action, "requires the backoffLimitPerIndex to be set")
        else:
            yield from _choice(rule.action, at / "action", _ACTIONS)
        if rule.on_exit_codes is not None:
            yield from _validate_exit_codes(rule.on_exit_codes, at / "onExitCodes", containers)
        if rule.on_pod_conditions:
            yield from _validate_patterns(rule.on_pod_conditions, at / "onPodConditions")
        if rule.on_exit_codes is not None and rule.on_pod_conditions:
            yield invalid(at, OMITTED, "specifying both OnExitCodes and OnPodConditions is not supported")
        if rule.on_exit_codes is None and not rule.on_pod_conditions:
            yield invalid(at, OMITTED, "specifying one of OnExitCodes and OnPodConditions is required")


def _choice(value: str, path: Path, supported: tuple[str, ...]) -> Iterator[FieldError]:
    if not value:
        listed = " ".join(f'"{s}"' for s in supported)
        yield required(path, f"valid values: [{listed}]")
    elif value not in supported:
        yield not_supported(path, value, supported)


def _validate_exit_codes(
    rule: PodFailurePolicyOnExitCodesRequirement, path: Path, containers: Collection[str]
) -> Iterator[FieldError]:
    yield from _choice(rule.operator, path / "operator", ("In", "NotIn"))
    if rule.container_name is not None and rule.container_name not in containers:
        words = "must be one of the container or initContainer names in the pod template"
        yield invalid(path / "containerName", rule.container_name, words)
    values, at = rule.values, path / "values"
    if not values:
        yield invalid(at, list(values), "at least one value is required")
    elif len(values) > _EXIT_CODES_MAX:
        yield too_many(at, len(values), _EXIT_CODES_MAX)
    seen: set[int] = set()
    for i, value in enumerate(values):
        if rule.operator == "In" and value == 0:
            yield invalid(at @ i, value, "must not be 0 for the In operator")
        if value in seen:
            yield duplicate(at @ i, value)
        seen.add(value)
    if list(values) != sorted(values):
        yield invalid(at, list(values), "must be ordered")


def _validate_patterns(
    patterns: tuple[PodFailurePolicyOnPodConditionsPattern, ...], path: Path
) -> Iterator[FieldError]:
    if len(patterns) > _PATTERNS_MAX:
        yield too_many(path, len(patterns), _PATTERNS_MAX)
    for i, pattern in enumerate(patterns):
        yield from check(path @ i / "type", pattern.type, names.label_key)
        yield from _choice(pattern.status, path @ i / "status", _STATUSES)


def validate_success_policy(spec: JobSpec, rules: tuple[SuccessPolicyRule, ...], path: Path) -> Iterator[FieldError]:
    path = path / "rules"
    if not rules:
        yield required(path, "at least one rules must be specified when the successPolicy is specified")
    if len(rules) > _RULES_MAX:
        yield too_many(path, len(rules), _RULES_MAX)
    for i, rule in enumerate(rules):
        yield from _validate_success_rule(rule, path @ i, spec.completions or 0)


def _validate_success_rule(rule: SuccessPolicyRule, path: Path, completions: int) -> Iterator[FieldError]:
    count, indexes = rule.succeeded_count, rule.succeeded_indexes
    if count is None and indexes is None:
        yield required(path, "at least one of succeededCount or succeededIndexes must be specified")
    total = 0
    if indexes is not None:
        at = path / "succeededIndexes"
        if len(indexes) > _INDEXES_LENGTH_MAX:
            yield too_long(at, _INDEXES_LENGTH_MAX)
        try:
            total = count_indexes(indexes, completions)
        except IndexesError as e:
            yield invalid(at, indexes, f"error parsing succeededIndexes: {e}")
    if count is not None:
        at = path / "succeededCount"
        yield from not_negative(at, count)
        if count > completions:
            words = f"must be less than or equal to {completions} (the number of specified completions)"
            yield invalid(at, count, words)
        if indexes is not None and count > total:
            what = "(the number of indexes in the specified succeededIndexes field)"
            yield invalid(at, count, f"must be less than or equal to {total} {what}")
