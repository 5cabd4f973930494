"""What the documentation says of plugins that look at other pods, written as plainly as can be: loops over all nodes
and all pods, no state, no counters. Slow, and obviously right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kcore.api.core_v1 import Node, Pod, PodAffinityTerm, TopologySpreadConstraint
from kcore.api.meta_v1 import LabelSelector
from kcore.api.selectors import selector_from_struct
from kcore.scheduler.plugins.node_affinity import fits
from kcore.scheduler.plugins.taint_toleration import untolerated

__all__ = ["Cluster", "affinity_allows", "affinity_scores", "spread_allows", "spread_scores"]

HOSTNAME = "kubernetes.io/hostname"


class Cluster:
    """Nodes by name, and the pods that are on them."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.pods: dict[str, Pod] = {}
        self.namespaces: dict[str, dict[str, str]] = {}

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


def _meets(cluster: Cluster, holder: Pod, term: PodAffinityTerm, other: Pod) -> bool:
    """Whether `other` is one of those that a term of `holder` is about."""
    if not selects(term.label_selector, other.metadata.labels):
        return False
    namespace = other.metadata.namespace
    if not term.namespaces and term.namespace_selector is None:
        return namespace == holder.metadata.namespace
    return namespace in term.namespaces or selects(term.namespace_selector, cluster.namespaces.get(namespace, {}))


def _required(pod: Pod) -> tuple[PodAffinityTerm, ...]:
    affinity = pod.spec.affinity.pod_affinity if pod.spec.affinity is not None else None
    return affinity.required_during_scheduling_ignored_during_execution if affinity is not None else ()


def _forbidden(pod: Pod) -> tuple[PodAffinityTerm, ...]:
    affinity = pod.spec.affinity.pod_anti_affinity if pod.spec.affinity is not None else None
    return affinity.required_during_scheduling_ignored_during_execution if affinity is not None else ()


def _preferences(pod: Pod) -> list[tuple[int, PodAffinityTerm]]:
    affinity = pod.spec.affinity
    near = affinity.pod_affinity if affinity is not None else None
    away = affinity.pod_anti_affinity if affinity is not None else None
    wanted = near.preferred_during_scheduling_ignored_during_execution if near is not None else ()
    unwanted = away.preferred_during_scheduling_ignored_during_execution if away is not None else ()
    return [(w.weight, w.pod_affinity_term) for w in wanted] + [(-w.weight, w.pod_affinity_term) for w in unwanted]


def _together(one: Node, other: Node, key: str) -> bool:
    domain = one.metadata.labels.get(key)
    return domain is not None and domain == other.metadata.labels.get(key)


def _placed(cluster: Cluster) -> list[tuple[Pod, Node]]:
    return [(pod, node) for node in cluster.nodes.values() for pod in cluster.on(node)]


def affinity_allows(cluster: Cluster, pod: Pod, node: Node) -> bool:
    placed, required = _placed(cluster), _required(pod)
    friends = [(p, n) for p, n in placed if all(_meets(cluster, pod, term, p) for term in required)]
    if not all(term.topology_key in node.metadata.labels for term in required):
        return False
    near = all(any(_together(n, node, term.topology_key) for _, n in friends) for term in required)
    anywhere = any(term.topology_key in n.metadata.labels for _, n in friends for term in required)
    if not near and (anywhere or not all(_meets(cluster, pod, term, pod) for term in required)):
        return False
    for other, at in placed:
        if any(_meets(cluster, pod, t, other) and _together(at, node, t.topology_key) for t in _forbidden(pod)):
            return False
        if any(_meets(cluster, other, t, pod) and _together(at, node, t.topology_key) for t in _forbidden(other)):
            return False
    return True


def affinity_scores(cluster: Cluster, pod: Pod, feasible: Sequence[Node]) -> dict[str, int]:
    raw = {}
    for node in feasible:
        total = 0
        for other, at in _placed(cluster):
            wishes = [(w, t) for w, t in _preferences(pod) if _meets(cluster, pod, t, other)]
            wishes += [(w, t) for w, t in _preferences(other) if _meets(cluster, other, t, pod)]
            wishes += [(1, t) for t in _required(other) if _meets(cluster, other, t, pod)]
            total += sum(weight for weight, term in wishes if _together(at, node, term.topology_key))
        raw[node.metadata.name] = total
    least, most = min(raw.values(), default=0), max(raw.values(), default=0)
    spread = most - least
    return {name: int(100 * ((score - least) / spread)) if spread else 0 for name, score in raw.items()}
