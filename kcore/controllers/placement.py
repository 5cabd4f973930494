"""Which nodes a DaemonSet has pods on, and how a pod says that it is made for one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from kcore.api.apps_v1 import DaemonSet
from kcore.api.core_v1 import (
    Affinity,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodSpec,
    Toleration,
)
from kcore.api.node_affinity import NAME_FIELD, fits
from kcore.api.tolerations import untolerated

__all__ = ["Placement", "pinned", "target_of", "tolerant"]

_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_TOLERATED_ON_HOST_NETWORK = (("node.kubernetes.io/network-unavailable", "NoSchedule"),)


class Placement:
    """Where the pods of one DaemonSet belong."""

    def __init__(self, owner: DaemonSet) -> None:
        spec = tolerant(owner.spec.template.spec)
        self._pod = Pod(spec=spec)
        self._anywhere = not (spec.node_name or spec.node_selector or spec.affinity)

    def runs_on(self, node: Node) -> bool:
        """Whether the node should have a pod."""
        if not self._fits(node):
            return False
        taints = node.spec.taints
        return not taints or not untolerated(taints, self._pod.spec.tolerations)

    def stays_on(self, node: Node) -> bool:
        """Whether a pod that is on the node may stay there: only taints with NoExecute drive it away."""
        taints = node.spec.taints
        return self._fits(node) and (
            not taints or not untolerated(taints, self._pod.spec.tolerations, effects=("NoExecute",))
        )

    def _fits(self, node: Node) -> bool:
        if self._anywhere:
            return True
        return self._pod.spec.node_name in ("", node.metadata.name) and fits(self._pod, node)


def tolerant(spec: PodSpec) -> PodSpec:
    """The spec with what every daemon tolerates: it is there to look after the node, also in bad days."""
    standing = {_identity(t): t for t in spec.tolerations}
    for key, effect in _TOLERATED + (_TOLERATED_ON_HOST_NETWORK if spec.host_network else ()):
        toleration = Toleration(key=key, operator="Exists", effect=effect)
        standing[_identity(toleration)] = toleration
    return replace(spec, tolerations=tuple(standing.values()))


def _identity(toleration: Toleration) -> tuple[str, str, str, str]:
    return toleration.key, toleration.effect, toleration.operator, toleration.value


def pinned(pod: Pod, node: str) -> Pod:
    """The pod made for one node; the scheduler puts it there. What nodes it asked for has been heeded by now."""
    affinity = pod.spec.affinity or Affinity()
    name_is = NodeSelectorRequirement(key=NAME_FIELD, operator="In", values=(node,))
    required = NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=(name_is,)),))
    to_node = replace(
        affinity.node_affinity or NodeAffinity(), required_during_scheduling_ignored_during_execution=required
    )
    return replace(pod, spec=replace(pod.spec, affinity=replace(affinity, node_affinity=to_node)))


def target_of(pod: Pod) -> str:
    """The node that a pod is on, or was made for."""
    return pod.spec.node_name or next(_names(pod), "")


def _names(pod: Pod) -> Iterator[str]:
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity is not None else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity is not None else None
    for term in required.node_selector_terms if required is not None else ():
        for requirement in term.match_fields:
            if requirement.key == NAME_FIELD and requirement.operator == "In":
                yield from requirement.values[:1]


def by_node(pods: Iterable[Pod]) -> dict[str, list[Pod]]:
    """Those made for each node, oldest first; what is finished and on its way out does not count."""
    found: dict[str, list[Pod]] = {}
    for pod in sorted(pods, key=_seniority):
        if pod.metadata.deletion_timestamp is None or pod.status.phase not in ("Succeeded", "Failed"):
            found.setdefault(target_of(pod), []).append(pod)
    return found


def _seniority(pod: Pod) -> tuple[bool, str, str]:
    return not pod.spec.node_name, pod.metadata.creation_timestamp or "", pod.metadata.name
