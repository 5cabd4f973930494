"""The types of autoscaling/v1."""

from typing import ClassVar

from msgspec import field

from kcore.api.object import Object
from kcore.api.schema import Int32, Int64, Struct, Time, empty, zero


class CrossVersionObjectReference(Struct):
    __map_type__: ClassVar[str] = "atomic"

    name: str = field(default_factory=empty)
    api_version: str = ""
    kind: str = field(default_factory=empty)


class HorizontalPodAutoscalerSpec(Struct):
    max_replicas: Int32 = field(default_factory=zero)
    min_replicas: Int32 | None = None
    scale_target_ref: CrossVersionObjectReference = field(default_factory=CrossVersionObjectReference)
    target_cpu_utilization_percentage: Int32 | None = field(default=None, name="targetCPUUtilizationPercentage")


class HorizontalPodAutoscalerStatus(Struct):
    current_cpu_utilization_percentage: Int32 | None = field(default=None, name="currentCPUUtilizationPercentage")
    current_replicas: Int32 = field(default_factory=zero)
    desired_replicas: Int32 = field(default_factory=zero)
    last_scale_time: Time | None = None
    observed_generation: Int64 | None = None


class HorizontalPodAutoscaler(Object):
    spec: HorizontalPodAutoscalerSpec = field(default_factory=HorizontalPodAutoscalerSpec)
    status: HorizontalPodAutoscalerStatus = field(default_factory=HorizontalPodAutoscalerStatus)


class ScaleSpec(Struct):
    replicas: Int32 = 0


class ScaleStatus(Struct):
    replicas: Int32 = field(default_factory=zero)
    selector: str = ""


class Scale(Object):
    spec: ScaleSpec = field(default_factory=ScaleSpec)
    status: ScaleStatus = field(default_factory=ScaleStatus)
