"""Tables of what scales and guards workloads: scales, horizontal pod autoscalers and disruption budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.api import autoscaling_v1, autoscaling_v2, policy_v1
from kcore.registry.tables.printer import AGE, NAME, NONE, UNSET, Column, Printer, age, at_most

__all__ = ["AUTOSCALING"]


def _scale(o: autoscaling_v1.Scale, now: float) -> Sequence[Any]:
    return o.metadata.name, o.spec.replicas, o.status.replicas, age(o, now)


_UNKNOWN = "<unknown>"
_PARTS = {
    "External": "external",
    "Pods": "pods",
    "Object": "object",
    "Resource": "resource",
    "ContainerResource": "container_resource",
}


def _autoscaler(o: autoscaling_v2.HorizontalPodAutoscaler, now: float) -> Sequence[Any]:
    current = o.status.current_metrics or ()
    shown = [_metric(m, current[i] if i < len(current) else None) for i, m in enumerate(o.spec.metrics)]
    return _cells(o, at_most(2, shown, ", ") if shown else NONE, now)


def _autoscaler_v1(o: autoscaling_v1.HorizontalPodAutoscaler, now: float) -> Sequence[Any]:
    target, current = o.spec.target_cpu_utilization_percentage, o.status.current_cpu_utilization_percentage
    shown = NONE if target is None else f"cpu: {_UNKNOWN if current is None else f'{current}%'}/{target}%"
    return _cells(o, shown, now)


def _cells(
    o: autoscaling_v1.HorizontalPodAutoscaler | autoscaling_v2.HorizontalPodAutoscaler, targets: str, now: float
) -> Sequence[Any]:
    spec, target = o.spec, o.spec.scale_target_ref
    return (
        o.metadata.name,
        f"{target.kind}/{target.name}",
        targets,
        UNSET if spec.min_replicas is None else str(spec.min_replicas),
        spec.max_replicas,
        o.status.current_replicas,
        age(o, now),
    )


def _metric(spec: autoscaling_v2.MetricSpec, status: autoscaling_v2.MetricStatus | None) -> str:
    """`current/target`, as a utilization, an average or a value, whichever is aimed at."""
    part = _PARTS.get(spec.type, "")
    source = getattr(spec, part, None) if part else None
    if source is None:
        return "<unknown type>"
    measured = getattr(status, part, None)
    now: autoscaling_v2.MetricValueStatus = measured.current if measured else autoscaling_v2.MetricValueStatus()
    target: autoscaling_v2.MetricTarget = source.target
    named = f"{source.name}: " if part in ("resource", "container_resource") else ""
    if named and target.average_value is None:
        wanted = "<auto>" if target.average_utilization is None else f"{target.average_utilization}%"
        used = _UNKNOWN if now.average_utilization is None else f"{now.average_utilization}%"
        return f"{named}{used}/{wanted}"
    if target.average_value is not None:
        average = " (avg)" if part in ("external", "object") else ""
        return f"{named}{now.average_value or _UNKNOWN}/{target.average_value}{average}"
    return f"{now.value or _UNKNOWN}/{target.value}"


def _budget(o: policy_v1.PodDisruptionBudget, now: float) -> Sequence[Any]:
    spec = o.spec
    return (
        o.metadata.name,
        "N/A" if spec.min_available is None else str(spec.min_available),
        "N/A" if spec.max_unavailable is None else str(spec.max_unavailable),
        o.status.disruptions_allowed,
        age(o, now),
    )


_COLUMNS = (
    NAME,
    Column("Reference", "What is scaled."),
    Column("Targets", "What is measured, and what is aimed at."),
    Column("MinPods", "How few pods there may be."),
    Column("MaxPods", "How many pods there may be."),
    Column("Replicas", "How many pods there are."),
    AGE,
)

AUTOSCALING: Mapping[type[Any], Printer] = {
    autoscaling_v1.Scale: Printer(
        (
            NAME._replace(format=""),
            Column("Desired", "How many instances there should be.", "integer"),
            Column("Available", "How many instances there are.", "integer"),
            AGE,
        ),
        _scale,
    ),
    autoscaling_v2.HorizontalPodAutoscaler: Printer(_COLUMNS, _autoscaler),
    autoscaling_v1.HorizontalPodAutoscaler: Printer(_COLUMNS, _autoscaler_v1),
    policy_v1.PodDisruptionBudget: Printer(
        (
            NAME,
            Column("Min Available", "How many pods must stay."),
            Column("Max Unavailable", "How many pods may be missing."),
            Column("Allowed Disruptions", "How many pods may be evicted now.", "integer"),
            AGE,
        ),
        _budget,
    ),
}
