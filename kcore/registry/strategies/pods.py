"""Pods and PodTemplates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import msgspec

from kcore.api.core_v1 import (
    Affinity,
    Container,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    PodCondition,
    PodIP,
    PodSpec,
    PodStatus,
    PodTemplate,
    TopologySpreadConstraint,
)
from kcore.api.field import FieldError, Path
from kcore.api.meta_v1 import DeleteOptions, LabelSelector, LabelSelectorRequirement
from kcore.api.qos import qos_class
from kcore.api.schema import assign, fill
from kcore.api.timestamp import format_seconds
from kcore.registry.advice.pods import pod_advice, template_advice
from kcore.registry.defaults.pods import default_pod, default_pod_template
from kcore.registry.request import Request
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.strategy import Strategy
from kcore.registry.validation.pod_resize import validate_pod_resize
from kcore.registry.validation.pod_status import validate_pod_status_update
from kcore.registry.validation.pod_updates import validate_ephemeral_containers_update, validate_pod_update
from kcore.registry.validation.pods import validate_pod, validate_pod_template

__all__ = ["STRATEGIES", "PodStrategy", "PodTemplateStrategy"]

_replace = msgspec.structs.replace
_encode = msgspec.json.Encoder().encode

DNS_LABEL_MAX = 63
_SHAPE_BYTES_MAX = 8192


# The only part of a spec that admission makes up: the name of the volume with the pod's token.
_find_token_volume = re.compile(rb'"name":("kube-api-access-[a-z0-9]{5}"),"projected"').search


def _without_token_name(spec: bytes) -> bytes:
    """An encoded spec, the same for all pods that differ in the name of their token's volume alone.

    What was replaced is marked by a first byte that no spec begins with, so that no spec passes for another.
    """
    found = _find_token_volume(spec)
    return b"*" + spec.replace(found[1], b'""') if found is not None else spec


class PodStrategy(Strategy):
    type = Pod
    alike = True
    generation = ("spec",)
    returns_deleted = True
    keeps_reports = True
    selectable: ClassVar = {
        "spec.nodeName": lambda pod: pod.spec.node_name,
        "spec.host": lambda pod: pod.spec.node_name,  # its name before v1
        "spec.restartPolicy": lambda pod: pod.spec.restart_policy,
        "spec.schedulerName": lambda pod: pod.spec.scheduler_name,
        "spec.serviceAccountName": lambda pod: pod.spec.service_account_name,
        "spec.hostNetwork": lambda pod: "true" if pod.spec.host_network else "false",
        "status.phase": lambda pod: pod.status.phase,
        "status.podIP": lambda pod: pod.status.pod_ip,
        # Upstream takes the label and compares it with nothing.
        "status.podIPs": lambda pod: "",
        "status.nominatedNodeName": lambda pod: pod.status.nominated_node_name,
    }
    indexed = ("spec.nodeName",)

    def default(self, obj: Pod) -> None:
        default_pod(obj)

    def prepare_for_create(self, req: Request, obj: Pod) -> None:
        spec = obj.spec
        assign(obj, "status", PodStatus(phase="Pending", qos_class=qos_class(spec)))
        assign(obj.metadata, "generation", 1)
        grace = spec.termination_grace_period_seconds
        if grace is not None and grace < 0:
            fill(spec, termination_grace_period_seconds=1)
        if spec.scheduling_gates:
            fill(obj.status, conditions=(self._gated(),))
        if spec.affinity is not None or spec.topology_spread_constraints:
            _select_by_own_labels(spec, obj.metadata.labels)

    def _gated(self) -> PodCondition:
        return PodCondition(
            type="PodScheduled",
            status="False",
            reason="SchedulingGated",
            message="Scheduling is blocked due to non-empty scheduling gates",
            last_transition_time=format_seconds(self.env.clock.now()),
        )

    def validate(self, req: Request, obj: Pod) -> Sequence[FieldError]:
        return validate_pod(obj)

    def shape(self, obj: Pod) -> bytes | None:
        """Pods are made from templates: their specs repeat. What the rules ask beyond the spec does not occur here."""
        name, spec = obj.metadata.name, obj.spec
        if obj.metadata.annotations or spec.ephemeral_containers or "." in name or len(name) > DNS_LABEL_MAX:
            return None
        for volume in spec.volumes:
            if volume.ephemeral is not None:
                return None  # its claim is named after the pod
        encoded = _encode(spec)
        return _without_token_name(encoded) if len(encoded) <= _SHAPE_BYTES_MAX else None

    def validate_update(self, req: Request, new: Pod, old: Pod) -> Sequence[FieldError]:
        return validate_pod_update(new, old)

    def prepare_for_status_update(self, req: Request, new: Pod, old: Pod) -> None:
        if req.subresource == "status":
            _prepare_status(new, old)
            return
        # Every other part of the pod is kept, whatever the body says of it.
        spec = _debugged(new.spec, old.spec) if req.subresource == "ephemeralcontainers" else _resized(new, old)
        changed = spec != old.spec
        fill(new, spec=spec, status=old.status)
        fill(
            new.metadata,
            labels=old.metadata.labels,
            annotations=old.metadata.annotations,
            finalizers=old.metadata.finalizers,
            owner_references=old.metadata.owner_references,
            generation=old.metadata.generation + changed,
        )

    def validate_status_update(self, req: Request, new: Pod, old: Pod) -> Sequence[FieldError]:
        if req.subresource == "ephemeralcontainers":
            return validate_ephemeral_containers_update(new, old)
        if req.subresource == "resize":
            return validate_pod_resize(new, old)
        return list(validate_pod_status_update(new, old))

    def warnings(self, req: Request, obj: Pod, old: Pod | None = None) -> Sequence[str]:
        """Updates go without: they are mostly made by machines, and often."""
        return list(pod_advice(obj)) if old is None else ()

    def grace_period(self, req: Request, obj: Pod, options: DeleteOptions) -> int | None:
        """A pod that is on no node, or has ended, is stopped by nobody: it goes at once."""
        if not obj.spec.node_name or obj.status.phase in ("Failed", "Succeeded"):
            return 0
        grace = options.grace_period_seconds
        if grace is None:
            grace = obj.spec.termination_grace_period_seconds or 0
        return 1 if grace < 0 else grace


def _prepare_status(new: Pod, old: Pod) -> None:
    """What old nodes do not know of, they may not clear."""
    fill(new, spec=old.spec)
    fill(new.metadata, owner_references=old.metadata.owner_references)
    missing = dict(_missing(new.status, old.status))
    if missing:
        fill(new, status=_replace(new.status, **missing))


def _missing(status: PodStatus, before: PodStatus) -> Iterator[tuple[str, Any]]:
    # podIP is older than podIPs: where they differ, the writer knows only the one.
    if status.pod_ip and (not status.pod_ips or status.pod_ips[0].ip != status.pod_ip):
        yield "pod_ips", (PodIP(ip=status.pod_ip),)
    elif status.pod_ips and not status.pod_ip:
        yield "pod_ip", status.pod_ips[0].ip
    if not status.qos_class:
        yield "qos_class", before.qos_class
    if not status.observed_generation and before.observed_generation:
        yield "observed_generation", before.observed_generation
    observed = {c.type: c.observed_generation for c in before.conditions if c.observed_generation}
    if any(not c.observed_generation and c.type in observed for c in status.conditions):
        yield "conditions", tuple(_observed(c, observed.get(c.type, 0)) for c in status.conditions)


def _observed(condition: PodCondition, generation: int) -> PodCondition:
    if condition.observed_generation or not generation:
        return condition
    return _replace(condition, observed_generation=generation)


def _debugged(new: PodSpec, old: PodSpec) -> PodSpec:
    return _replace(old, ephemeral_containers=new.ephemeral_containers)


def _resized(new: Pod, old: Pod) -> PodSpec:
    """The old spec with the new resources. A body with other containers is left for validation to refuse."""
    containers = _with_resources(new.spec.containers, old.spec.containers)
    init_containers = _with_resources(new.spec.init_containers, old.spec.init_containers)
    if containers is None or init_containers is None:
        return new.spec
    return _replace(old.spec, containers=containers, init_containers=init_containers, resources=new.spec.resources)


def _with_resources(new: Sequence[Container], old: Sequence[Container]) -> tuple[Container, ...] | None:
    if [c.name for c in new] != [c.name for c in old]:
        return None
    return tuple(
        _replace(o, resources=n.resources, resize_policy=n.resize_policy) for n, o in zip(new, old, strict=True)
    )


def _select_by_own_labels(spec: PodSpec, labels: Mapping[str, str]) -> None:
    """Write the pod's own values of the label keys that its constraints name into their selectors (KEP-3633)."""
    affinity = spec.affinity
    if affinity is not None and (affinity.pod_affinity is not None or affinity.pod_anti_affinity is not None):
        fill(spec, affinity=_merged_affinity(affinity, labels))
    if any(c.match_label_keys for c in spec.topology_spread_constraints):
        merged = tuple(_merged(c, labels) for c in spec.topology_spread_constraints)
        fill(spec, topology_spread_constraints=merged)


def _merged_affinity(affinity: Affinity, labels: Mapping[str, str]) -> Affinity:
    return _replace(
        affinity,
        pod_affinity=_merged_terms(affinity.pod_affinity, labels),
        pod_anti_affinity=_merged_terms(affinity.pod_anti_affinity, labels),
    )


AnyPodAffinity = TypeVar("AnyPodAffinity", PodAffinity | None, PodAntiAffinity | None)


def _merged_terms(affinity: AnyPodAffinity, labels: Mapping[str, str]) -> AnyPodAffinity:
    if affinity is None:
        return affinity
    return _replace(
        affinity,
        required_during_scheduling_ignored_during_execution=tuple(
            _merged(t, labels) for t in affinity.required_during_scheduling_ignored_during_execution
        ),
        preferred_during_scheduling_ignored_during_execution=tuple(
            _replace(w, pod_affinity_term=_merged(w.pod_affinity_term, labels))
            for w in affinity.preferred_during_scheduling_ignored_during_execution
        ),
    )


Selecting = TypeVar("Selecting", PodAffinityTerm, TopologySpreadConstraint)


def _merged(constraint: Selecting, labels: Mapping[str, str]) -> Selecting:
    selector: LabelSelector | None = constraint.label_selector
    if selector is None:
        return constraint
    added: tuple[LabelSelectorRequirement, ...] = tuple(_expressions(constraint.match_label_keys, "In", labels))
    if isinstance(constraint, PodAffinityTerm):
        added += tuple(_expressions(constraint.mismatch_label_keys, "NotIn", labels))
    if not added:
        return constraint
    return _replace(constraint, label_selector=_extended(selector, added))


def _extended(selector: LabelSelector, added: tuple[LabelSelectorRequirement, ...]) -> LabelSelector:
    return _replace(selector, match_expressions=(*selector.match_expressions, *added))


def _expressions(keys: Sequence[str], operator: str, labels: Mapping[str, str]) -> Iterator[LabelSelectorRequirement]:
    for key in keys:
        if key in labels:
            yield LabelSelectorRequirement(key=key, operator=operator, values=(labels[key],))


def _template_advice(new: PodTemplate, old: PodTemplate | None) -> Iterator[str]:
    if old is None or new.metadata.generation != old.metadata.generation:
        yield from template_advice(new.template, Path("template"))


class PodTemplateStrategy(Ruled):
    type = PodTemplate
    returns_deleted = True
    generation = ("template",)
    rules = Rules(
        default_pod_template,
        validate_pod_template,
        advice=_template_advice,
    )


STRATEGIES = (PodStrategy, PodTemplateStrategy)
