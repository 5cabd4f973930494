"""The terms of pods about other pods, parsed once for all pods that hold the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import lru_cache

import msgspec

from kcore.api.core_v1 import Affinity, Pod, PodAffinityTerm
from kcore.api.selectors import Selector, selector_from_struct

__all__ = ["AffinityTerm", "NamespaceLabels", "Role", "terms_of"]

NamespaceLabels = Callable[[str], Mapping[str, str]]
"""The labels of a namespace by its name."""


class Role(Enum):
    REQUIRED = "required affinity"
    FORBIDDEN = "required anti-affinity"
    PREFERRED = "preferred affinity"
    AVOIDED = "preferred anti-affinity"


class AffinityTerm:
    """One term. Compared by identity: equal affinities are parsed into the same terms."""

    __slots__ = ("_namespace_selector", "_namespaces", "_selector", "role", "topology_key", "weight")

    def __init__(self, role: Role, weight: int, term: PodAffinityTerm, namespace: str) -> None:
        self.role = role
        self.weight = weight
        self.topology_key = term.topology_key
        own = not term.namespaces and term.namespace_selector is None
        self._namespaces = frozenset((namespace,)) if own else frozenset(term.namespaces)
        self._selector = _selector(term.label_selector)
        self._namespace_selector = _selector(term.namespace_selector)

    def matches(self, namespace: str, labels: Mapping[str, str], labels_of: NamespaceLabels) -> bool:
        """Whether it is about a pod with these labels in this namespace."""
        if self._selector is None or not self._selector.matches(labels):
            return False
        if namespace in self._namespaces:
            return True
        selector = self._namespace_selector
        return selector is not None and (selector.empty or selector.matches(labels_of(namespace)))


def terms_of(pod: Pod) -> tuple[AffinityTerm, ...]:
    """All terms of a pod about other pods."""
    affinity = pod.spec.affinity
    if affinity is None or (affinity.pod_affinity is None and affinity.pod_anti_affinity is None):
        return ()
    about_pods = Affinity(pod_affinity=affinity.pod_affinity, pod_anti_affinity=affinity.pod_anti_affinity)
    return _parse(pod.metadata.namespace, msgspec.msgpack.encode(about_pods))


@lru_cache(maxsize=4096)
def _parse(namespace: str, encoded: bytes) -> tuple[AffinityTerm, ...]:
    affinity = msgspec.msgpack.decode(encoded, type=Affinity)
    return tuple(AffinityTerm(role, weight, term, namespace) for role, weight, term in _terms(affinity))


def _terms(affinity: Affinity) -> Iterable[tuple[Role, int, PodAffinityTerm]]:
    for side, hard, soft in (
        (affinity.pod_affinity, Role.REQUIRED, Role.PREFERRED),
        (affinity.pod_anti_affinity, Role.FORBIDDEN, Role.AVOIDED),
    ):
        if side is not None:
            for term in side.required_during_scheduling_ignored_during_execution:
                yield hard, 0, term
            for weighted in side.preferred_during_scheduling_ignored_during_execution:
                yield soft, weighted.weight, weighted.pod_affinity_term


def _selector(selector: object) -> Selector | None:
    """None selects nothing: an absent selector here."""
    return None if selector is None else selector_from_struct(selector)  # type: ignore[arg-type]
