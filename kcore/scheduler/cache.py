"""What the scheduler believes of the cluster: nodes, and the pods on them, including those it has just placed itself.

A pod is *assumed* from the moment a node was chosen until the informer shows it there, so that the next decision
counts it already. An assumption ends by `forget` (the bind failed), by the pod's appearance, or by its deletion. It
does not end by itself: who has bound the pod asks now and then what is `overdue`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from kcore.api.core_v1 import Node, Pod
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import Backend, backend_for

__all__ = ["CacheStatistics", "SchedulerCache"]


class CacheStatistics(NamedTuple):
    nodes: int
    pods: int
    assumed: int


class SchedulerCache:
    """Nodes and the pods on them, with the columns that mirror them."""

    def __init__(self, choose: Callable[[int], Backend] = backend_for) -> None:
        self.columns = NodeColumns(choose)
        self._nodes: dict[str, NodeInfo] = {}
        self._node_of: dict[str, NodeInfo] = {}
        self._assumed: dict[str, float] = {}
        """When each of these was bound; infinity: not yet."""
        self._priorities: Counter[int] = Counter()

    def __getitem__(self, node_name: str) -> NodeInfo:
        return self._nodes[node_name]

    def get(self, node_name: str) -> NodeInfo | None:
        """The node of that name, if it is one that exists."""
        info = self._nodes.get(node_name)
        return info if info is not None and info.node is not None else None

    def statistics(self) -> CacheStatistics:
        return CacheStatistics(self.columns.count, len(self._node_of), len(self._assumed))

    def set_node(self, node: Node) -> None:
        """A node is new or has changed."""
        info = self._info(node.metadata.name)
        before = info.images
        info.set_node(node)
        self.columns.count_images(before, info.images)
        self.columns.describe(info)

    def remove_node(self, name: str) -> None:
        """A node is gone. Its pods stay counted, should it come back before they are deleted."""
        info = self._nodes.get(name)
        if info is None or info.node is None:
            return
        self.columns.free(info.row)
        self.columns.count_images(info.images, {})
        info.images = {}
        info.node = None
        info.row = -1
        if not info.pods:
            del self._nodes[name]

    def set_pod(self, pod: Pod) -> None:
        """A pod is on the node that its spec names."""
        uid = pod.metadata.uid
        standing = self._node_of.get(uid)
        self._assumed.pop(uid, None)
        if standing is not None:
            known = standing.pods[uid]
            there = standing.name == pod.spec.node_name and uid not in standing.ghosts
            if there and not known.differs(pod):  # only the object is newer
                standing.pods[uid] = known.renewed(pod)
                return
            self._take_off(uid)
        self._put(PodInfo(pod), pod.spec.node_name)

    def remove_pod(self, uid: str) -> None:
        """A pod is gone, or has ended."""
        self._assumed.pop(uid, None)
        if uid in self._node_of:
            self._take_off(uid)

    def assume(self, pod: PodInfo, node_name: str) -> None:
        """Count a pod where it is going to be bound."""
        assert pod.uid not in self._node_of, f"pod {pod.key} is on a node already"
        self._put(pod, node_name)
        self._assumed[pod.uid] = math.inf

    def bound(self, uid: str, now: float) -> None:
        """A pod was bound where it is assumed."""
        if uid in self._assumed:
            self._assumed[uid] = now

    def overdue(self, since: float) -> list[PodInfo]:
        """Those that were bound before a time and have not been seen on their nodes."""
        uids = [uid for uid, bound in self._assumed.items() if bound <= since]
        return [self._node_of[uid].pods[uid] for uid in uids]

    def is_assumed(self, uid: str) -> bool:
        return uid in self._assumed

    def forget(self, uid: str) -> None:
        """An assumed pod was not bound after all."""
        if uid in self._assumed:
            del self._assumed[uid]
            self._take_off(uid)

    def nominate(self, pod: PodInfo, node_name: str) -> None:
        """Keep room for a pod that waits for its victims to leave. Other pods see it as if it were there already."""
        self._put(pod, node_name)
        self._nodes[node_name].ghosts.add(pod.uid)

    def withdraw(self, uid: str) -> str:
        """Keep room no longer; the node where it was kept, if there was any."""
        info = self._node_of.get(uid)
        if info is None or uid not in info.ghosts:
            return ""
        self._take_off(uid)
        return info.name

    @contextmanager
    def without(self, uid: str) -> Iterator[None]:
        """Look at the cluster as if a pod had no node."""
        info = self._node_of.get(uid)
        if info is None:
            yield
            return
        pod, was_ghost = info.pods[uid], uid in info.ghosts
        self._take_off(uid)
        try:
            yield
        finally:
            self._put(pod, info.name)
            if was_ghost:
                self._nodes[info.name].ghosts.add(uid)

    def lowest_priority(self) -> int:
        """The least important pod's priority: nobody of that priority or lower can preempt."""
        return min(self._priorities, default=2**31)

    def is_placed(self, uid: str) -> bool:
        """Whether a pod is on a node, or assumed there."""
        return uid in self._node_of

    def _info(self, name: str) -> NodeInfo:
        info = self._nodes.get(name)
        if info is None:
            info = self._nodes[name] = NodeInfo(name, -1)
        if info.row < 0:
            info.row = self.columns.claim()
        return info

    def _put(self, pod: PodInfo, node_name: str) -> None:
        info = self._nodes.get(node_name)
        if info is None:
            info = self._nodes[node_name] = NodeInfo(node_name, -1)
        info.add(pod)
        self._node_of[pod.uid] = info
        self._priorities[pod.priority] += 1
        self._tally(pod, info, 1)
        if info.node is not None:
            self.columns.recount(info)

    def _take_off(self, uid: str) -> None:
        info = self._node_of.pop(uid)
        self._uncount(info.pods[uid].priority)
        self._tally(info.pods[uid], info, -1)
        info.remove(uid)
        if info.node is not None:
            self.columns.recount(info)
        elif not info.pods:
            del self._nodes[info.name]

    def _tally(self, pod: PodInfo, info: NodeInfo, change: int) -> None:
        self.columns.kins.count(pod.kin, info, change)
        for term in pod.terms:
            self.columns.terms.count(term, info, change)
        for claim in pod.claims:
            self.columns.claims.count(claim, info, change)

    def _uncount(self, priority: int) -> None:
        self._priorities[priority] -= 1
        if not self._priorities[priority]:
            del self._priorities[priority]
