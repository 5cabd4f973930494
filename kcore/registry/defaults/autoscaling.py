"""Defaults of HorizontalPodAutoscalers."""

from __future__ import annotations

from kcore.api import autoscaling_v1
from kcore.api.autoscaling_v2 import (
    HorizontalPodAutoscaler,
    HPAScalingPolicy,
    HPAScalingRules,
    MetricSpec,
    MetricTarget,
    ResourceMetricSource,
)
from kcore.api.schema import fill

__all__ = ["default_horizontal_pod_autoscaler", "default_horizontal_pod_autoscaler_v1"]


def default_horizontal_pod_autoscaler(autoscaler: HorizontalPodAutoscaler) -> None:
    spec = autoscaler.spec
    if spec.min_replicas is None:
        fill(spec, min_replicas=1)
    if not spec.metrics:
        target = MetricTarget(type="Utilization", average_utilization=80)
        fill(spec, metrics=(MetricSpec(type="Resource", resource=ResourceMetricSource(name="cpu", target=target)),))
    if spec.behavior is not None:
        fill(
            spec.behavior,
            scale_up=_defaulted(spec.behavior.scale_up, _scale_up_rules()),
            scale_down=_defaulted(spec.behavior.scale_down, _scale_down_rules()),
        )


def _scale_up_rules() -> HPAScalingRules:
    """Double, or add four pods, whichever is more, every 15 seconds and at once."""
    return HPAScalingRules(
        stabilization_window_seconds=0,
        select_policy="Max",
        policies=(
            HPAScalingPolicy(type="Pods", value=4, period_seconds=15),
            HPAScalingPolicy(type="Percent", value=100, period_seconds=15),
        ),
    )


def _scale_down_rules() -> HPAScalingRules:
    """Any number of pods may go; how long to look back is the controller's own setting."""
    return HPAScalingRules(
        select_policy="Max", policies=(HPAScalingPolicy(type="Percent", value=100, period_seconds=15),)
    )


def _defaulted(rules: HPAScalingRules | None, defaults: HPAScalingRules) -> HPAScalingRules:
    """The rules completed in place; all of the defaults where there are none."""
    if rules is None:
        return defaults
    if rules.select_policy is None:
        fill(rules, select_policy=defaults.select_policy)
    if rules.stabilization_window_seconds is None:
        fill(rules, stabilization_window_seconds=defaults.stabilization_window_seconds)
    if not rules.policies:
        fill(rules, policies=defaults.policies)
    return rules


def default_horizontal_pod_autoscaler_v1(autoscaler: autoscaling_v1.HorizontalPodAutoscaler) -> None:
    spec = autoscaler.spec
    if spec.min_replicas is None:
        fill(spec, min_replicas=1)
    if spec.target_cpu_utilization_percentage is None:
        fill(spec, target_cpu_utilization_percentage=80)
