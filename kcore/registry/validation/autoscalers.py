"""HorizontalPodAutoscalers, as autoscaling/v2 describes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kcore.api import names, quantity
from kcore.api.autoscaling_v2 import (
    ContainerResourceMetricSource,
    CrossVersionObjectReference,
    ExternalMetricSource,
    HorizontalPodAutoscaler,
    HPAScalingRules,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
    ObjectMetricSource,
    PodsMetricSource,
    ResourceMetricSource,
)
from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, required
from kcore.registry.validation.labels import validate_label_selector
from kcore.registry.validation.resources import validate_container_resource_name
from kcore.registry.validation.values import check, non_negative

__all__ = ["validate_autoscaler", "validate_autoscaler_status", "validate_autoscaler_update"]

_SPEC = Path("spec")
_STATUS = Path("status")
_POSITIVE = "must be greater than 0"
_BEYOND_ZERO = "must be greater than zero"
_BOTH = "may not set both a target raw value and a target utilization"
_EITHER = "must set either a target raw value or a target utilization"
_WINDOW_MAX = 3600
_PERIOD_MAX = 1800

# type -> field of its source, wire name and attribute, in the order in which upstream looks at them
_SOURCES = {
    "Object": ("object", "object"),
    "External": ("external", "external"),
    "Pods": ("pods", "pods"),
    "Resource": ("resource", "resource"),
    "ContainerResource": ("containerResource", "container_resource"),
}


def validate_autoscaler(autoscaler: HorizontalPodAutoscaler) -> Iterator[FieldError]:
    yield from _validate_spec(autoscaler, least=1)


def validate_autoscaler_update(new: HorizontalPodAutoscaler, old: HorizontalPodAutoscaler) -> Iterator[FieldError]:
    """One that may already scale to zero may go on doing so."""
    yield from _validate_spec(new, least=0 if old.spec.min_replicas == 0 else 1)


def _validate_spec(autoscaler: HorizontalPodAutoscaler, least: int) -> Iterator[FieldError]:
    spec = autoscaler.spec
    low, high = spec.min_replicas, spec.max_replicas
    if low is not None and low < least:
        yield invalid(_SPEC / "minReplicas", low, f"must be greater than or equal to {least}")
    if high == 0:
        yield required(_SPEC / "maxReplicas", "must be set and greater than 0")
    elif high < 1:
        yield invalid(_SPEC / "maxReplicas", high, _POSITIVE)
    if low is not None and high < low:
        yield invalid(_SPEC / "maxReplicas", high, "must be greater than or equal to `minReplicas`")
    yield from _validate_reference(spec.scale_target_ref, _SPEC / "scaleTargetRef")
    for i, metric in enumerate(spec.metrics):
        yield from _validate_metric(metric, _SPEC / "metrics" @ i)
    if low == 0 and not any(m.type in ("Object", "External") for m in spec.metrics):
        words = "must specify at least one Object or External metric to support scaling to zero replicas"
        yield forbidden(_SPEC / "metrics", words)
    if spec.behavior is not None:
        for name, rules in (("scaleUp", spec.behavior.scale_up), ("scaleDown", spec.behavior.scale_down)):
            if rules is not None:
                yield from _validate_rules(rules, _SPEC / "behavior" / name)


def _validate_reference(reference: CrossVersionObjectReference, path: Path) -> Iterator[FieldError]:
    for name, value in (("kind", reference.kind), ("name", reference.name)):
        if not value:
            yield required(path / name)
        else:
            yield from check(path / name, value, names.path_segment_name)


def _validate_metric(metric: MetricSpec, path: Path) -> Iterator[FieldError]:
    if not metric.type:
        yield required(path / "type", "must specify a metric source type")
    if metric.type not in _SOURCES:
        yield not_supported(path / "type", metric.type, sorted(_SOURCES))
    present = [(name, source) for name, field in _SOURCES.values() if (source := getattr(metric, field)) is not None]
    if present:
        name, source = present[0]
        yield from _validate_source(source, path / name)
    expected = _SOURCES.get(metric.type, ("", ""))[0]
    if not expected:  # upstream says it a second time
        yield not_supported(path / "type", metric.type, sorted(_SOURCES))
    elif expected not in dict(present):
        yield required(path / expected, "must populate information for the given metric source")
    if len(present) != 1:
        for name, _ in present:
            if name != expected:
                yield forbidden(path / name, "must populate the given metric source only")


def _validate_source(source: Any, path: Path) -> Iterator[FieldError]:
    target = path / "target"
    if isinstance(source, ResourceMetricSource | ContainerResourceMetricSource):
        yield from _validate_resource_source(source, path)
        return
    if isinstance(source, ObjectMetricSource):
        yield from _validate_reference(source.described_object, path / "describedObject")
    yield from _validate_identifier(source.metric, path / "metric")
    yield from _validate_target(source.target, target)
    value, average = source.target.value, source.target.average_value
    if isinstance(source, PodsMetricSource):
        if average is None:
            yield required(target / "averageValue", "must specify a positive target averageValue")
    elif isinstance(source, ExternalMetricSource):
        if value is None and average is None:
            yield required(target / "averageValue", "must set either a target value for metric or a per-pod target")
        if value is not None and average is not None:
            yield forbidden(target / "value", "may not set both a target value for metric and a per-pod target")
    elif value is None and average is None:
        yield required(target / "averageValue", "must set either a target value or averageValue")


def _validate_resource_source(
    source: ResourceMetricSource | ContainerResourceMetricSource, path: Path
) -> Iterator[FieldError]:
    if not source.name:
        yield required(path / "name", "must specify a resource name")
    if isinstance(source, ContainerResourceMetricSource):
        if source.name:
            yield from validate_container_resource_name(source.name, path / "name")
        if not source.container:
            yield required(path / "container", "must specify a container")
        else:
            yield from check(path / "container", source.container, names.dns1123_label)
    target = path / "target"
    yield from _validate_target(source.target, target)
    if source.target.average_utilization is None and source.target.average_value is None:
        yield required(target / "averageUtilization", _EITHER)
    if source.target.average_utilization is not None and source.target.average_value is not None:
        yield forbidden(target / "averageValue", _BOTH)


def _validate_identifier(identifier: MetricIdentifier, path: Path) -> Iterator[FieldError]:
    if not identifier.name:
        yield required(path / "name", "must specify a metric name")
    else:
        yield from check(path / "name", identifier.name, names.path_segment_name)
    yield from validate_label_selector(identifier.selector, path / "selector")


def _validate_target(target: MetricTarget, path: Path) -> Iterator[FieldError]:
    if not target.type:
        yield required(path / "type", "must specify a metric target type")
    if target.type not in ("Utilization", "Value", "AverageValue"):
        yield invalid(path / "type", target.type, "must be either Utilization, Value, or AverageValue")
    for name, value in (("value", target.value), ("averageValue", target.average_value)):
        if value is not None and quantity.compare(value, "0") <= 0:
            yield invalid(path / name, value, "must be positive")
    utilization = target.average_utilization
    if utilization is not None and utilization < 1:
        yield invalid(path / "averageUtilization", utilization, _POSITIVE)


def _validate_rules(rules: HPAScalingRules, path: Path) -> Iterator[FieldError]:
    window = rules.stabilization_window_seconds
    if window is not None and window < 0:
        yield invalid(path / "stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window is not None and window > _WINDOW_MAX:
        yield invalid(path / "stabilizationWindowSeconds", window, f"must be less than or equal to {_WINDOW_MAX}")
    if rules.select_policy not in (None, "Disabled", "Max", "Min"):
        yield not_supported(path / "selectPolicy", rules.select_policy or "", ("Disabled", "Max", "Min"))
    if not rules.policies:
        yield required(path / "policies", "must specify at least one Policy")
    for i, policy in enumerate(rules.policies):
        at = path / "policies" @ i
        if policy.type not in ("Percent", "Pods"):
            yield not_supported(at / "type", policy.type, ("Percent", "Pods"))
        if policy.value <= 0:
            yield invalid(at / "value", policy.value, _BEYOND_ZERO)
        if policy.period_seconds <= 0:
            yield invalid(at / "periodSeconds", policy.period_seconds, _BEYOND_ZERO)
        if policy.period_seconds > _PERIOD_MAX:
            yield invalid(at / "periodSeconds", policy.period_seconds, f"must be less than or equal to {_PERIOD_MAX}")
    if rules.tolerance is not None and quantity.compare(rules.tolerance, "0") < 0:
        yield invalid(path / "tolerance", rules.tolerance, "must be greater than or equal to zero")


def validate_autoscaler_status(new: HorizontalPodAutoscaler, old: HorizontalPodAutoscaler) -> Iterator[FieldError]:
    yield from non_negative(_STATUS / "currentReplicas", new.status.current_replicas)
    yield from non_negative(_STATUS / "desiredReplicas", new.status.desired_replicas)
