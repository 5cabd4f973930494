"""Pods that want to be near other pods, or far from them; near is: in the same domain of the topology they name.

A required affinity wants every domain named by its terms to hold a pod that meets all of them, unless there is none
anywhere and the pod meets them itself: somebody must be the first. A required anti-affinity holds both ways: neither
the pod's own terms nor those of pods that are there already may be broken. Preferences, the pod's own and those of
pods that are there, are added up by domain; pods that require this one near them count as preferring it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence

from kcore.api.core_v1 import Namespace, Node, Pod
from kcore.api.object import Object
from kcore.client.informer import Informers
from kcore.scheduler.affinity_term import AffinityTerm, NamespaceLabels, Role, terms_of
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.config.args import InterPodAffinityArgs
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
from kcore.scheduler.pod_info import Kin, PodInfo
from kcore.scheduler.vector import Vector

__all__ = ["InterPodAffinity"]

AFFINITY = "node(s) didn't match pod affinity rules"
ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
EXISTING = "node(s) didn't satisfy existing pods anti-affinity rules"
MOST_KEPT = 10_000

Value = Callable[[NodeInfo], int]
"""What the pods on a node count."""


class _Sum:
    """What the pods of each domain count together."""

    def __init__(self, columns: NodeColumns, topology_key: str, where: Iterable[NodeInfo], value: Value) -> None:
        self._value = value
        amounts = columns.backend.ints(columns.size)
        for node in where:
            if node.row >= 0:
                amounts[node.row] = value(node)
        self.domains = Domains(columns, topology_key, columns.alive, amounts)

    def at(self, node: NodeInfo) -> int:
        """The sum of a node's domain, with what is on it now."""
        return self.domains.sum(node.row) + self._value(node) - self.domains.amount(node.row)

    def update(self, row: int, node: NodeInfo | None) -> None:
        """The node of a row has changed."""
        living = node is not None and node.node is not None
        self.domains.put(row, living, self._value(node) if node is not None and living else 0)


class _Terms:
    """The terms of the pod, and those of other pods that are about it."""

    def __init__(
        self, pod: PodInfo, existing: Collection[AffinityTerm], labels_of: NamespaceLabels, hard_weight: int
    ) -> None:
        self._labels_of = labels_of
        self._hard_weight = hard_weight
        self._met: dict[tuple[AffinityTerm, Kin], bool] = {}
        self.own = {role: [term for term in pod.terms if term.role is role] for role in Role}
        self.forbidding = [term for term in existing if term.role is Role.FORBIDDEN]
        self.wishing = [term for term in existing if term.role is not Role.FORBIDDEN]
        self.meets_itself = all(self.meets(term, pod.kin) for term in self.own[Role.REQUIRED])

    def meets(self, term: AffinityTerm, kin: Kin) -> bool:
        """Whether a term is about pods of a kin."""
        met = self._met.get((term, kin))
        if met is None:
            met = self._met[term, kin] = term.matches(kin.namespace, dict(kin.labels), self._labels_of)
        return met

    def count_required(self, node: NodeInfo) -> int:
        """How many pods on a node meet every required term. Those that are only expected do not count yet."""
        count = sum([n for kin, n in node.kins.items() if self._meets_required(kin)])
        return count - sum([self._meets_required(node.pods[uid].kin) for uid in node.ghosts]) if node.ghosts else count

    def _meets_required(self, kin: Kin) -> bool:
        return all(self.meets(term, kin) for term in self.own[Role.REQUIRED])

    def counting(self, term: AffinityTerm) -> Value:
        """How many pods on a node meet a term."""
        return lambda node: sum([n for kin, n in node.kins.items() if self.meets(term, kin)])

    def kept_away(self, topology_key: str) -> Value:
        """How many terms of pods on a node keep the pod away from its domain."""
        terms = [term for term in self.forbidding if term.topology_key == topology_key]
        return lambda node: sum([node.terms.get(term, 0) for term in terms])

    def wished(self, topology_key: str) -> Value:
        """The sum of all preferences that pods on a node give its domain."""
        own = [
            (term, weight)
            for term in (*self.own[Role.PREFERRED], *self.own[Role.AVOIDED])
            if term.topology_key == topology_key and (weight := _weight(term, self._hard_weight))
        ]
        wishing = [term for term in self.wishing if term.topology_key == topology_key]
        others = [(term, _weight(term, self._hard_weight)) for term in wishing]

        def value(node: NodeInfo) -> int:
            total = sum([node.terms.get(term, 0) * weight for term, weight in others])
            for term, weight in own:
                total += weight * sum([n for kin, n in node.kins.items() if self.meets(term, kin)])
            return total

        return value

    def nodes(self, columns: NodeColumns, topology_key: str) -> set[NodeInfo]:
        """The nodes with pods that may count for a topology."""
        kins, terms = columns.kins, columns.terms
        about = [term for role in Role for term in self.own[role] if term.topology_key == topology_key]
        met = [kin for kin in kins if any(self.meets(term, kin) for term in about)] if about else []
        theirs = [term for term in (*self.forbidding, *self.wishing) if term.topology_key == topology_key]
        found = {node for kin in met for node in kins.nodes(kin)}
        return found.union(*[terms.nodes(term) for term in theirs])


class _State:
    """The sums for the pods of one signature: by term, in the order of the terms, and by topology."""

    def __init__(self, terms: _Terms) -> None:
        self.terms = terms
        self.required: Sequence[_Sum] = ()
        self.forbidden: Sequence[_Sum] = ()
        self.existing: Sequence[_Sum] = ()
        self.wished: Sequence[_Sum] = ()

    def sums(self) -> Iterable[_Sum]:
        return (*self.required, *self.forbidden, *self.existing, *self.wished)

    def nobody_meets(self) -> bool:
        """Whether no pod in any domain meets the required terms."""
        return all(one.domains.total == 0 for one in self.required)


class InterPodAffinity:
    name = "InterPodAffinity"

    def __init__(self, columns: NodeColumns, informers: Informers, args: InterPodAffinityArgs | None = None) -> None:
        args = args or InterPodAffinityArgs()
        self._hard_weight = args.hard_pod_affinity_weight
        self._ignores_wishes = args.ignore_preferred_terms_of_existing_pods
        self._columns = columns
        self._namespaces = informers.of(Namespace)
        self._namespaces.add_handler(self._namespace_changed)
        self._about: dict[Kin, tuple[AffinityTerm, ...]] = {}
        self._generation = 0

    def sign(self, pod: PodInfo) -> Hashable:
        """The pod's terms, those that other pods have about it, and whether it meets its own."""
        about = self._existing(pod.kin)
        if not pod.terms:
            return about
        return pod.terms, about, pod.pod.metadata.namespace, self._terms(pod).meets_itself

    def pre_filter(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> PreFilterResult | None:
        if not pod.terms and not self._existing(pod.kin):
            return PreFilterResult(SKIP)
        kept = self._kept(state, pod)
        terms = kept.terms
        required, forbidden = terms.own[Role.REQUIRED], terms.own[Role.FORBIDDEN]
        if not required and not forbidden and not terms.forbidding:
            return PreFilterResult(SKIP)

        def make(topology_key: str, value: Value) -> _Sum:
            return _Sum(columns, topology_key, terms.nodes(columns, topology_key), value)

        kept.required = [make(term.topology_key, terms.count_required) for term in required]
        kept.forbidden = [make(term.topology_key, terms.counting(term)) for term in forbidden]
        kept.existing = [make(key, terms.kept_away(key)) for key in _keys(terms.forbidding)]
        return None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        kept = self._kept(state, pod)
        required = kept.required
        if not all(one.domains.has_label(node.row) for one in required):
            return unresolvable(AFFINITY)
        if any(one.at(node) <= 0 for one in required):
            gone = [one.domains.total + one.at(node) - one.domains.sum(node.row) for one in required]
            if any(gone) or not kept.terms.meets_itself:
                return unresolvable(AFFINITY)
        if any(one.domains.has_label(node.row) and one.at(node) > 0 for one in kept.forbidden):
            return unschedulable(ANTI_AFFINITY)
        if any(one.domains.has_label(node.row) and one.at(node) > 0 for one in kept.existing):
            return unschedulable(EXISTING)
        return None

    def filter_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Iterable[Refusal]:
        kept = self._kept(state, pod)
        near = columns.alive
        first = kept.nobody_meets() and kept.terms.meets_itself
        for one in kept.required:
            near = near & ((one.domains.column.codes > 0) if first else (one.domains.sums() > 0))
        if kept.required:
            yield Refusal(~near, AFFINITY, unresolvable=True)
        for sums, reason in ((kept.forbidden, ANTI_AFFINITY), (kept.existing, EXISTING)):
            for one in sums:
                refused = near & (one.domains.sums() > 0)
                yield Refusal(refused, reason)
                near = near & ~refused

    def pre_score(self, state: CycleState, pod: PodInfo, columns: NodeColumns, feasible: Vector) -> Status | None:
        kept = self._kept(state, pod)
        terms = kept.terms
        keys = _keys([*terms.own[Role.PREFERRED], *terms.own[Role.AVOIDED], *terms.wishing])
        own = terms.own[Role.PREFERRED] or terms.own[Role.AVOIDED]
        if not keys or (self._ignores_wishes and not own):
            return SKIP
        if not kept.wished:
            kept.wished = [_Sum(columns, key, terms.nodes(columns, key), terms.wished(key)) for key in keys]
        return None

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        return sum([one.domains.sum(node.row) for one in self._kept(state, pod).wished])

    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector:
        total = columns.backend.ints(columns.size)
        for one in self._kept(state, pod).wished:
            total = total + one.domains.sums()
        return total

    def normalize(self, scores: Vector, feasible: Vector, columns: NodeColumns) -> Vector:
        """From 0 for the least wanted to 100 for the most; scores may be negative."""
        least, most = columns.backend.span(scores, feasible)
        if least == most:
            return scores * 0
        return columns.backend.truncate((scores - least) / (most - least) * MAX_NODE_SCORE)

    def follow(self, state: CycleState, pod: PodInfo, columns: NodeColumns, rows: Collection[int]) -> None:
        for one in self._kept(state, pod).sums():
            for row in rows:
                one.update(row, columns.nodes[row])

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        pods = ClusterEvent.POD_ADDED | ClusterEvent.POD_UPDATED | ClusterEvent.POD_DELETED
        nodes = ClusterEvent.NODE_ADDED | ClusterEvent.NODE_LABEL
        return {pods: self._other_helps, nodes: _has_domains}

    def _kept(self, state: CycleState, pod: PodInfo) -> _State:
        kept = state.get(self.name)
        if kept is None:
            kept = state[self.name] = _State(self._terms(pod))
        assert isinstance(kept, _State)
        return kept

    def _terms(self, pod: PodInfo) -> _Terms:
        return _Terms(pod, self._existing(pod.kin), self._labels_of, self._hard_weight)

    def _existing(self, kin: Kin) -> tuple[AffinityTerm, ...]:
        """The terms of other pods about pods of a kin."""
        terms = self._columns.terms
        if not terms:
            return ()
        if self._generation != terms.generation:
            self._generation = terms.generation
            self._about.clear()
        about = self._about.get(kin)
        if about is None:
            if len(self._about) >= MOST_KEPT:
                self._about.clear()
            labels = dict(kin.labels)
            about = self._about[kin] = tuple(
                [
                    term
                    for term in terms
                    if (term.role is Role.FORBIDDEN or _weight(term, self._hard_weight))
                    and term.matches(kin.namespace, labels, self._labels_of)
                ]
            )
        return about

    def _labels_of(self, namespace: str) -> Mapping[str, str]:
        found = self._namespaces.get(namespace)
        return found.metadata.labels if found is not None else {}

    def _namespace_changed(self, old: Namespace | None, new: Namespace | None) -> None:
        """What selects namespaces by their labels may mean others now."""
        if (old.metadata.labels if old is not None else {}) != (new.metadata.labels if new is not None else {}):
            self._about.clear()
            self._columns.invalidate()

    def _other_helps(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        """Whether a pod that came, went or changed is one that this pod wants near, or wanted away."""
        terms = pod.terms
        required = [term for term in terms if term.role is Role.REQUIRED]
        forbidden = [term for term in terms if term.role is Role.FORBIDDEN]
        if isinstance(new, Pod) and required and self._meets_all(required, new):
            return True
        if not isinstance(old, Pod):
            return False
        theirs = [term for term in terms_of(old) if term.role is Role.FORBIDDEN] if new is None else []
        if any(self._meets_all([term], pod.pod) for term in theirs):
            return True
        left = [term for term in forbidden if self._meets_all([term], old)]
        return any(not isinstance(new, Pod) or not self._meets_all([term], new) for term in left)

    def _meets_all(self, terms: Iterable[AffinityTerm], other: Pod) -> bool:
        metadata = other.metadata
        return all(term.matches(metadata.namespace, metadata.labels, self._labels_of) for term in terms)


def _weight(term: AffinityTerm, hard_weight: int) -> int:
    """What a term counts as a preference; one that is required, of a pod that is there, counts as preferring so."""
    match term.role:
        case Role.PREFERRED:
            return term.weight
        case Role.AVOIDED:
            return -term.weight
        case Role.REQUIRED:
            return hard_weight
    return 0


def _keys(terms: Iterable[AffinityTerm]) -> Iterable[str]:
    return dict.fromkeys([term.topology_key for term in terms])


def _has_domains(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """Whether a node is in a domain of each topology in which the pod must be near others, or has left one in which it
    must not be."""
    if not isinstance(new, Node):
        return False
    keys = {term.topology_key for term in pod.terms if term.role is Role.REQUIRED}
    return keys <= new.metadata.labels.keys()
