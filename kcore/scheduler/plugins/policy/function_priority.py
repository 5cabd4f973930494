"""A priority that is a function of a pod and a node, as in the first schedulers."""

from __future__ import annotations

from collections.abc import Callable

from kcore.api.core_v1 import Node, Pod
from kcore.scheduler.framework import MAX_NODE_SCORE, CycleState
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo

__all__ = ["FunctionPriority", "PriorityFunction"]

POINTS = 10

PriorityFunction = Callable[[Pod, Node], int]
"""Points from 0 to 10."""


class FunctionPriority:
    """Asks the function about each node; what it looks at is its own affair, so nothing is shared between pods."""

    def __init__(self, name: str, function: PriorityFunction) -> None:
        self.name = name
        self._function = function

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        assert node.node is not None
        return min(max(int(self._function(pod.pod, node.node)), 0), POINTS) * (MAX_NODE_SCORE // POINTS)
