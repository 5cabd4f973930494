"""What the documentation says of plugins that look at other pods, written as plainly as can be: loops over all nodes
and all pods, no state, no counters. Slow, and obviously right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kcore.api.core_v1 import Node, Pod, TopologySpreadConstraint
from kcore.api.meta_v1 import LabelSelector
from kcore.api.selectors import selector_from_struct
from kcore.scheduler.plugins.node_affinity import fits
from kcore.scheduler.plugins.taint_toleration import untolerated

__all__ = ["Cluster", "spread_allows", "spread_scores"]

HOSTNAME = "kubernetes.io/hostname"


class Cluster:
    """Nodes by name, and the pods that are on them."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.pods: dict[str, Pod] = {}

    def on(self, node: Node) -> list[Pod]:
        return [pod for pod in self.pods.values() if pod.spec.node_name == node.metadata.name]


def selects(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    return selector is not None and selector_from_struct(selector).matches(labels)


def _selects(constraint: TopologySpreadConstraint, pod: Pod, other: Pod) -> bool:
    own = {key: pod.metadata.labels[key] for key in constraint.match_label_keys if key in pod.metadata.labels}
    labels = other.metadata.labels
    return selects(constraint.label_selector, labels) and all(labels.get(k) == v for k, v in own.items())


def _counted(constraint: TopologySpreadConstraint, pod: Pod, other: Pod) -> bool:
    selector = constraint.label_selector
    own = any(key in pod.metadata.labels for key in constraint.match_label_keys)
    if selector is not None and selector_from_struct(selector).empty and not own:
        return False
    same = other.metadata.namespace == pod.metadata.namespace and other.metadata.deletion_timestamp is None
    return same and _selects(constraint, pod, other)


def _included(constraint: TopologySpreadConstraint, pod: Pod, node: Node) -> bool:
    if constraint.node_affinity_policy in (None, "Honor") and not fits(pod, node):
        return False
    return constraint.node_taints_policy != "Honor" or not untolerated(node.spec.taints, pod.spec.tolerations)


def spread_allows(cluster: Cluster, pod: Pod, node: Node) -> bool:
    hard = [c for c in pod.spec.topology_spread_constraints if c.when_unsatisfiable == "DoNotSchedule"]
    for constraint in hard:
        if constraint.topology_key not in node.metadata.labels:
            return False
        counts: dict[str, int] = {}
        for other in cluster.nodes.values():
            if not all(c.topology_key in other.metadata.labels for c in hard) or not _included(constraint, pod, other):
                continue
            domain = other.metadata.labels[constraint.topology_key]
            counts.setdefault(domain, 0)
            counts[domain] += sum(_counted(constraint, pod, one) for one in cluster.on(other))
        least = min(counts.values(), default=0)
        if len(counts) < (constraint.min_domains or 1):
            least = 0
        here = counts.get(node.metadata.labels[constraint.topology_key], 0)
        if here + _selects(constraint, pod, pod) - least > constraint.max_skew:
            return False
    return True


def spread_scores(
    cluster: Cluster,
    pod: Pod,
    feasible: Sequence[Node],
    soft: Sequence[TopologySpreadConstraint],
    needs_all_labels: bool = True,
) -> dict[str, int]:
    def labelled(node: Node) -> bool:
        return not needs_all_labels or all(c.topology_key in node.metadata.labels for c in soft)

    scored = [node for node in feasible if labelled(node)]
    raw: dict[str, int] = {}
    for node in scored:
        total = 0.0
        for c in soft:
            if c.topology_key not in node.metadata.labels:
                continue
            domain = node.metadata.labels[c.topology_key]
            if c.topology_key == HOSTNAME:
                size, where = len(scored), [node]
            else:
                size = len({one.metadata.labels.get(c.topology_key) for one in scored})
                where = [
                    one
                    for one in cluster.nodes.values()
                    if labelled(one) and _included(c, pod, one) and one.metadata.labels.get(c.topology_key) == domain
                ]
            count = sum(_counted(c, pod, other) for one in where for other in cluster.on(one))
            total += count * math.log(size + 2) + c.max_skew - 1
        raw[node.metadata.name] = math.floor(total + 0.5)
    most, least = max(raw.values(), default=0), min(raw.values(), default=0)
    scores = {name: 100 * (most + least - score) // most if most else 100 for name, score in raw.items()}
    return {node.metadata.name: scores.get(node.metadata.name, 0) for node in feasible}
