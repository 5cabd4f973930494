"""The types of policy/v1."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import field

from kcore.api.meta_v1 import Condition, DeleteOptions, LabelSelector
from kcore.api.object import Object
from kcore.api.schema import Int32, Int64, IntOrString, ListMap, Patch, Struct, Time, zero


class Eviction(Object):
    delete_options: DeleteOptions | None = None


class PodDisruptionBudgetSpec(Struct):
    max_unavailable: IntOrString | None = None
    min_available: IntOrString | None = None
    selector: Annotated[LabelSelector | None, Patch("replace")] = None
    unhealthy_pod_eviction_policy: str | None = None


class PodDisruptionBudgetStatus(Struct):
    conditions: Annotated[tuple[Condition, ...], ListMap("type"), Patch("merge", key="type")] = ()
    current_healthy: Int32 = field(default_factory=zero)
    desired_healthy: Int32 = field(default_factory=zero)
    disrupted_pods: Mapping[str, Time] = {}
    disruptions_allowed: Int32 = field(default_factory=zero)
    expected_pods: Int32 = field(default_factory=zero)
    observed_generation: Int64 = 0


class PodDisruptionBudget(Object):
    spec: PodDisruptionBudgetSpec = field(default_factory=PodDisruptionBudgetSpec)
    status: PodDisruptionBudgetStatus = field(default_factory=PodDisruptionBudgetStatus)
