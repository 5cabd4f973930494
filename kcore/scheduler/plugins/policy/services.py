"""CheckServiceAffinity, ServiceSpreadingPriority and `serviceAntiAffinity`: pods of one service together by label, or
apart by node, or by label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence

from kcore.api.core_v1 import Service
from kcore.client.informer import Informers
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.framework import (
    MAX_NODE_SCORE,
    UNSHARED,
    ClusterEvent,
    CycleState,
    Hint,
    PreFilterResult,
    Refusal,
    Status,
    unresolvable,
)
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import Kin, PodInfo
from kcore.scheduler.vector import Vector

__all__ = ["ServiceAffinity", "ServiceAntiAffinity", "ServiceSpreading", "Services"]

REASON = "node(s) didn't match service affinity"
POINTS = 10
BY_NAMESPACE = "namespace"

Selector = frozenset[tuple[str, str]]


class Services:
    """The selectors of services by the pods that they select."""

    def __init__(self, informers: Informers) -> None:
        self._services = informers.of(Service)
        self._services.add_index(BY_NAMESPACE, lambda service: (service.metadata.namespace,))

    def selectors(self, kin: Kin) -> list[Selector]:
        """Those of the services that select a pod, in a fixed order."""
        services = sorted(self._services.by_index(BY_NAMESPACE, kin.namespace), key=lambda one: one.metadata.name)
        selectors = [frozenset(service.spec.selector.items()) for service in services if service.spec.selector]
        return [selector for selector in selectors if selector <= kin.labels]


class ServiceAffinity:
    """The pods of a service go to nodes that have the same values of some labels: those of the node of the first of
    them, unless the pod's nodeSelector names others."""

    def __init__(self, name: str, labels: Sequence[str], services: Services, cache: SchedulerCache) -> None:
        self.name = name
        self._labels = tuple(labels)
        self._services = services
        self._cache = cache

    def sign(self, pod: PodInfo) -> Hashable:
        """Where the others are decides, so each pod is looked at by itself."""
        return UNSHARED if self._labels else None

    def pre_filter(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> PreFilterResult | None:
        state[self.name] = self._wanted(pod)
        return None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        assert node.node is not None
        wanted: Mapping[str, str] = state[self.name]
        return None if wanted.items() <= node.node.metadata.labels.items() else unresolvable(REASON)

    def filter_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Iterable[Refusal]:
        wanted: Mapping[str, str] = state[self.name]
        for key, value in wanted.items():
            yield Refusal(~columns.label(key).any_of((value,)), REASON, unresolvable=True)

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        pods = ClusterEvent.POD_ADDED | ClusterEvent.POD_DELETED | ClusterEvent.POD_UPDATED
        return {pods | ClusterEvent.NODE_ADDED | ClusterEvent.NODE_LABEL: None}

    def _wanted(self, pod: PodInfo) -> dict[str, str]:
        chosen = pod.pod.spec.node_selector
        wanted = {key: chosen[key] for key in self._labels if key in chosen}
        selectors = self._services.selectors(pod.kin)
        if len(wanted) == len(self._labels) or not selectors:
            return wanted
        first = self._first(pod.kin.namespace, selectors[0])
        if first is None or first.node is None:
            return wanted
        labels = first.node.metadata.labels
        return {key: labels[key] for key in self._labels if key in labels} | wanted

    def _first(self, namespace: str, selector: Selector) -> NodeInfo | None:
        """The node of the pod that a service has had the longest."""
        kins = self._cache.columns.kins
        nodes = {
            node
            for kin in kins
            if kin.namespace == namespace and selector <= kin.labels
            for node in kins.nodes(kin)
            if node.node is not None
        }
        pods = [(pod, node) for node in nodes for pod in node.pods.values() if selector <= pod.kin.labels]
        return min(pods, key=lambda one: (one[0].started, one[0].uid))[1] if pods else None


class ServiceSpreading:
    """The fewer pods of the same service a node has, the better."""

    def __init__(self, name: str, services: Services) -> None:
        self.name = name
        self._services = services

    def sign(self, pod: PodInfo) -> Hashable:
        return pod.kin.namespace, tuple(self._services.selectors(pod.kin))

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        counts = self._counter(pod)
        return sum([count for kin, count in node.kins.items() if counts(kin)])

    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector:
        counts, totals = self._counter(pod), columns.backend.ints(columns.size)
        for kin in columns.kins:
            if counts(kin):
                for node, count in columns.kins.nodes(kin).items():
                    if node.row >= 0:
                        totals[node.row] = int(totals[node.row]) + count
        return totals

    def normalize(self, scores: Vector, feasible: Vector, columns: NodeColumns) -> Vector:
        """Whole points from 0 for the node that has the most to 10 for those that have none."""
        most = columns.backend.maximum(columns.backend.where(feasible, scores, 0))
        if not most:
            return scores * 0 + MAX_NODE_SCORE
        return (most - scores) * POINTS // most * (MAX_NODE_SCORE // POINTS)

    def _counter(self, pod: PodInfo) -> _Counts:
        return _Counts(pod.kin.namespace, self._services.selectors(pod.kin))


class ServiceAntiAffinity:
    """The fewer pods of the pod's service there are in all where a label has the same value, the better; nodes without
    the label get nothing."""

    def __init__(self, name: str, label: str, services: Services) -> None:
        self.name = name
        self._label = label
        self._services = services

    def sign(self, pod: PodInfo) -> Hashable:
        """Where the others are decides, so each pod is looked at by itself."""
        return UNSHARED if self._services.selectors(pod.kin) else None

    def pre_score(self, state: CycleState, pod: PodInfo, columns: NodeColumns, feasible: Vector) -> Status | None:
        counts, kins = _Counts(pod.kin.namespace, self._services.selectors(pod.kin)[:1]), columns.kins
        totals: Counter[str | None] = Counter()
        for kin in kins:
            if counts(kin):
                for node, count in kins.nodes(kin).items():
                    totals[node.node.metadata.labels.get(self._label) if node.node is not None else None] += count
        state[self.name] = totals
        return None

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        assert node.node is not None
        return self._points(state[self.name], node.node.metadata.labels.get(self._label))

    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector:
        return columns.label(self._label).count(lambda value: self._points(state[self.name], value))

    def _points(self, totals: Counter[str | None], value: str | None) -> int:
        if value is None:
            return 0
        every = totals.total()
        points = POINTS * (every - totals[value]) // every if every else POINTS
        return points * (MAX_NODE_SCORE // POINTS)


class _Counts:
    """Whether pods of a kin are of one of the services."""

    def __init__(self, namespace: str, selectors: Sequence[Selector]) -> None:
        self._namespace = namespace
        self._selectors = selectors

    def __call__(self, kin: Kin) -> bool:
        same = kin.namespace == self._namespace and not kin.terminating
        return same and any(selector <= kin.labels for selector in self._selectors)
