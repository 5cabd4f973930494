"""Which objects a ResourceQuota is about: those that every one of its scopes takes in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kcore.api.core_v1 import (
    PersistentVolumeClaim,
    Pod,
    PodAffinityTerm,
    ResourceQuota,
    ScopedResourceSelectorRequirement,
)
from kcore.api.qos import qos_class

__all__ = ["in_scope"]


def in_scope(quota: ResourceQuota, obj: Any) -> bool:
    return all(_matches(requirement, obj) for requirement in _requirements(quota))


def _requirements(quota: ResourceQuota) -> Iterator[ScopedResourceSelectorRequirement]:
    for scope in quota.spec.scopes:
        yield ScopedResourceSelectorRequirement(scope_name=scope, operator="Exists")
    if quota.spec.scope_selector is not None:
        yield from quota.spec.scope_selector.match_expressions


def _matches(requirement: ScopedResourceSelectorRequirement, obj: Any) -> bool:
    if isinstance(obj, Pod):
        return _matches_pod(requirement, obj)
    if isinstance(obj, PersistentVolumeClaim) and requirement.scope_name == "VolumeAttributesClass":
        return _selects(requirement, _attributes_classes(obj))
    return False


def _matches_pod(requirement: ScopedResourceSelectorRequirement, pod: Pod) -> bool:
    spec = pod.spec
    match requirement.scope_name:
        case "Terminating":
            return spec.active_deadline_seconds is not None and spec.active_deadline_seconds >= 0
        case "NotTerminating":
            return spec.active_deadline_seconds is None or spec.active_deadline_seconds < 0
        case "BestEffort":
            return qos_class(spec) == "BestEffort"
        case "NotBestEffort":
            return qos_class(spec) != "BestEffort"
        case "PriorityClass":
            return _selects(requirement, {spec.priority_class_name} - {""})
        case "CrossNamespacePodAffinity":
            return any(term.namespaces or term.namespace_selector is not None for term in _affinity_terms(pod))
    return False


def _selects(requirement: ScopedResourceSelectorRequirement, names: set[str]) -> bool:
    match requirement.operator:
        case "In":
            return bool(names.intersection(requirement.values))
        case "NotIn":
            return not names.intersection(requirement.values)
        case "DoesNotExist":
            return not names
    return bool(names)


def _attributes_classes(claim: PersistentVolumeClaim) -> set[str]:
    """The class asked for, the one that stands, and the one on its way."""
    status = claim.status
    modifying = status.modify_volume_status
    target = modifying.target_volume_attributes_class_name if modifying is not None else ""
    named = (claim.spec.volume_attributes_class_name, status.current_volume_attributes_class_name, target)
    return {name for name in named if name}


def _affinity_terms(pod: Pod) -> Iterator[PodAffinityTerm]:
    affinity = pod.spec.affinity
    if affinity is None:
        return
    for half in (affinity.pod_affinity, affinity.pod_anti_affinity):
        if half is not None:
            yield from half.required_during_scheduling_ignored_during_execution
            yield from (t.pod_affinity_term for t in half.preferred_during_scheduling_ignored_during_execution)
