"""Where a pod may and would rather run: node affinity, pod affinity, topology spread, tolerations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kcore.api import names
from kcore.api.core_v1 import (
    Affinity,
    NodeAffinity,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    Toleration,
    TopologySpreadConstraint,
)
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from kcore.api.meta_v1 import LabelSelector
from kcore.registry.validation.labels import validate_label_selector, validate_node_selector, validate_node_term
from kcore.registry.validation.values import check

__all__ = ["validate_affinity", "validate_tolerations", "validate_topology_spread"]

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ACTIONS = ("DoNotSchedule", "ScheduleAnyway")
_POLICIES = ("Honor", "Ignore")
_POSITIVE = "must be greater than zero"
_IN_BOTH = "exists in both matchLabelKeys and labelSelector"


def validate_affinity(affinity: Affinity, path: Path) -> Iterator[FieldError]:
    if affinity.node_affinity is not None:
        yield from _validate_node_affinity(affinity.node_affinity, path / "nodeAffinity")
    if affinity.pod_affinity is not None:
        yield from _validate_pod_affinity(affinity.pod_affinity, path / "podAffinity")
    if affinity.pod_anti_affinity is not None:
        yield from _validate_pod_affinity(affinity.pod_anti_affinity, path / "podAntiAffinity")


def _validate_node_affinity(affinity: NodeAffinity, path: Path) -> Iterator[FieldError]:
    must = affinity.required_during_scheduling_ignored_during_execution
    if must is not None:
        yield from validate_node_selector(must, path / "requiredDuringSchedulingIgnoredDuringExecution")
    at = path / "preferredDuringSchedulingIgnoredDuringExecution"
    for i, term in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
        yield from _validate_weight(term.weight, at @ i)
        yield from validate_node_term(term.preference, at @ i / "preference", any_value=True)


def _validate_weight(weight: int, path: Path) -> Iterator[FieldError]:
    if not 1 <= weight <= 100:
        yield invalid(path / "weight", weight, "must be in the range 1-100")


def _validate_pod_affinity(affinity: PodAffinity | PodAntiAffinity, path: Path) -> Iterator[FieldError]:
    at = path / "requiredDuringSchedulingIgnoredDuringExecution"
    for i, term in enumerate(affinity.required_during_scheduling_ignored_during_execution):
        yield from _validate_term(term, at @ i)
    at = path / "preferredDuringSchedulingIgnoredDuringExecution"
    for i, weighted in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
        yield from _validate_weight(weighted.weight, at @ i)
        yield from _validate_term(weighted.pod_affinity_term, at @ i / "podAffinityTerm")


def _validate_term(term: PodAffinityTerm, path: Path) -> Iterator[FieldError]:
    yield from validate_label_selector(term.label_selector, path / "labelSelector")
    yield from validate_label_selector(term.namespace_selector, path / "namespaceSelector")
    for name in term.namespaces:
        yield from check(path / "namespace", name, names.dns1123_label)
    if term.match_label_keys or term.mismatch_label_keys:
        yield from _validate_label_keys(term, path)
    if not term.topology_key:
        yield required(path / "topologyKey", "can not be empty")
    yield from check(path / "topologyKey", term.topology_key, names.label_key)


def _validate_label_keys(term: PodAffinityTerm, path: Path) -> Iterator[FieldError]:
    """Keys whose values are taken from the pod itself (KEP-3633).

    They are merged into the selector when the pod is created, so a key that the selector names twice was there before.
    """
    for at, keys in (
        (path / "matchLabelKeys", term.match_label_keys),
        (path / "mismatchLabelKeys", term.mismatch_label_keys),
    ):
        if keys and term.label_selector is None:
            yield forbidden(at, "must not be specified when labelSelector is not set")
        elif keys:
            for i, key in enumerate(keys):
                yield from check(at @ i, key, names.label_key)
    if term.label_selector is not None:
        for i, key in _selected_twice(term.match_label_keys, term.label_selector):
            yield invalid(path @ i, key, _IN_BOTH)
    for i, key in enumerate(term.match_label_keys):
        if key in term.mismatch_label_keys:
            yield invalid(path / "matchLabelKeys" @ i, key, "exists in both matchLabelKeys and mismatchLabelKeys")


def validate_topology_spread(constraints: Sequence[TopologySpreadConstraint], path: Path) -> Iterator[FieldError]:
    for i, constraint in enumerate(constraints):
        at = path @ i
        if constraint.max_skew <= 0:
            yield invalid(at / "maxSkew", constraint.max_skew, _POSITIVE)
        if not constraint.topology_key:
            yield required(at / "topologyKey", "can not be empty")
        if constraint.when_unsatisfiable not in _ACTIONS:
            yield not_supported(at / "whenUnsatisfiable", constraint.when_unsatisfiable, _ACTIONS)
        kind = (constraint.topology_key, constraint.when_unsatisfiable)
        if any((c.topology_key, c.when_unsatisfiable) == kind for c in constraints[i + 1 :]):
            yield duplicate(at / "{topologyKey, whenUnsatisfiable}", f"{{{kind[0]}, {kind[1]}}}")
        if constraint.min_domains is not None:
            yield from _validate_min_domains(constraint, constraint.min_domains, at / "minDomains")
        for name, policy in (
            ("nodeAffinityPolicy", constraint.node_affinity_policy),
            ("nodeTaintsPolicy", constraint.node_taints_policy),
        ):
            if policy is not None and policy not in _POLICIES:
                yield not_supported(at / name, policy, _POLICIES)
        if constraint.match_label_keys:
            yield from _validate_spread_keys(
                constraint.match_label_keys, at / "matchLabelKeys", constraint.label_selector
            )
        yield from validate_label_selector(constraint.label_selector, at / "labelSelector")


def _validate_min_domains(constraint: TopologySpreadConstraint, least: int, path: Path) -> Iterator[FieldError]:
    if least <= 0:
        yield invalid(path, least, _POSITIVE)
    action = constraint.when_unsatisfiable
    if action != "DoNotSchedule":
        yield invalid(path, least, f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}")


def _validate_spread_keys(keys: Sequence[str], path: Path, selector: LabelSelector | None) -> Iterator[FieldError]:
    if selector is None:
        yield forbidden(path, "must not be specified when labelSelector is not set")
    for i, key in enumerate(keys):
        yield from check(path @ i, key, names.label_key)
    if selector is not None:
        for i, key in _selected_twice(keys, selector):
            yield invalid(path @ i, key, _IN_BOTH)


def _selected_twice(keys: Sequence[str], selector: LabelSelector) -> Iterator[tuple[int, str]]:
    index = {key: i for i, key in enumerate(keys)}
    seen = set(selector.match_labels)
    for expression in selector.match_expressions:
        if expression.key in index and expression.key in seen:
            yield index[expression.key], expression.key
        seen.add(expression.key)


def validate_tolerations(tolerations: Sequence[Toleration], path: Path) -> Iterator[FieldError]:
    for i, toleration in enumerate(tolerations):
        yield from _validate_toleration(toleration, path @ i)


def _validate_toleration(toleration: Toleration, path: Path) -> Iterator[FieldError]:
    """No operator means Equal; an empty key, with Exists, every taint."""
    operator, effect = toleration.operator, toleration.effect
    if toleration.key:
        yield from check(path / "key", toleration.key, names.label_key)
    elif operator != "Exists":
        words = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        yield invalid(path / "operator", operator, words)
    if toleration.toleration_seconds is not None and effect != "NoExecute":
        yield invalid(path / "effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
    if operator in ("", "Equal"):
        if words_for_value := names.label_value(toleration.value):
            yield invalid(path / "operator", toleration.value, ";".join(words_for_value))
    elif operator == "Exists":
        if toleration.value:
            yield invalid(path / "operator", toleration.value, "value must be empty when `operator` is 'Exists'")
    else:
        operators = ("Equal", "Exists", "Lt", "Gt") if operator in ("Lt", "Gt") else ("Equal", "Exists")
        yield not_supported(path / "operator", operator, operators)
    if effect and effect not in _EFFECTS:
        yield not_supported(path / "effect", effect, _EFFECTS)
