"""What is wrong with a KubeSchedulerConfiguration: upstream's rules, in its words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kcore.api.core_v1 import NodeAffinity, TopologySpreadConstraint
from kcore.api.duration import DurationError, seconds
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from kcore.api.names import label_key
from kcore.registry.validation.labels import validate_node_selector
from kcore.scheduler.config.args import (
    Args,
    DefaultPreemptionArgs,
    DynamicResourcesArgs,
    InterPodAffinityArgs,
    NodeAffinityArgs,
    NodeResourcesBalancedAllocationArgs,
    NodeResourcesFitArgs,
    PodTopologySpreadArgs,
    ResourceSpec,
    ShapePoint,
    VolumeBindingArgs,
)
from kcore.scheduler.config.types import (
    API_VERSION,
    Extender,
    KubeSchedulerConfiguration,
    KubeSchedulerProfile,
    Plugins,
)

__all__ = ["validate_args", "validate_configuration"]

REMOVED = ("AzureDiskLimits", "CinderLimits", "EBSLimits", "GCEPDLimits")
STRATEGIES = ("LeastAllocated", "MostAllocated", "RequestedToCapacityRatio")
ACTIONS = ("DoNotSchedule", "ScheduleAnyway")
MOST_SHAPE_SCORE = 10


def validate_configuration(config: KubeSchedulerConfiguration) -> Iterator[FieldError]:
    """All but the args of plugins."""
    root = Path("")
    if config.leader_election.leader_elect and config.leader_election.resource_lock != "leases":
        lock = config.leader_election.resource_lock
        yield invalid(root / "leaderElection" / "resourceLock", lock, 'resourceLock value must be "leases"')
    if config.parallelism <= 0:
        yield invalid(root / "parallelism", config.parallelism, "should be an integer value greater than zero")
    yield from _profiles(config.profiles, root / "profiles")
    yield from _percentage(config.percentage_of_nodes_to_score, root / "percentageOfNodesToScore")
    if config.pod_initial_backoff_seconds <= 0:
        yield invalid(root / "podInitialBackoffSeconds", config.pod_initial_backoff_seconds, "must be greater than 0")
    if config.pod_max_backoff_seconds < config.pod_initial_backoff_seconds:
        detail = "must be greater than or equal to PodInitialBackoffSeconds"
        yield invalid(root / "podMaxBackoffSeconds", config.pod_max_backoff_seconds, detail)
    yield from _extenders(config.extenders, root / "extenders")


def _profiles(profiles: Sequence[KubeSchedulerProfile], path: Path) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, profile in enumerate(profiles):
        yield from _profile(profile, path @ index)
        if profile.scheduler_name in seen:
            yield duplicate(path @ index / "schedulerName", profile.scheduler_name)
        seen.add(profile.scheduler_name)
    yield from _common_queue_sort(profiles, path)


def _profile(profile: KubeSchedulerProfile, path: Path) -> Iterator[FieldError]:
    if not profile.scheduler_name:
        yield required(path / "schedulerName")
    yield from _percentage(profile.percentage_of_nodes_to_score, path / "percentageOfNodesToScore")
    yield from _removed_plugins(profile.plugins or Plugins(), path / "plugins")
    seen: set[str] = set()
    for index, config in enumerate(profile.plugin_config):
        if config.name in seen:
            yield duplicate(path / "pluginConfig" @ index, config.name)
        seen.add(config.name)
        if config.name in REMOVED:
            yield invalid(path / "pluginConfig" @ index, config.name, _was_removed())


def _removed_plugins(plugins: Plugins, path: Path) -> Iterator[FieldError]:
    for point in Plugins.__struct_fields__:
        wire = Plugins.__struct_encode_fields__[Plugins.__struct_fields__.index(point)]
        for index, plugin in enumerate(getattr(plugins, point).enabled):
            if plugin.name in REMOVED:
                yield invalid(path / wire / "enabled" @ index, plugin.name, _was_removed())


def _was_removed() -> str:
    return f'was invalid in version "{API_VERSION}" (KubeSchedulerConfiguration is version "{API_VERSION}")'


def _common_queue_sort(profiles: Sequence[KubeSchedulerProfile], path: Path) -> Iterator[FieldError]:
    """Profiles share one queue, and so its order."""
    sorts = [(profile.plugins or Plugins()).queue_sort for profile in profiles]
    if sorts and len(sorts[0].enabled) > 1:
        at = path @ 0 / "plugins" / "queueSort" / "Enabled"
        yield invalid(at, len(sorts[0].enabled), "only one queue sort plugin can be enabled")
    for index, sort in enumerate(sorts):
        if sort != sorts[0]:
            yield invalid(path @ index / "plugins" / "queueSort", sort, "must be the same for all profiles")


def _percentage(value: int | None, path: Path) -> Iterator[FieldError]:
    if value is not None and not 0 <= value <= 100:
        yield invalid(path, value, "not in valid range [0-100]")


def _extenders(extenders: Sequence[Extender], path: Path) -> Iterator[FieldError]:
    managed: set[str] = set()
    for index, extender in enumerate(extenders):
        if extender.prioritize_verb and extender.weight <= 0:
            yield invalid(path @ index / "weight", extender.weight, "must have a positive weight applied to it")
        for number, resource in enumerate(extender.managed_resources):
            at = path @ index / "managedResources" @ number / "name"
            errors = label_key(resource.name)
            yield from [invalid(at, resource.name, error) for error in errors]
            if not errors and not _is_extended(resource.name):
                yield invalid(at, resource.name, "is an invalid extended resource name")
            if resource.name in managed:
                yield invalid(at, resource.name, "duplicate extender managed resource name")
            managed.add(resource.name)
    binders = sum(bool(extender.bind_verb) for extender in extenders)
    if binders > 1:
        value = f"found {binders} extenders implementing bind"
        yield invalid(path, value, "only one extender can implement bind")


def _is_extended(name: str) -> bool:
    domain, slash, _ = name.partition("/")
    return bool(slash) and domain != "kubernetes.io" and not domain.endswith(".kubernetes.io")


def validate_args(name: str, args: Args, path: Path) -> Iterator[FieldError]:
    """The args of one plugin."""
    validate = VALIDATORS.get(name)
    return iter(()) if validate is None else validate(args, path)


def _default_preemption(args: DefaultPreemptionArgs, path: Path) -> Iterator[FieldError]:
    percentage, absolute = args.min_candidate_nodes_percentage, args.min_candidate_nodes_absolute
    if not 0 <= percentage <= 100:
        yield invalid(path / "minCandidateNodesPercentage", percentage, "not in valid range [0, 100]")
    if absolute < 0:
        yield invalid(path / "minCandidateNodesAbsolute", absolute, "not in valid range [0, inf)")
    if percentage == absolute == 0:
        for field, other in (("Percentage", "Absolute"), ("Absolute", "Percentage")):
            detail = f"cannot be zero at the same time as minCandidateNodes{other}"
            yield invalid(path / f"minCandidateNodes{field}", 0, detail)


def _inter_pod_affinity(args: InterPodAffinityArgs, path: Path) -> Iterator[FieldError]:
    if not 0 <= args.hard_pod_affinity_weight <= 100:
        yield invalid(path / "hardPodAffinityWeight", args.hard_pod_affinity_weight, "not in valid range [0, 100]")


def _node_affinity(args: NodeAffinityArgs, path: Path) -> Iterator[FieldError]:
    added, path = args.added_affinity or NodeAffinity(), path / "addedAffinity"
    if added.required_during_scheduling_ignored_during_execution is not None:
        at = path / "requiredDuringSchedulingIgnoredDuringExecution"
        yield from validate_node_selector(added.required_during_scheduling_ignored_during_execution, at)


def _balanced_allocation(args: NodeResourcesBalancedAllocationArgs, path: Path) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, resource in enumerate(args.resources):
        at = path / "resources" @ index
        if resource.name in seen:
            yield duplicate(at / "name", resource.name)
        seen.add(resource.name)
        if resource.weight != 1:
            yield invalid(at / "weight", resource.weight, "must be 1")


def _resources_fit(args: NodeResourcesFitArgs, path: Path) -> Iterator[FieldError]:
    for index, name in enumerate(args.ignored_resources):
        yield from [invalid(path / "ignoredResources" @ index, name, error) for error in label_key(name)]
    for index, group in enumerate(args.ignored_resource_groups):
        at = path / "ignoredResourceGroups" @ index
        if "/" in group:
            yield invalid(at, group, "resource group name can't contain '/'")
        yield from [invalid(at, group, error) for error in label_key(group)]
    strategy, path = args.scoring_strategy, path / "scoringStrategy"
    if strategy.type not in STRATEGIES:
        yield not_supported(path / "type", strategy.type, STRATEGIES)
    yield from _resources(strategy.resources, path / "resources")
    ratio, at = strategy.requested_to_capacity_ratio, path / "requestedToCapacityRatio"
    if strategy.type == "RequestedToCapacityRatio":
        if ratio is None:
            yield required(at, "must be specified when type is RequestedToCapacityRatio")
        else:
            yield from _shape(ratio.shape, at / "shape")
    elif ratio is not None:
        yield forbidden(at, "must be nil when type is not RequestedToCapacityRatio")


def _resources(resources: Iterable[ResourceSpec], path: Path) -> Iterator[FieldError]:
    for index, resource in enumerate(resources):
        if not 0 < resource.weight <= 100:
            detail = f"resource weight of {resource.name} not in valid range (0, 100]"
            yield invalid(path @ index / "weight", resource.weight, detail)


def _shape(shape: Sequence[ShapePoint], path: Path) -> Iterator[FieldError]:
    if not shape:
        yield required(path, "at least one point must be specified")
    for index in range(1, len(shape)):
        if shape[index - 1].utilization >= shape[index].utilization:
            detail = "values must be sorted in increasing order"
            yield invalid(path @ index / "utilization", shape[index].utilization, detail)
            break
    for index, point in enumerate(shape):
        if not 0 <= point.utilization <= 100:
            yield invalid(path @ index / "utilization", point.utilization, "not in valid range [0, 100]")
        if not 0 <= point.score <= MOST_SHAPE_SCORE:
            yield invalid(path @ index / "score", point.score, f"not in valid range [0, {MOST_SHAPE_SCORE}]")


def _topology_spread(args: PodTopologySpreadArgs, path: Path) -> Iterator[FieldError]:
    if args.defaulting_type not in ("System", "List"):
        yield not_supported(path / "defaultingType", args.defaulting_type, ("System", "List"))
    elif args.defaulting_type == "System" and args.default_constraints:
        yield invalid(path / "defaultingType", args.defaulting_type, "when .defaultConstraints are not empty")
    constraints, path = args.default_constraints, path / "defaultConstraints"
    for index, constraint in enumerate(constraints):
        yield from _constraint(constraint, path @ index)
        key = (constraint.topology_key, constraint.when_unsatisfiable)
        if key in [(other.topology_key, other.when_unsatisfiable) for other in constraints[:index]]:
            yield duplicate(path @ index, f"{{{key[0]}, {key[1]}}}")


def _constraint(constraint: TopologySpreadConstraint, path: Path) -> Iterator[FieldError]:
    if constraint.max_skew <= 0:
        yield invalid(path / "maxSkew", constraint.max_skew, "not in valid range (0, inf)")
    if not constraint.topology_key:
        yield required(path / "topologyKey", "can not be empty")
    else:
        errors = label_key(constraint.topology_key)
        yield from [invalid(path / "topologyKey", constraint.topology_key, error) for error in errors]
    if not constraint.when_unsatisfiable:
        yield required(path / "whenUnsatisfiable", "can not be empty")
    elif constraint.when_unsatisfiable not in ACTIONS:
        yield not_supported(path / "whenUnsatisfiable", constraint.when_unsatisfiable, ACTIONS)
    if constraint.label_selector is not None:
        detail = "constraint must not define a selector, as they deduced for each pod"
        yield forbidden(path / "labelSelector", detail)


def _volume_binding(args: VolumeBindingArgs, path: Path) -> Iterator[FieldError]:
    if args.bind_timeout_seconds < 0:
        detail = "invalid BindTimeoutSeconds, should not be a negative value"
        yield invalid(path / "bindTimeoutSeconds", args.bind_timeout_seconds, detail)
    if args.shape is not None:
        detail = "unexpected field `shape`, remove it or turn on the feature gate StorageCapacityScoring"
        yield invalid(path / "shape", args.shape, detail)


def _dynamic_resources(args: DynamicResourcesArgs, path: Path) -> Iterator[FieldError]:
    for name, given, least in (("filterTimeout", args.filter_timeout, 0), ("bindingTimeout", args.binding_timeout, 1)):
        if given is None:
            continue
        try:
            if seconds(given) < least:
                yield invalid(path / name, given, f"must be at least {least}s")
        except DurationError as error:
            yield invalid(path / name, given, str(error))


VALIDATORS: Mapping[str, Callable[[Any, Path], Iterator[FieldError]]] = {
    "DefaultPreemption": _default_preemption,
    "DynamicResources": _dynamic_resources,
    "InterPodAffinity": _inter_pod_affinity,
    "NodeAffinity": _node_affinity,
    "NodeResourcesBalancedAllocation": _balanced_allocation,
    "NodeResourcesFit": _resources_fit,
    "PodTopologySpread": _topology_spread,
    "VolumeBinding": _volume_binding,
}
