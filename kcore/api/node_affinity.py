"""`spec.nodeSelector` and the required terms of `spec.affinity.nodeAffinity`: which nodes a pod must have."""

from __future__ import annotations

from collections.abc import Callable

from kcore.api.core_v1 import Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod

__all__ = ["NAME_FIELD", "fits", "matches_requirement", "matches_term", "selects_node"]

NAME_FIELD = "metadata.name"


def matches_requirement(requirement: NodeSelectorRequirement, value: str | None) -> bool:
    """Whether a label's value (None: there is no such label) meets a requirement."""
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return _compares(value, requirement, lambda have, want: have > want)
        case "Lt":
            return _compares(value, requirement, lambda have, want: have < want)
    return False


def _compares(value: str | None, requirement: NodeSelectorRequirement, holds: Callable[[int, int], bool]) -> bool:
    try:
        return value is not None and len(requirement.values) == 1 and holds(int(value), int(requirement.values[0]))
    except ValueError:
        return False


def matches_term(term: NodeSelectorTerm, node: Node) -> bool:
    """Whether a node meets all requirements of a term. An empty term matches no node."""
    if not term.match_expressions and not term.match_fields:
        return False
    labels = node.metadata.labels
    return all(matches_requirement(r, labels.get(r.key)) for r in term.match_expressions) and all(
        r.key == NAME_FIELD and matches_requirement(r, node.metadata.name) for r in term.match_fields
    )


def selects_node(selector: NodeSelector, node: Node) -> bool:
    """Whether a node meets one of the terms."""
    return any(matches_term(term, node) for term in selector.node_selector_terms)


def fits(pod: Pod, node: Node) -> bool:
    """Whether a node has all labels of the pod's nodeSelector and meets one of its required terms."""
    labels = node.metadata.labels
    if any(labels.get(key) != value for key, value in pod.spec.node_selector.items()):
        return False
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity is not None else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity is not None else None
    return required is None or selects_node(required, node)
