"""The types of autoscaling/v2."""

from typing import Annotated

from msgspec import field

from kcore.api.meta_v1 import LabelSelector
from kcore.api.object import Object
from kcore.api.schema import (
    LIST_ATOMIC,
    Int32,
    Int64,
    ListMap,
    Patch,
    Quantity,
    Struct,
    Time,
    empty,
    null,
    zero,
)


class MetricTarget(Struct):
    type: str = field(default_factory=empty)
    average_utilization: Int32 | None = None
    average_value: Quantity | None = None
    value: Quantity | None = None


class ContainerResourceMetricSource(Struct):
    name: str = field(default_factory=empty)
    container: str = field(default_factory=empty)
    target: MetricTarget = field(default_factory=MetricTarget)


class MetricValueStatus(Struct):
    average_utilization: Int32 | None = None
    average_value: Quantity | None = None
    value: Quantity | None = None


class ContainerResourceMetricStatus(Struct):
    name: str = field(default_factory=empty)
    container: str = field(default_factory=empty)
    current: MetricValueStatus = field(default_factory=MetricValueStatus)


class CrossVersionObjectReference(Struct):
    name: str = field(default_factory=empty)
    api_version: str = ""
    kind: str = field(default_factory=empty)


class MetricIdentifier(Struct):
    name: str = field(default_factory=empty)
    selector: LabelSelector | None = None


class ExternalMetricSource(Struct):
    metric: MetricIdentifier = field(default_factory=MetricIdentifier)
    target: MetricTarget = field(default_factory=MetricTarget)


class ExternalMetricStatus(Struct):
    current: MetricValueStatus = field(default_factory=MetricValueStatus)
    metric: MetricIdentifier = field(default_factory=MetricIdentifier)


class HPAScalingPolicy(Struct):
    type: str = field(default_factory=empty)
    period_seconds: Int32 = field(default_factory=zero)
    value: Int32 = field(default_factory=zero)


class HPAScalingRules(Struct):
    policies: Annotated[tuple[HPAScalingPolicy, ...], LIST_ATOMIC] = ()
    select_policy: str | None = None
    stabilization_window_seconds: Int32 | None = None
    tolerance: Quantity | None = None


class HorizontalPodAutoscalerBehavior(Struct):
    scale_down: HPAScalingRules | None = None
    scale_up: HPAScalingRules | None = None


class ObjectMetricSource(Struct):
    described_object: CrossVersionObjectReference = field(default_factory=CrossVersionObjectReference)
    metric: MetricIdentifier = field(default_factory=MetricIdentifier)
    target: MetricTarget = field(default_factory=MetricTarget)


class PodsMetricSource(Struct):
    metric: MetricIdentifier = field(default_factory=MetricIdentifier)
    target: MetricTarget = field(default_factory=MetricTarget)


class ResourceMetricSource(Struct):
    name: str = field(default_factory=empty)
    target: MetricTarget = field(default_factory=MetricTarget)


class MetricSpec(Struct):
    type: str = field(default_factory=empty)
    container_resource: ContainerResourceMetricSource | None = None
    external: ExternalMetricSource | None = None
    object: ObjectMetricSource | None = None
    pods: PodsMetricSource | None = None
    resource: ResourceMetricSource | None = None


class HorizontalPodAutoscalerSpec(Struct):
    behavior: HorizontalPodAutoscalerBehavior | None = None
    max_replicas: Int32 = field(default_factory=zero)
    metrics: Annotated[tuple[MetricSpec, ...], LIST_ATOMIC] = ()
    min_replicas: Int32 | None = None
    scale_target_ref: CrossVersionObjectReference = field(default_factory=CrossVersionObjectReference)


class HorizontalPodAutoscalerCondition(Struct):
    type: str = field(default_factory=empty)
    last_transition_time: Time | None = field(default_factory=null)
    message: str = ""
    reason: str = ""
    status: str = field(default_factory=empty)


class ObjectMetricStatus(Struct):
    current: MetricValueStatus = field(default_factory=MetricValueStatus)
    described_object: CrossVersionObjectReference = field(default_factory=CrossVersionObjectReference)
    metric: MetricIdentifier = field(default_factory=MetricIdentifier)


class PodsMetricStatus(Struct):
    current: MetricValueStatus = field(default_factory=MetricValueStatus)
    metric: MetricIdentifier = field(default_factory=MetricIdentifier)


class ResourceMetricStatus(Struct):
    name: str = field(default_factory=empty)
    current: MetricValueStatus = field(default_factory=MetricValueStatus)


class MetricStatus(Struct):
    type: str = field(default_factory=empty)
    container_resource: ContainerResourceMetricStatus | None = None
    external: ExternalMetricStatus | None = None
    object: ObjectMetricStatus | None = None
    pods: PodsMetricStatus | None = None
    resource: ResourceMetricStatus | None = None


class HorizontalPodAutoscalerStatus(Struct):
    conditions: Annotated[
        tuple[HorizontalPodAutoscalerCondition, ...], ListMap("type"), Patch("merge", key="type")
    ] = ()
    current_metrics: Annotated[tuple[MetricStatus, ...] | None, LIST_ATOMIC] = field(default_factory=null)
    current_replicas: Int32 = 0
    desired_replicas: Int32 = field(default_factory=zero)
    last_scale_time: Time | None = None
    observed_generation: Int64 | None = None


class HorizontalPodAutoscaler(Object):
    spec: HorizontalPodAutoscalerSpec = field(default_factory=HorizontalPodAutoscalerSpec)
    status: HorizontalPodAutoscalerStatus = field(default_factory=HorizontalPodAutoscalerStatus)
