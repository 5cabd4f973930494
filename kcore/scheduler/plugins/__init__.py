"""The plugins of the default profile: one file each, and this one list of them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kcore.api.policy_v1 import PodDisruptionBudget
from kcore.client.client import Client
from kcore.client.events import EventRecorder
from kcore.client.informer import Informers
from kcore.kit.clock import Chance, Clock
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.framework import Plugin
from kcore.scheduler.plugins.default_binder import DefaultBinder
from kcore.scheduler.plugins.default_preemption import DefaultPreemption
from kcore.scheduler.plugins.image_locality import ImageLocality
from kcore.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from kcore.scheduler.plugins.node_affinity import NodeAffinity
from kcore.scheduler.plugins.node_name import NodeName
from kcore.scheduler.plugins.node_ports import NodePorts
from kcore.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from kcore.scheduler.plugins.node_resources_fit import NodeResourcesFit
from kcore.scheduler.plugins.node_unschedulable import NodeUnschedulable
from kcore.scheduler.plugins.pod_topology_spread import PodTopologySpread
from kcore.scheduler.plugins.priority_sort import PrioritySort
from kcore.scheduler.plugins.scheduling_gates import SchedulingGates
from kcore.scheduler.plugins.taint_toleration import TaintToleration
from kcore.scheduler.plugins.volume_restrictions import VolumeRestrictions
from kcore.scheduler.siblings import Siblings
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


class Entry(NamedTuple):
    """How a plugin is made, and how much its score counts."""

    make: Callable[[Handle], Plugin]
    weight: int = 0


def _default_preemption(handle: Handle) -> Plugin:
    budgets = handle.informers.of(PodDisruptionBudget)
    return DefaultPreemption(handle.cache, budgets.values, handle.recorder, handle.clock)


# In upstream's order, which is the order in which filters are asked; the first refusal is the one that is told.
DEFAULT_PLUGINS: tuple[Entry, ...] = (
    Entry(lambda handle: SchedulingGates()),
    Entry(lambda handle: PrioritySort()),
    Entry(lambda handle: NodeUnschedulable()),
    Entry(lambda handle: NodeName()),
    Entry(lambda handle: TaintToleration(), weight=3),
    Entry(lambda handle: NodeAffinity(), weight=2),
    Entry(lambda handle: NodePorts()),
    Entry(lambda handle: NodeResourcesFit(), weight=1),
    Entry(lambda handle: VolumeRestrictions()),
    Entry(lambda handle: PodTopologySpread(Siblings(handle.informers)), weight=2),
    Entry(lambda handle: InterPodAffinity(handle.cache.columns, handle.informers), weight=2),
    Entry(_default_preemption),
    Entry(lambda handle: NodeResourcesBalancedAllocation(), weight=1),
    Entry(lambda handle: ImageLocality(handle.cache.columns), weight=1),
    Entry(lambda handle: DefaultBinder(handle.client)),
)
