"""`spec.nodeSelector` and `spec.affinity.nodeAffinity`: which nodes a pod must have, and which it would like."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from kcore.api.core_v1 import (
    Node,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PreferredSchedulingTerm,
)
from kcore.api.core_v1 import NodeAffinity as NodeAffinitySpec
from kcore.api.node_affinity import NAME_FIELD, fits, matches_requirement, matches_term, selects_node
from kcore.api.object import Object
from kcore.scheduler.columns import NodeColumns
from kcore.scheduler.config.args import NodeAffinityArgs
from kcore.scheduler.framework import (
    SKIP,
    ClusterEvent,
    CycleState,
    Hint,
    PreFilterResult,
    Refusal,
    Status,
    normalize,
    unresolvable,
)
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.vector import Vector

__all__ = ["NodeAffinity", "fits", "fitting_rows", "matches_requirement", "matches_term", "preference"]

REASON = "node(s) didn't match Pod's node affinity/selector"
ADDED_REASON = "node(s) didn't match scheduler-enforced node affinity"

_encode = msgspec.json.Encoder().encode


def fitting_rows(pod: Pod, columns: NodeColumns) -> Vector:
    """`fits` for all rows."""
    matching = columns.backend.bools(columns.size, True)
    for key, value in pod.spec.node_selector.items():
        matching = matching & columns.label(key).any_of((value,))
    affinity = _affinity(pod)
    required = affinity.required_during_scheduling_ignored_during_execution if affinity is not None else None
    return matching & selected_rows(required, columns) if required is not None else matching


def selected_rows(selector: NodeSelector, columns: NodeColumns) -> Vector:
    """The rows of nodes that meet one of the terms."""
    any_term = columns.backend.bools(columns.size)
    for term in selector.node_selector_terms:
        any_term = any_term | _term_mask(term, columns)
    return any_term


def preference(wanted: Iterable[PreferredSchedulingTerm], node: Node) -> int:
    """The sum of the weights of all preferred terms that a node meets. An empty term is met by every node."""
    return sum(
        preferred.weight
        for preferred in wanted
        if _is_empty(preferred.preference) or matches_term(preferred.preference, node)
    )


def _is_empty(term: NodeSelectorTerm) -> bool:
    return not term.match_expressions and not term.match_fields


def _affinity(pod: Pod) -> NodeAffinitySpec | None:
    return pod.spec.affinity.node_affinity if pod.spec.affinity is not None else None


class NodeAffinity:
    name = "NodeAffinity"
    looks_at_pods: Literal[False] = False

    def __init__(self, args: NodeAffinityArgs | None = None) -> None:
        added = args.added_affinity if args is not None else None
        self._required = added.required_during_scheduling_ignored_during_execution if added is not None else None
        self._preferred = added.preferred_during_scheduling_ignored_during_execution if added is not None else ()

    def sign(self, pod: PodInfo) -> Hashable:
        spec = pod.pod.spec
        affinity = _affinity(pod.pod)
        return (
            tuple(sorted(spec.node_selector.items())) if spec.node_selector else (),
            _encode(affinity) if affinity is not None else None,
        )

    def pre_filter(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> PreFilterResult | None:
        affinity = _affinity(pod.pod)
        required = affinity.required_during_scheduling_ignored_during_execution if affinity is not None else None
        if required is None:
            demanding = pod.pod.spec.node_selector or self._required is not None
            return None if demanding else PreFilterResult(SKIP)
        # Terms that all name their nodes, as a DaemonSet's do, leave only those to be looked at.
        names: frozenset[str] = frozenset()
        for term in required.node_selector_terms:
            named = _named(term)
            if named is None:
                return None
            names |= named
        if required.node_selector_terms and not names:
            return PreFilterResult(unresolvable("pod affinity terms conflict"))
        return PreFilterResult(nodes=names) if required.node_selector_terms else None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        assert node.node is not None
        if self._required is not None and not selects_node(self._required, node.node):
            return unresolvable(ADDED_REASON)
        return None if fits(pod.pod, node.node) else unresolvable(REASON)

    def filter_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Iterable[Refusal]:
        enforced = columns.alive
        if self._required is not None:
            enforced = enforced & selected_rows(self._required, columns)
            yield Refusal(~enforced, ADDED_REASON, unresolvable=True)
        yield Refusal(enforced & ~fitting_rows(pod.pod, columns), REASON, unresolvable=True)

    def pre_score(self, state: CycleState, pod: PodInfo, columns: NodeColumns, feasible: Vector) -> Status | None:
        return None if self._preferences(pod.pod) else SKIP

    def score(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> int:
        assert node.node is not None
        return preference(self._preferences(pod.pod), node.node)

    def score_columns(self, state: CycleState, pod: PodInfo, columns: NodeColumns) -> Vector:
        scores = columns.backend.ints(columns.size)
        for preferred in self._preferences(pod.pod):
            term = preferred.preference
            if _is_empty(term):
                scores = scores + preferred.weight
            else:
                scores = columns.backend.where(_term_mask(term, columns), scores + preferred.weight, scores)
        return scores

    def normalize(self, scores: Vector, feasible: Vector, columns: NodeColumns) -> Vector:
        return normalize(scores, feasible, columns)

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {ClusterEvent.NODE_ADDED: self._fits, ClusterEvent.NODE_LABEL: self._fits}

    def _preferences(self, pod: Pod) -> Sequence[PreferredSchedulingTerm]:
        """What the pod prefers, and what all pods of the profile do."""
        affinity = _affinity(pod)
        own = affinity.preferred_during_scheduling_ignored_during_execution if affinity is not None else ()
        return (*own, *self._preferred)

    def _fits(self, pod: PodInfo, old: Object | None, new: Object | None) -> bool:
        if not isinstance(new, Node) or not fits(pod.pod, new):
            return False
        return self._required is None or selects_node(self._required, new)


def _named(term: NodeSelectorTerm) -> frozenset[str] | None:
    """The node names that a term allows, where it says so by `metadata.name in (...)`."""
    sets = [frozenset(r.values) for r in term.match_fields if r.key == NAME_FIELD and r.operator == "In"]
    return frozenset.intersection(*sets) if sets else None


def _term_mask(term: NodeSelectorTerm, columns: NodeColumns) -> Vector:
    """`matches_term` for all rows."""
    if _is_empty(term):
        return columns.backend.bools(columns.size)
    mask = columns.backend.bools(columns.size, True)
    for requirement in term.match_expressions:
        mask = mask & _label_mask(requirement, columns)
    for requirement in term.match_fields:
        mask = mask & _name_mask(requirement, columns)
    return mask


def _name_mask(requirement: NodeSelectorRequirement, columns: NodeColumns) -> Vector:
    mask = columns.backend.bools(columns.size)
    if requirement.key == NAME_FIELD:
        among = requirement.values if requirement.operator == "In" else columns.rows
        for name in among:
            if name in columns.rows and matches_requirement(requirement, name):
                mask[columns.rows[name]] = True
    return mask


def _label_mask(requirement: NodeSelectorRequirement, columns: NodeColumns) -> Vector:
    column = columns.label(requirement.key)
    if requirement.operator == "In":
        return column.any_of(requirement.values)
    return column.match(lambda value: matches_requirement(requirement, value))
