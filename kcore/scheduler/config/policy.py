"""Policy files: predicates and priorities by the names that the first schedulers gave them.

    kind: Policy
    apiVersion: v1
    predicates:
    - name: PodFitsResources
    - name: OnlyWithDisks
      argument: {labelsPresence: {labels: [disk], presence: true}}
    priorities:
    - {name: LeastRequestedPriority, weight: 1}
    - {name: Favour, weight: 2, argument: {labelPreference: {label: fast, presence: true}}}

An argument decides what a predicate or priority is, and its name is then free to choose. Where a policy does not speak
of predicates at all, the first five of the table hold; of priorities, the first three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kcore.api.schema import Struct
from kcore.scheduler.config.args import (
    InterPodAffinityArgs,
    NodeResourcesFitArgs,
    RequestedToCapacityRatio,
    ScoringStrategy,
    ShapePoint,
)
from kcore.scheduler.config.errors import ConfigurationError
from kcore.scheduler.config.loading import decode, read_tree
from kcore.scheduler.config.plan import Plan, ProfilePlan
from kcore.scheduler.config.registry import load_object
from kcore.scheduler.config.types import Extender, PluginRef, Plugins, PluginSet
from kcore.scheduler.framework import Plugin
from kcore.scheduler.plugins import Entry, Handle
from kcore.scheduler.plugins.policy.function_priority import FunctionPriority, PriorityFunction
from kcore.scheduler.plugins.policy.node_label import NodeLabelPreference, NodeLabelPresence
from kcore.scheduler.plugins.policy.resource_priorities import BalancedResources, LeastRequested
from kcore.scheduler.plugins.policy.services import ServiceAffinity, ServiceAntiAffinity, Services, ServiceSpreading
from kcore.scheduler.profile import DEFAULT_SCHEDULER_NAME

__all__ = ["PREDICATES", "PRIORITIES", "load_policy", "parse_policy", "register_priority"]

PREDICATES: Mapping[str, Sequence[str]] = {
    "NoDiskConflict": ("VolumeRestrictions",),
    "PodFitsResources": ("NodeResourcesFit",),
    "PodSelectorMatches": ("NodeAffinity",),
    "PodFitsHost": ("NodeName",),
    "PodFitsPorts": ("NodePorts",),
    "MatchNodeSelector": ("NodeAffinity",),
    "HostName": ("NodeName",),
    "PodFitsHostPorts": ("NodePorts",),
    "GeneralPredicates": ("NodeResourcesFit", "NodeName", "NodePorts", "NodeAffinity"),
    "PodToleratesNodeTaints": ("TaintToleration",),
    "CheckNodeUnschedulable": ("NodeUnschedulable",),
    "MaxCSIVolumeCountPred": ("NodeVolumeLimits",),
    "NoVolumeZoneConflict": ("VolumeZone",),
    "CheckVolumeBinding": ("VolumeBinding",),
    "EvenPodsSpreadPred": ("PodTopologySpread",),
    "MatchInterPodAffinity": ("InterPodAffinity",),
}
"""Which plugins filter by each name."""
DEFAULT_PREDICATES = tuple(PREDICATES)[:5]
ENDS = ("SchedulingGates", "PrioritySort", "DefaultPreemption", "DefaultBinder")
"""What begins and ends a cycle, whatever a policy says."""
MANDATORY = ("NodeUnschedulable", "TaintToleration")
"""What filters whatever a policy says: no pod goes to a node that is not ready for it."""


def _plain(make: Callable[[str], Plugin]) -> Callable[[str, Handle], Plugin]:
    return lambda name, handle: make(name)


PRIORITIES: Mapping[str, str | Callable[[str, Handle], Plugin]] = {
    "LeastRequestedPriority": _plain(LeastRequested),
    "BalancedResourceAllocation": _plain(BalancedResources),
    "ServiceSpreadingPriority": lambda name, handle: ServiceSpreading(name, Services(handle.informers)),
    "EqualPriority": _plain(lambda name: FunctionPriority(name, lambda pod, node: 1)),
    "NodeAffinityPriority": "NodeAffinity",
    "TaintTolerationPriority": "TaintToleration",
    "ImageLocalityPriority": "ImageLocality",
    "InterPodAffinityPriority": "InterPodAffinity",
    "EvenPodsSpreadPriority": "PodTopologySpread",
}
"""Which plugin scores by each name, or how one is made for it."""
DEFAULT_PRIORITIES = tuple(PRIORITIES)[:3]
BY_ARGUMENT = {
    "CheckNodeLabelPresence": "labelsPresence",
    "CheckServiceAffinity": "serviceAffinity",
    "CalculateNodeLabelPriority": "labelPreference",
}
"""Names that need an argument, and which."""

_registered: dict[str, PriorityFunction] = {}


def register_priority(name: str, function: PriorityFunction) -> None:
    """Let policies name a function of a pod and a node, which gives points from 0 to 10."""
    _registered[name] = function


class LabelsPresence(Struct):
    labels: tuple[str, ...] = ()
    presence: bool = False


class ServiceAffinityArgument(Struct):
    labels: tuple[str, ...] = ()


class PredicateArgument(Struct):
    labels_presence: LabelsPresence | None = None
    service_affinity: ServiceAffinityArgument | None = None


class PredicatePolicy(Struct):
    name: str = ""
    argument: PredicateArgument | None = None


class LabelPreference(Struct):
    label: str = ""
    presence: bool = False


class ServiceAntiAffinityArgument(Struct):
    label: str = ""


class RatioArgument(Struct):
    shape: tuple[ShapePoint, ...] = ()


class PriorityArgument(Struct):
    label_preference: LabelPreference | None = None
    service_anti_affinity: ServiceAntiAffinityArgument | None = None
    requested_to_capacity_ratio_arguments: RatioArgument | None = None
    function: str = ""


class PriorityPolicy(Struct):
    name: str = ""
    weight: int = 0
    argument: PriorityArgument | None = None


class Policy(Struct):
    api_version: str = "v1"
    kind: str = "Policy"
    predicates: tuple[PredicatePolicy, ...] | None = None
    priorities: tuple[PriorityPolicy, ...] | None = None
    extenders: tuple[Extender, ...] = ()
    always_check_all_predicates: bool = False
    hard_pod_affinity_symmetric_weight: int = 1


class _Chosen(NamedTuple):
    """A plugin at one of the two points where a policy chooses."""

    entry: Entry
    args: Any
    weight: int = 0


def load_policy(path: Path, registry: Mapping[str, Entry]) -> Plan:
    """What a Policy file says. Raises ConfigurationError."""
    try:
        return parse_policy(read_tree(path), registry)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def parse_policy(tree: Any, registry: Mapping[str, Entry]) -> Plan:
    """What a document says."""
    if not isinstance(tree, Mapping) or tree.get("kind", "Policy") != "Policy":
        raise ConfigurationError("the document is no Policy")
    policy = decode(Policy, tree, "")
    filters = _filters(policy.predicates, registry)
    scores = _scores(policy.priorities, registry)
    ends = [_plain_choice(name, registry) for name in ENDS]
    plugins: dict[str, tuple[Entry, Any]] = {}
    for chosen in (*ends, *filters, *scores):
        if chosen.entry.name not in plugins or chosen.args != chosen.entry.no_args():
            plugins[chosen.entry.name] = (chosen.entry, chosen.args)
    if "InterPodAffinity" in plugins:
        args = InterPodAffinityArgs(hard_pod_affinity_weight=policy.hard_pod_affinity_symmetric_weight)
        plugins["InterPodAffinity"] = (registry["InterPodAffinity"], args)
    sets = Plugins(
        pre_enqueue=_set(ends[:1]),
        queue_sort=_set(ends[1:2]),
        filter=_set(filters),
        post_filter=_set(ends[2:3]),
        score=_set(scores),
        bind=_set(ends[3:]),
    )
    profile = ProfilePlan(DEFAULT_SCHEDULER_NAME, list(plugins.values()), sets, prepares=True)
    return Plan([profile], policy.extenders)


def _set(chosen: Iterable[_Chosen]) -> PluginSet:
    refs = {one.entry.name: PluginRef(name=one.entry.name, weight=one.weight) for one in chosen}
    return PluginSet(enabled=tuple(refs.values()))


def _plain_choice(name: str, registry: Mapping[str, Entry], weight: int = 0) -> _Chosen:
    return _Chosen(registry[name], registry[name].no_args(), weight)


def _filters(given: Sequence[PredicatePolicy] | None, registry: Mapping[str, Entry]) -> list[_Chosen]:
    predicates = [PredicatePolicy(name=name) for name in DEFAULT_PREDICATES] if given is None else given
    chosen = [_plain_choice(name, registry) for name in MANDATORY]
    for predicate in predicates:
        chosen.extend(_filter(predicate, registry))
    return chosen


def _filter(predicate: PredicatePolicy, registry: Mapping[str, Entry]) -> Iterable[_Chosen]:
    name, argument = predicate.name, predicate.argument or PredicateArgument()
    if argument.labels_presence is not None:
        presence = argument.labels_presence
        return [_made(name, lambda handle, args: NodeLabelPresence(name, presence.labels, presence.presence))]
    if argument.service_affinity is not None:
        labels = argument.service_affinity.labels
        return [
            _made(name, lambda handle, args: ServiceAffinity(name, labels, Services(handle.informers), handle.cache))
        ]
    if name in PREDICATES:
        return [_plain_choice(plugin, registry) for plugin in PREDICATES[name]]
    if name in registry:
        return [_plain_choice(name, registry)]
    raise _unknown("predicate", name, (*PREDICATES, "CheckNodeLabelPresence", "CheckServiceAffinity"))


def _scores(given: Sequence[PriorityPolicy] | None, registry: Mapping[str, Entry]) -> list[_Chosen]:
    if given is None:
        given = [PriorityPolicy(name=name, weight=1) for name in DEFAULT_PRIORITIES]
    for priority in given:
        if priority.weight <= 0:
            name = priority.name
            raise ConfigurationError(f"priority {name} should have a positive weight applied to it or it has overflown")
    return [_score(priority, registry) for priority in given]


def _score(priority: PriorityPolicy, registry: Mapping[str, Entry]) -> _Chosen:
    name, weight, argument = priority.name, priority.weight, priority.argument or PriorityArgument()
    if argument.label_preference is not None:
        preference = argument.label_preference
        return _made(
            name, lambda handle, args: NodeLabelPreference(name, preference.label, preference.presence), weight
        )
    if argument.service_anti_affinity is not None:
        label = argument.service_anti_affinity.label
        return _made(name, lambda handle, args: ServiceAntiAffinity(name, label, Services(handle.informers)), weight)
    if argument.requested_to_capacity_ratio_arguments is not None:
        ratio = RequestedToCapacityRatio(shape=argument.requested_to_capacity_ratio_arguments.shape)
        strategy = ScoringStrategy(type="RequestedToCapacityRatio", requested_to_capacity_ratio=ratio)
        return _Chosen(registry["NodeResourcesFit"], NodeResourcesFitArgs(scoring_strategy=strategy), weight)
    function = load_object(argument.function) if argument.function else _registered.get(name)
    if function is not None:
        return _made(name, lambda handle, args: FunctionPriority(name, function), weight)
    known = PRIORITIES.get(name)
    if known is None and name in registry:
        known = name
    if isinstance(known, str):
        return _plain_choice(known, registry, weight)
    if known is None:
        raise _unknown("priority", name, (*PRIORITIES, "CalculateNodeLabelPriority", *_registered))
    return _made(name, lambda handle, args: known(name, handle), weight)


def _made(name: str, make: Callable[[Handle, Any], Plugin], weight: int = 0) -> _Chosen:
    return _Chosen(Entry(name, make, weight, None), {}, weight)


def _unknown(what: str, name: str, known: Iterable[str]) -> ConfigurationError:
    if name in BY_ARGUMENT:
        return ConfigurationError(f"{what} {name} needs an argument: {BY_ARGUMENT[name]}")
    return ConfigurationError(f"unknown {what} {name!r}; there are {', '.join(known)}")
