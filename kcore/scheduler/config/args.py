"""What plugins can be told: the `pluginConfig` args of kubescheduler.config.k8s.io/v1, with upstream's defaults."""

from __future__ import annotations

from kcore.api.core_v1 import NodeAffinity, TopologySpreadConstraint
from kcore.api.schema import Struct

__all__ = [
    "Args",
    "DefaultPreemptionArgs",
    "DynamicResourcesArgs",
    "InterPodAffinityArgs",
    "NodeAffinityArgs",
    "NodeResourcesBalancedAllocationArgs",
    "NodeResourcesFitArgs",
    "PodTopologySpreadArgs",
    "RequestedToCapacityRatio",
    "ResourceSpec",
    "ScoringStrategy",
    "ShapePoint",
    "VolumeBindingArgs",
]


class Args(Struct):
    """The document of one plugin. Those of plugins that take none are of this type itself."""

    api_version: str = ""
    kind: str = ""


class ResourceSpec(Struct, kw_only=False):
    name: str = ""
    weight: int = 1


class ShapePoint(Struct, kw_only=False):
    utilization: int = 0
    score: int = 0


class RequestedToCapacityRatio(Struct):
    shape: tuple[ShapePoint, ...] = ()


CPU_AND_MEMORY = (ResourceSpec("cpu"), ResourceSpec("memory"))


class ScoringStrategy(Struct):
    type: str = "LeastAllocated"
    resources: tuple[ResourceSpec, ...] = CPU_AND_MEMORY
    requested_to_capacity_ratio: RequestedToCapacityRatio | None = None


class NodeResourcesFitArgs(Args):
    ignored_resources: tuple[str, ...] = ()
    ignored_resource_groups: tuple[str, ...] = ()
    scoring_strategy: ScoringStrategy = ScoringStrategy()


class NodeResourcesBalancedAllocationArgs(Args):
    resources: tuple[ResourceSpec, ...] = CPU_AND_MEMORY


class NodeAffinityArgs(Args):
    added_affinity: NodeAffinity | None = None


class InterPodAffinityArgs(Args):
    hard_pod_affinity_weight: int = 1
    ignore_preferred_terms_of_existing_pods: bool = False


class PodTopologySpreadArgs(Args):
    default_constraints: tuple[TopologySpreadConstraint, ...] = ()
    defaulting_type: str = "System"


class DefaultPreemptionArgs(Args):
    """kcore always looks at every node; the two numbers are checked, and do nothing."""

    min_candidate_nodes_percentage: int = 10
    min_candidate_nodes_absolute: int = 100


class VolumeBindingArgs(Args):
    bind_timeout_seconds: int = 600
    shape: tuple[ShapePoint, ...] | None = None


class DynamicResourcesArgs(Args):
    filter_timeout: str | None = None
    binding_timeout: str | None = None
