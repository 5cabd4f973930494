"""The plugins that come with kcore: one file each, and this one list of them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kcore.api.policy_v1 import PodDisruptionBudget
from kcore.client.client import Client
from kcore.client.events import EventRecorder
from kcore.client.informer import Informers
from kcore.kit.clock import Chance, Clock
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.config.args import (
    Args,
    DefaultPreemptionArgs,
    DynamicResourcesArgs,
    InterPodAffinityArgs,
    NodeAffinityArgs,
    NodeResourcesBalancedAllocationArgs,
    NodeResourcesFitArgs,
    PodTopologySpreadArgs,
    VolumeBindingArgs,
)
from kcore.scheduler.framework import Plugin
from kcore.scheduler.plugins.default_binder import DefaultBinder
from kcore.scheduler.plugins.default_preemption import DefaultPreemption
from kcore.scheduler.plugins.dynamic_resources import DynamicResources
from kcore.scheduler.plugins.gang_scheduling import GangScheduling
from kcore.scheduler.plugins.image_locality import ImageLocality
from kcore.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from kcore.scheduler.plugins.node_affinity import NodeAffinity
from kcore.scheduler.plugins.node_name import NodeName
from kcore.scheduler.plugins.node_ports import NodePorts
from kcore.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from kcore.scheduler.plugins.node_resources_fit import NodeResourcesFit
from kcore.scheduler.plugins.node_unschedulable import NodeUnschedulable
from kcore.scheduler.plugins.node_volume_limits import NodeVolumeLimits
from kcore.scheduler.plugins.pod_topology_spread import PodTopologySpread
from kcore.scheduler.plugins.priority_sort import PrioritySort
from kcore.scheduler.plugins.scheduling_gates import SchedulingGates
from kcore.scheduler.plugins.taint_toleration import TaintToleration
from kcore.scheduler.plugins.volume_binding import VolumeBinding
from kcore.scheduler.plugins.volume_restrictions import VolumeRestrictions
from kcore.scheduler.plugins.volume_zone import VolumeZone
from kcore.scheduler.siblings import Siblings
from kcore.scheduler.volumes import Volumes
from kcore.scheduler.waiting import WaitingPods

__all__ = ["DEFAULT_PLUGINS", "Entry", "Handle"]


class Handle(NamedTuple):
    """What plugins are made with."""

    client: Client
    cache: SchedulerCache
    clock: Clock
    chance: Chance
    informers: Informers
    recorder: EventRecorder
    waiting: WaitingPods
    volumes: Volumes


class Entry(NamedTuple):
    """A plugin: how it is made of a handle and its args, what those are (None: any JSON), how much its score counts."""

    name: str
    make: Callable[[Handle, Any], Plugin]
    weight: int = 0
    args: type[Args] | None = Args
    is_given: bool = False
    """Whether it was named on the command line."""

    def no_args(self) -> Any:
        """What it is made with where nothing is configured."""
        return self.args() if self.args is not None else {}


def _default_preemption(handle: Handle, args: Args) -> Plugin:
    budgets = handle.informers.of(PodDisruptionBudget)
    return DefaultPreemption(handle.cache, budgets.values, handle.recorder, handle.clock)


def _dynamic_resources(handle: Handle, args: DynamicResourcesArgs) -> Plugin:
    return DynamicResources(
        handle.informers, handle.cache, handle.client, handle.clock, handle.chance, handle.recorder, args
    )


def _volume_binding(handle: Handle, args: VolumeBindingArgs) -> Plugin:
    return VolumeBinding(handle.volumes, handle.cache, handle.client, args.bind_timeout_seconds)


# In upstream's order, which is the order in which filters are asked; the first refusal is the one that is told.
DEFAULT_PLUGINS: tuple[Entry, ...] = (
    Entry("SchedulingGates", lambda handle, args: SchedulingGates()),
    Entry("PrioritySort", lambda handle, args: PrioritySort()),
    Entry("NodeUnschedulable", lambda handle, args: NodeUnschedulable()),
    Entry("NodeName", lambda handle, args: NodeName()),
    Entry("TaintToleration", lambda handle, args: TaintToleration(), 3),
    Entry("NodeAffinity", lambda handle, args: NodeAffinity(args), 2, NodeAffinityArgs),
    Entry("NodePorts", lambda handle, args: NodePorts()),
    Entry("NodeResourcesFit", lambda handle, args: NodeResourcesFit(args, handle.cache), 1, NodeResourcesFitArgs),
    Entry("VolumeRestrictions", lambda handle, args: VolumeRestrictions(handle.cache.columns, handle.volumes)),
    Entry("NodeVolumeLimits", lambda handle, args: NodeVolumeLimits(handle.volumes)),
    Entry("VolumeBinding", _volume_binding, 0, VolumeBindingArgs),
    Entry("VolumeZone", lambda handle, args: VolumeZone(handle.volumes)),
    Entry(
        "PodTopologySpread",
        lambda handle, args: PodTopologySpread(Siblings(handle.informers), args),
        2,
        PodTopologySpreadArgs,
    ),
    Entry(
        "InterPodAffinity",
        lambda handle, args: InterPodAffinity(handle.cache.columns, handle.informers, args),
        2,
        InterPodAffinityArgs,
    ),
    Entry(
        "DynamicResources",
        _dynamic_resources,
        0,
        DynamicResourcesArgs,
    ),
    Entry("DefaultPreemption", _default_preemption, 0, DefaultPreemptionArgs),
    Entry(
        "NodeResourcesBalancedAllocation",
        lambda handle, args: NodeResourcesBalancedAllocation(args),
        1,
        NodeResourcesBalancedAllocationArgs,
    ),
    Entry("ImageLocality", lambda handle, args: ImageLocality(handle.cache.columns), 1),
    # kcore's own: does nothing for pods that name no group.
    Entry("GangScheduling", lambda handle, args: GangScheduling(handle.informers, handle.cache, handle.waiting)),
    Entry("DefaultBinder", lambda handle, args: DefaultBinder(handle.client)),
)
