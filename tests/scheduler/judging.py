"""One plugin at a time, asked through the same evaluation as in the scheduler, shared and mended."""

from __future__ import annotations

from kcore.api.core_v1 import Node, Pod
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.evaluator import Evaluator
from kcore.scheduler.framework import Plugin, Status
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.profile import Profile
from kcore.scheduler.vector import Backend
from tests.scheduler.reference import Cluster

__all__ = ["Bench"]


class Sorter:
    """A queue needs an order."""

    name = "Sorter"

    def sort_key(self, pod: PodInfo, since: float) -> tuple[float]:
        return (since,)


class Bench:
    """A cluster as the scheduler knows it and as the reference does, and the plugin in question with weight 1."""

    def __init__(self, backend: Backend) -> None:
        self.cluster = Cluster()
        self.cache = SchedulerCache(lambda _: backend)
        self.evaluator = Evaluator(self.cache.columns)

    def use(self, *plugins: Plugin) -> None:
        self.profile = Profile([(Sorter(), 0), *[(plugin, 1) for plugin in plugins]])

    def set_node(self, node: Node) -> None:
        self.cluster.nodes[node.metadata.name] = node
        self.cache.set_node(node)

    def remove_node(self, name: str) -> None:
        self.cluster.nodes.pop(name, None)
        self.cache.remove_node(name)

    def set_pod(self, pod: Pod) -> None:
        self.cluster.pods[pod.metadata.uid] = pod
        self.cache.set_pod(pod)

    def remove_pod(self, uid: str) -> None:
        del self.cluster.pods[uid]
        self.cache.remove_pod(uid)

    def totals(self, pod: Pod) -> dict[str, int]:
        """The scores of the nodes that the pod fits."""
        totals = self.evaluator.evaluate(self.profile, PodInfo(pod)).totals
        return {self.cache.columns.node(row).name: int(total) for row, total in enumerate(totals) if total >= 0}

    def statuses(self, pod: Pod) -> dict[str, Status]:
        """What is said of the nodes that the pod does not fit."""
        return dict(self.evaluator.evaluate(self.profile, PodInfo(pod)).diagnose().statuses)

    def without(self, pod: Pod, node_name: str, gone: str) -> bool:
        """Whether the pod would fit a node that one pod had left: what preemption asks."""
        trial = self.cache[node_name].copy()
        trial.remove(gone)
        return self.evaluator.evaluate(self.profile, PodInfo(pod))(trial) is None
