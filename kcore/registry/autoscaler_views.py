"""HorizontalPodAutoscalers are stored as autoscaling/v2; autoscaling/v1 is another view of the same object.

What v1 has no field for travels in annotations, as upstream writes them, so that a client of v1 which sends back what
it has read loses none of the spec. Measured values are left out: the controller measures again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from kcore.api import autoscaling_v1, autoscaling_v2
from kcore.api.meta_v1 import ObjectMeta

__all__ = ["as_v1", "as_v2"]

_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_ANNOTATIONS = (_BEHAVIOR, _METRICS, _CURRENT_METRICS, _CONDITIONS)

_replace = msgspec.structs.replace

T = TypeVar("T")


def as_v1(autoscaler: autoscaling_v2.HorizontalPodAutoscaler) -> autoscaling_v1.HorizontalPodAutoscaler:
    """The view of a stored autoscaler. What it holds is shared with the original."""
    spec, status = autoscaler.spec, autoscaler.status
    target, others = _cpu_target(spec.metrics)
    annotations = {k: v for k, v in autoscaler.metadata.annotations.items() if k not in _ANNOTATIONS}
    if others:
        annotations[_METRICS] = _json([_metric_to_v1(m) for m in others])
    if spec.behavior is not None:
        annotations[_BEHAVIOR] = _json(_behavior_to_v1(spec.behavior))
    if status.conditions:
        annotations[_CONDITIONS] = _json(msgspec.to_builtins(status.conditions))
    current = _cpu_utilization(status.current_metrics or ())
    reference = spec.scale_target_ref
    return autoscaling_v1.HorizontalPodAutoscaler(
        metadata=_replace(autoscaler.metadata, annotations=annotations),
        spec=autoscaling_v1.HorizontalPodAutoscalerSpec(
            max_replicas=spec.max_replicas,
            min_replicas=spec.min_replicas,
            target_cpu_utilization_percentage=target,
            scale_target_ref=autoscaling_v1.CrossVersionObjectReference(
                name=reference.name, kind=reference.kind, api_version=reference.api_version
            ),
        ),
        status=autoscaling_v1.HorizontalPodAutoscalerStatus(
            current_cpu_utilization_percentage=current,
            current_replicas=status.current_replicas,
            desired_replicas=status.desired_replicas,
            last_scale_time=status.last_scale_time,
            observed_generation=status.observed_generation,
        ),
    )


def as_v2(autoscaler: autoscaling_v1.HorizontalPodAutoscaler) -> autoscaling_v2.HorizontalPodAutoscaler:
    """How an autoscaler that came through autoscaling/v1 is stored."""
    spec, status = autoscaler.spec, autoscaler.status
    annotations = autoscaler.metadata.annotations
    metrics: list[autoscaling_v2.MetricSpec] = []
    if spec.target_cpu_utilization_percentage is not None:
        target = autoscaling_v2.MetricTarget(
            type="Utilization", average_utilization=spec.target_cpu_utilization_percentage
        )
        source = autoscaling_v2.ResourceMetricSource(name="cpu", target=target)
        metrics.append(autoscaling_v2.MetricSpec(type="Resource", resource=source))
    metrics += _read(annotations.get(_METRICS, ""), lambda tree: [_metric_from_v1(m) for m in tree]) or ()
    behavior = _read(annotations.get(_BEHAVIOR, ""), _behavior_from_v1)
    reference = spec.scale_target_ref
    return autoscaling_v2.HorizontalPodAutoscaler(
        metadata=_without(autoscaler.metadata),
        spec=autoscaling_v2.HorizontalPodAutoscalerSpec(
            max_replicas=spec.max_replicas,
            min_replicas=spec.min_replicas,
            metrics=tuple(metrics),
            behavior=behavior,
            scale_target_ref=autoscaling_v2.CrossVersionObjectReference(
                name=reference.name, kind=reference.kind, api_version=reference.api_version
            ),
        ),
        status=autoscaling_v2.HorizontalPodAutoscalerStatus(
            current_replicas=status.current_replicas,
            desired_replicas=status.desired_replicas,
            last_scale_time=status.last_scale_time,
            observed_generation=status.observed_generation,
            conditions=_read(annotations.get(_CONDITIONS, ""), _conditions_from_v1) or (),
        ),
    )


def _conditions_from_v1(tree: Any) -> tuple[autoscaling_v2.HorizontalPodAutoscalerCondition, ...]:
    return msgspec.convert(tree, tuple[autoscaling_v2.HorizontalPodAutoscalerCondition, ...])


def _without(metadata: ObjectMeta) -> ObjectMeta:
    kept = {k: v for k, v in metadata.annotations.items() if k not in _ANNOTATIONS}
    return _replace(metadata, annotations=kept)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _read(text: str, interpret: Callable[[Any], T]) -> T | None:
    """An annotation that makes no sense says nothing: clients can write what they like there."""
    try:
        return interpret(json.loads(text)) if text else None
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None


def _cpu_target(
    metrics: tuple[autoscaling_v2.MetricSpec, ...],
) -> tuple[int | None, list[autoscaling_v2.MetricSpec]]:
    """The one metric that v1 has a field for, and the others."""
    for i, metric in enumerate(metrics):
        source = metric.resource
        if metric.type != "Resource" or source is None or source.name != "cpu":
            continue
        if source.target.average_utilization is not None:
            return source.target.average_utilization, [*metrics[:i], *metrics[i + 1 :]]
    return None, list(metrics)


def _cpu_utilization(metrics: tuple[autoscaling_v2.MetricStatus, ...]) -> int | None:
    cpu = (m.resource for m in metrics if m.resource is not None and m.resource.name == "cpu")
    return next((resource.current.average_utilization for resource in cpu), None)


def _behavior_to_v1(behavior: autoscaling_v2.HorizontalPodAutoscalerBehavior) -> Any:
    return {"ScaleUp": _rules_to_v1(behavior.scale_up), "ScaleDown": _rules_to_v1(behavior.scale_down)}


def _rules_to_v1(rules: autoscaling_v2.HPAScalingRules | None) -> Any:
    if rules is None:
        return None
    return {
        "StabilizationWindowSeconds": rules.stabilization_window_seconds,
        "SelectPolicy": rules.select_policy,
        "Policies": [{"Type": p.type, "Value": p.value, "PeriodSeconds": p.period_seconds} for p in rules.policies]
        or None,
        "Tolerance": rules.tolerance,
    }


def _behavior_from_v1(tree: Any) -> autoscaling_v2.HorizontalPodAutoscalerBehavior:
    def rules(rule: Any) -> autoscaling_v2.HPAScalingRules | None:
        if not rule:
            return None
        return autoscaling_v2.HPAScalingRules(
            stabilization_window_seconds=rule.get("StabilizationWindowSeconds"),
            select_policy=rule.get("SelectPolicy"),
            tolerance=rule.get("Tolerance"),
            policies=tuple(
                autoscaling_v2.HPAScalingPolicy(type=p["Type"], value=p["Value"], period_seconds=p["PeriodSeconds"])
                for p in rule.get("Policies") or ()
            ),
        )

    return autoscaling_v2.HorizontalPodAutoscalerBehavior(
        scale_up=rules(tree.get("ScaleUp")), scale_down=rules(tree.get("ScaleDown"))
    )


_Tree = dict[str, Any]


def _metric_to_v1(metric: autoscaling_v2.MetricSpec) -> _Tree:
    """A metric as the annotation writes it: names and targets flattened into one object."""
    tree: _Tree = {"type": metric.type}
    if metric.object is not None:
        described = msgspec.to_builtins(metric.object.described_object)
        target = {k: described[k] for k in ("kind", "name", "apiVersion") if k in described}
        value = {"targetValue": metric.object.target.value} if metric.object.target.value is not None else {}
        tree["object"] = {"target": target, **_identifier(metric.object.metric, ""), **value}
        if metric.object.target.average_value is not None:
            tree["object"]["averageValue"] = metric.object.target.average_value
    if metric.pods is not None:
        tree["pods"] = {
            **_identifier(metric.pods.metric, ""),
            "targetAverageValue": metric.pods.target.average_value,
        }
    if metric.resource is not None:
        tree["resource"] = {"name": metric.resource.name, **_target(metric.resource.target)}
    if metric.container_resource is not None:
        source = metric.container_resource
        tree["containerResource"] = {"name": source.name, **_target(source.target), "container": source.container}
    if metric.external is not None:
        wanted = metric.external.target
        tree["external"] = _identifier(metric.external.metric, "metric")
        if wanted.value is not None:
            tree["external"]["targetValue"] = wanted.value
        if wanted.average_value is not None:
            tree["external"]["targetAverageValue"] = wanted.average_value
    return tree


def _identifier(identifier: autoscaling_v2.MetricIdentifier, prefix: str) -> _Tree:
    key = "metricSelector" if prefix else "selector"
    selector = {key: msgspec.to_builtins(identifier.selector)} if identifier.selector is not None else {}
    return {"metricName": identifier.name, **selector}


def _target(target: autoscaling_v2.MetricTarget) -> _Tree:
    tree: _Tree = {}
    if target.average_utilization is not None:
        tree["targetAverageUtilization"] = target.average_utilization
    if target.average_value is not None:
        tree["targetAverageValue"] = target.average_value
    return tree


def _metric_from_v1(tree: _Tree) -> autoscaling_v2.MetricSpec:
    source: _Tree
    metric: _Tree = {"type": tree.get("type", "")}
    if source := tree.get("object") or {}:
        target = _typed("Value", source.get("targetValue"), source.get("averageValue"))
        metric["object"] = {"describedObject": source.get("target", {}), "metric": _named(source), "target": target}
    if source := tree.get("pods") or {}:
        metric["pods"] = {"metric": _named(source), "target": _typed("", None, source.get("targetAverageValue"))}
    for name in ("resource", "containerResource"):
        if source := tree.get(name) or {}:
            target = _typed("", None, source.get("targetAverageValue"))
            if "targetAverageUtilization" in source:
                target = {"type": "Utilization", "averageUtilization": source["targetAverageUtilization"]}
            container = {"container": source["container"]} if "container" in source else {}
            metric[name] = {"name": source.get("name", ""), "target": target, **container}
    if source := tree.get("external") or {}:
        target = _typed("Value", source.get("targetValue"), source.get("targetAverageValue"))
        metric["external"] = {"metric": _named(source), "target": target}
    return msgspec.convert(metric, autoscaling_v2.MetricSpec)


def _named(source: _Tree) -> _Tree:
    selector = source.get("selector") or source.get("metricSelector")
    return {"name": source.get("metricName", ""), **({"selector": selector} if selector else {})}


def _typed(kind: str, value: str | None, average: str | None) -> _Tree:
    if average is not None:
        return {"type": "AverageValue", "averageValue": average}
    return {"type": kind, **({"value": value} if value is not None else {})}
