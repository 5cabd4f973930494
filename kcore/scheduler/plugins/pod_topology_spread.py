"""Pods of a kind are spread over zones, hosts or whatever a label tells apart (KEP-895, 3022, 3094, 3243).

A constraint counts the pods that its selector finds in the pod's own namespace, domain by domain. Where it is hard,
no node will do whose domain would be ahead of the emptiest by more than `maxSkew`; where it is soft, emptier domains
are preferred. Pods that say nothing themselves are spread softly, together with their siblings.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from kcore.api.core_v1 import Node, Pod, TopologySpreadConstraint
from kcore.api.object import Object
from kcore.api.selectors import Requirement, Selector, selector_from_struct
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.config.args import PodTopologySpreadArgs
from kcore.scheduler.domains import Domains
from kcore.scheduler.framework import (
    MAX_NODE_SCORE,
    SKIP,
    ClusterEvent,
    CycleState,
    Hint,
    PreFilterResult,
    Refusal,
    Status,
    unresolvable,
    unschedulable,
)
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.plugins.node_affinity import fits, fitting_rows
from kcore.scheduler.plugins.taint_toleration import untolerated
from kcore.scheduler.pod_info import Kin, PodInfo
from kcore.scheduler.siblings import Siblings
from kcore.scheduler.vector import Vector

__all__ = ["Constraint", "PodTopologySpread", "constraints_of", "domain_weight"]

REASON = "node(s) didn't match pod topology spread constraints"
NO_LABEL = f"{REASON} (missing required label)"
HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
HARD = "DoNotSchedule"
IGNORED = -1
"""The score of nodes that lack a label which the pod's own constraints name."""


class Constraint(NamedTuple):
    """One constraint. A `selector` of None finds nothing."""

    topology_key: str
    max_skew: int
    selector: Selector | None
    min_domains: int = 1
    honors_affinity: bool = True
    honors_taints: bool = False

    def counts(self, namespace: str, kin: Kin) -> bool:
        """Whether pods of the kin are counted. Those on their way out are not; nor is anyone by an empty selector."""
        selector = self.selector
        if selector is None or selector.empty or kin.terminating or kin.namespace != namespace:
            return False
        return selector.matches(dict(kin.labels))

    def counts_itself(self, pod: Pod) -> bool:
        """Whether the pod would be one of those that it is spread among."""
        return self.selector is not None and self.selector.matches(pod.metadata.labels)

    def includes(self, pod: Pod, node: Node) -> bool:
        """Whether the node is one of those over which pods are spread."""
        if self.honors_affinity and not fits(pod, node):
            return False
        return not (self.honors_taints and untolerated(node.spec.taints, pod.spec.tolerations))

    def included(self, pod: Pod, columns: NodeColumns) -> Vector:
        """`includes` for all rows."""
        mask = fitting_rows(pod, columns) if self.honors_affinity else columns.alive
        if self.honors_taints:
            mask = mask & ~columns.taints.match(lambda taints: untolerated(taints, pod.spec.tolerations))
        return mask


def default_constraints(selector: Selector) -> tuple[Constraint, ...]:
    """How siblings are spread that do not say it themselves."""
    return _by_host(Constraint(HOSTNAME, 3, selector)), Constraint(ZONE, 5, selector)


def _of(
    given: Sequence[TopologySpreadConstraint], selector: Selector
) -> tuple[tuple[Constraint, ...], tuple[Constraint, ...]]:
    """A profile's own default constraints, about a pod's siblings."""
    parsed = [(one.when_unsatisfiable == HARD, _constraint(one, {})._replace(selector=selector)) for one in given]
    return tuple([one for hard, one in parsed if hard]), tuple([_by_host(one) for hard, one in parsed if not hard])


def constraints_of(pod: Pod) -> tuple[tuple[Constraint, ...], tuple[Constraint, ...]]:
    """The pod's own constraints, the hard and the soft ones."""
    given = pod.spec.topology_spread_constraints
    if not given:
        return (), ()
    keys = {key for constraint in given for key in constraint.match_label_keys}
    labels = tuple([(key, value) for key, value in pod.metadata.labels.items() if key in keys])
    return _parse(msgspec.msgpack.encode(given), labels)


@lru_cache(maxsize=4096)
def _parse(
    encoded: bytes, labels: tuple[tuple[str, str], ...]
) -> tuple[tuple[Constraint, ...], tuple[Constraint, ...]]:
    given = msgspec.msgpack.decode(encoded, type=tuple[TopologySpreadConstraint, ...])
    parsed = [(constraint.when_unsatisfiable == HARD, _constraint(constraint, dict(labels))) for constraint in given]
    return tuple([one for hard, one in parsed if hard]), tuple([_by_host(one) for hard, one in parsed if not hard])


def _by_host(soft: Constraint) -> Constraint:
    """Where hosts are the domains, a soft constraint counts on each node by itself, whatever the node is like."""
    return soft._replace(honors_affinity=False, honors_taints=False) if soft.topology_key == HOSTNAME else soft


def _constraint(given: TopologySpreadConstraint, labels: Mapping[str, str]) -> Constraint:
    selector = None
    if given.label_selector is not None:
        own = tuple([Requirement(key, "in", (labels[key],)) for key in given.match_label_keys if key in labels])
        selector = Selector((*selector_from_struct(given.label_selector).requirements, *own))
    return Constraint(
        given.topology_key,
        given.max_skew,
        selector,
        given.min_domains or 1,
        given.node_affinity_policy != "Ignore",
        given.node_taints_policy == "Honor",
    )


def domain_weight(domains: int) -> float:
    """What a pod counts in a topology of so many domains: the counts of few large domains are not to drown in those
    of many small ones."""
    return math.log(domains + 2)


class _Spread:
    """One constraint with what it has counted."""

    def __init__(
        self, constraint: Constraint, pod: Pod, columns: NodeColumns, labelled: Vector, keys: frozenset[str]
    ) -> None:
        self.constraint = constraint
        self.counts_itself = constraint.counts_itself(pod)
        self._pod = pod
        self._keys = keys
        self._counted: dict[Kin, bool] = {}
        amounts = columns.backend.ints(columns.size)
        for kin in columns.kins:
            if self._counts(kin):
                for node, count in columns.kins.nodes(kin).items():
                    if node.row >= 0:
                        amounts[node.row] = int(amounts[node.row]) + count
        self.domains = Domains(columns, constraint.topology_key, labelled & constraint.included(pod, columns), amounts)

    def amount(self, node: NodeInfo) -> int:
        """How many of the pods on a node are counted."""
        return sum([count for kin, count in node.kins.items() if self._counts(kin)])

    def update(self, row: int, node: NodeInfo | None) -> None:
        """The node of a row has changed."""
        if node is None or node.node is None:
            self.domains.put(row, False, 0)
            return
        counted = self._keys <= node.node.metadata.labels.keys() and self.constraint.includes(self._pod, node.node)
        self.domains.put(row, counted, self.amount(node))

    def refuses(self, node: NodeInfo) -> bool:
        """Whether the domain of a node, with what is on it now, would be too far ahead."""
        domains = self.domains
        change = self.amount(node) - domains.amount(node.row) if domains.is_counted(node.row) else 0
        return domains.sum(node.row) + change + self.counts_itself - self._least(node.row, change) > self._skew

    def refused(self) -> Vector:
        """`refuses` for all rows."""
        return self.domains.sums() > self._skew + self._least() - self.counts_itself

    @property
    def _skew(self) -> int:
        return self.constraint.max_skew

    def _least(self, row: int = -1, change: int = 0) -> int:
        """What the emptiest domain has; none, as long as there are fewer domains than there should be."""
        return 0 if self.domains.count < self.constraint.min_domains else self.domains.least(row, change)

    def _counts(self, kin: Kin) -> bool:
        counted = self._counted.get(kin)
        if counted is None:
            counted = self._counted[kin] = self.constraint.counts(self._pod.metadata.namespace, kin)
        return counted


class _State:
    """What is kept for pods of one signature. `weights` and `ignored` are of the nodes that fit at the moment."""

    def __init__(self) -> None:
        self.hard: Sequence[_Spread] = ()
        self.soft: Sequence[_Spread] = ()
        self.weights: Sequence[float] = ()
        self.labelled: Vector | None = None


class PodTopologySpread:
    name = "PodTopologySpread"

    def __init__(self, siblings: Siblings, args: PodTopologySpreadArgs | None = None) -> None:
        self._siblings = siblings
        self._by_system = args is None or args.defaulting_type == "System"
        self._defaults = args.default_constraints if args is not None else ()

    def sign(self, pod: PodInfo) -> Hashable:
        hard, soft = self._constraints(pod)
        if not hard and not soft:
            return None
        spec = pod.pod.spec
        chosen = msgspec.msgpack.encode((spec.node_selector, spec.affinity, spec.tolerations))
        itself = tuple([constraint.counts_itself(pod.pod) for constraint in hard])
        return pod.pod.metadata.namespace, hard, soft, itself, self._needs_all_labels(pod), chosen

    def pre_filter(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> PreFilterResult | None:
        hard, _ = self._constraints(pod)
        if not hard:
            return PreFilterResult(SKIP)
        _kept(state).hard = _spread(pod.pod, hard, columns, _labelled(hard, columns))
        return None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        spreads = _kept(state).hard
        for spread in spreads:
            if not spread.domains.has_label(node.row):
                return unresolvable(NO_LABEL)
            if spread.refuses(node):
                return unschedulable(REASON)
        return None

    def filter_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Iterable[Refusal]:
        undecided = columns.alive
        for spread in _kept(state).hard:
            labelled = spread.domains.column.codes > 0
            yield Refusal(undecided & ~labelled, NO_LABEL, unresolvable=True)
            undecided = undecided & labelled
            refused = undecided & spread.refused()
            yield Refusal(refused, REASON)
            undecided = undecided & ~refused

    def pre_score(self, state: CycleState, pod: PodInfo, columns: NodeColumns, feasible: Vector) -> Status | None:
        _, soft = self._constraints(pod)
        if not soft:
            return SKIP
        kept = _kept(state)
        labelled = _labelled(soft, columns) if self._needs_all_labels(pod) else columns.alive
        if not kept.soft:
            kept.soft = _spread(pod.pod, soft, columns, labelled, self._needs_all_labels(pod))
        kept.labelled = labelled
        scored = feasible & labelled
        kept.weights = [domain_weight(_count_domains(spread, columns, scored)) for spread in kept.soft]
        return None

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        kept = _kept(state)
        assert kept.labelled is not None
        if not kept.labelled[node.row]:
            return IGNORED
        score = 0.0
        for spread, weight in zip(kept.soft, kept.weights, strict=True):
            domains, constraint = spread.domains, spread.constraint
            if domains.has_label(node.row):
                per_node = constraint.topology_key == HOSTNAME
                count = domains.amount(node.row) if per_node else domains.sum(node.row)
                score += count * weight + (constraint.max_skew - 1)
        return int(score + 0.5)

    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector:
        kept, backend = _kept(state), columns.backend
        assert kept.labelled is not None
        total = backend.ints(columns.size) * 1.0
        for spread, weight in zip(kept.soft, kept.weights, strict=True):
            domains, constraint = spread.domains, spread.constraint
            counts = domains.amounts if constraint.topology_key == HOSTNAME else domains.sums()
            score = counts * weight + (constraint.max_skew - 1)
            total = total + backend.where(domains.column.codes > 0, score, 0.0)
        return backend.where(kept.labelled, backend.truncate(total + 0.5), IGNORED)

    def normalize(self, scores: Vector, feasible: Vector, columns: NodeColumns) -> Vector:
        """The emptiest gets the most; nodes that lack a label get nothing."""
        backend = columns.backend
        scored = scores > IGNORED
        least, most = backend.span(scores, feasible & scored)
        if most == 0:
            return backend.where(scored, scores * 0 + MAX_NODE_SCORE, 0)
        return backend.where(scored, (most + least - scores) * MAX_NODE_SCORE // most, 0)

    def follow(self, state: CycleState, pod: PodInfo, columns: NodeColumns, rows: Collection[int]) -> None:
        kept = _kept(state)
        for spread in (*kept.hard, *kept.soft):
            for row in rows:
                spread.update(row, columns.nodes[row])

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        pods = ClusterEvent.POD_ADDED | ClusterEvent.POD_UPDATED | ClusterEvent.POD_DELETED
        nodes = ClusterEvent.NODE_ADDED | ClusterEvent.NODE_DELETED | ClusterEvent.NODE_LABEL | ClusterEvent.NODE_TAINT
        return {pods: _counts_other, nodes: _has_domains}

    def _constraints(self, pod: PodInfo) -> tuple[tuple[Constraint, ...], tuple[Constraint, ...]]:
        if pod.pod.spec.topology_spread_constraints:
            return constraints_of(pod.pod)
        if not self._by_system and not self._defaults:
            return (), ()
        selector = self._siblings.selector(pod)
        if selector is None:
            return (), ()
        return ((), default_constraints(selector)) if self._by_system else _of(self._defaults, selector)

    def _needs_all_labels(self, pod: PodInfo) -> bool:
        """Whether a node counts only where it has every label; not for what the system spreads by itself."""
        return bool(pod.pod.spec.topology_spread_constraints) or not self._by_system


def _kept(state: CycleState) -> _State:
    kept = state.get(PodTopologySpread.name)
    if kept is None:
        kept = state[PodTopologySpread.name] = _State()
    assert isinstance(kept, _State)
    return kept


def _spread(
    pod: Pod, constraints: Sequence[Constraint], columns: NodeColumns, labelled: Vector, all_keys: bool = True
) -> Sequence[_Spread]:
    keys = frozenset([constraint.topology_key for constraint in constraints] if all_keys else [])
    return [_Spread(constraint, pod, columns, labelled, keys) for constraint in constraints]


def _labelled(constraints: Iterable[Constraint], columns: NodeColumns) -> Vector:
    """The rows that have every label of the constraints."""
    mask = columns.alive
    for constraint in constraints:
        mask = mask & (columns.label(constraint.topology_key).codes > 0)
    return mask


def _count_domains(spread: _Spread, columns: NodeColumns, scored: Vector) -> int:
    if spread.constraint.topology_key == HOSTNAME:
        return columns.backend.count(scored)
    return columns.backend.distinct(spread.domains.column.codes, scored)


def _counts_other(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """Whether a pod that came, went or changed is counted otherwise now."""
    hard, _ = constraints_of(pod.pod)
    before, after = _labels(pod.pod, old), _labels(pod.pod, new)
    for constraint in hard:
        selector = constraint.selector
        if selector is not None and not selector.empty:
            was = before is not None and selector.matches(before)
            if was != (after is not None and selector.matches(after)):
                return True
    return False


def _labels(pod: Pod, other: Object | None) -> Mapping[str, str] | None:
    """The labels of a pod in the same namespace."""
    if not isinstance(other, Pod) or other.metadata.namespace != pod.metadata.namespace:
        return None
    return other.metadata.labels


def _has_domains(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """Whether a node is, or was, in a domain of each topology."""
    keys = {constraint.topology_key for constraint in constraints_of(pod.pod)[0]}
    return any(node is not None and keys <= node.metadata.labels.keys() for node in (old, new))
