"""What the documentation says of plugins that look at one node at a time, from the formulas, with exact fractions.

Nothing here comes from the scheduler: requests are added up, labels compared and ports looked for on the API objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import sqrt

from kcore.api.core_v1 import Container, Node, NodeSelectorTerm, Pod, Taint, Toleration
from kcore.api.quantity import parse

__all__ = ["fits", "scores"]

MIB = 1024 * 1024
UNITS = {"cpu": 1000}
"""CPU counts in thousandths, everything else in whole units, both rounded up."""
ASSUMED = {"cpu": 100, "memory": 200 * MIB}


def value(resource: str, quantity: str) -> int:
    exact = Fraction(parse(quantity).nanos, 10**9) * UNITS.get(resource, 1)
    return -(-exact.numerator // exact.denominator)


def requested(pod: Pod, resource: str, *, assumed: bool = False) -> int:
    """The larger of what runs side by side and what each init container needs beside the sidecars before it."""

    def of(container: Container) -> int:
        asked = container.resources.requests.get(resource)
        return value(resource, asked) if asked is not None else ASSUMED.get(resource, 0) if assumed else 0

    running = sum(of(container) for container in pod.spec.containers)
    sidecars = peak = 0
    for container in pod.spec.init_containers:
        if container.restart_policy == "Always":
            sidecars += of(container)
            peak = max(peak, sidecars)
        else:
            peak = max(peak, sidecars + of(container))
    total = max(running + sidecars, peak)
    return total + value(resource, pod.spec.overhead.get(resource, "0"))


def resources(pod: Pod) -> set[str]:
    containers = (*pod.spec.containers, *pod.spec.init_containers)
    return {name for container in containers for name in container.resources.requests} | set(pod.spec.overhead)


def room(node: Node, resource: str) -> int:
    return value(resource, node.status.allocatable.get(resource, "0"))


def fits(pod: Pod, node: Node, there: Sequence[Pod]) -> bool:
    """Every filter that looks at one node, joined."""
    return (
        has_room(pod, node, there)
        and is_open(pod, node)
        and tolerates_all(pod, node)
        and is_wanted(pod, node)
        and not any(ports_clash(mine, theirs) for mine in ports(pod) for other in there for theirs in ports(other))
    )


def has_room(pod: Pod, node: Node, there: Sequence[Pod]) -> bool:
    if len(there) + 1 > room(node, "pods"):
        return False
    for resource in resources(pod):
        wanted = requested(pod, resource)
        taken = sum(requested(other, resource) for other in there)
        if wanted > 0 and taken + wanted > room(node, resource):
            return False
    return True


def is_open(pod: Pod, node: Node) -> bool:
    cordon = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
    return not node.spec.unschedulable or any(tolerates(one, cordon) for one in pod.spec.tolerations)


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect not in ("", taint.effect) or toleration.key not in ("", taint.key):
        return False
    if toleration.operator == "Exists":
        return True
    return toleration.key == taint.key and toleration.value == taint.value


def tolerates_all(pod: Pod, node: Node) -> bool:
    hard = [taint for taint in node.spec.taints if taint.effect in ("NoSchedule", "NoExecute")]
    return all(any(tolerates(one, taint) for one in pod.spec.tolerations) for taint in hard)


def meets(term: NodeSelectorTerm, node: Node) -> bool:
    named = [(r, {"metadata.name": node.metadata.name}) for r in term.match_fields]
    labelled = [(r, node.metadata.labels) for r in term.match_expressions]
    return bool(named or labelled) and all(
        holds(r.operator, labels.get(r.key), r.values) for r, labels in (*named, *labelled)
    )


def holds(operator: str, found: str | None, values: Sequence[str]) -> bool:
    match operator:
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
    if found is None or not found.isdecimal() or not values[0].isdecimal():
        return False
    return int(found) > int(values[0]) if operator == "Gt" else int(found) < int(values[0])


def is_wanted(pod: Pod, node: Node) -> bool:
    if any(node.metadata.labels.get(key) != wanted for key, wanted in pod.spec.node_selector.items()):
        return False
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity is not None else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity is not None else None
    return required is None or any(meets(term, node) for term in required.node_selector_terms)


def ports(pod: Pod) -> Iterable[tuple[str, str, int]]:
    for container in pod.spec.containers:
        for port in container.ports:
            if port.host_port:
                yield port.host_ip or "0.0.0.0", port.protocol or "TCP", port.host_port


def ports_clash(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    return one[1:] == other[1:] and (one[0] == other[0] or "0.0.0.0" in (one[0], other[0]))


def scores(pod: Pod, feasible: Mapping[str, tuple[Node, Sequence[Pod]]]) -> dict[str, int]:
    """The weighted sum of all scores of each node that fits, with the default weights."""
    tainted = scaled({name: untolerated(pod, node) for name, (node, _) in feasible.items()}, reverse=True)
    liked = scaled({name: preference(pod, node) for name, (node, _) in feasible.items()}) if has_wishes(pod) else {}
    return {
        name: 3 * tainted[name]
        + 2 * liked.get(name, 0)
        + least_allocated(pod, node, there)
        + balanced(pod, node, there)
        for name, (node, there) in feasible.items()
    }


def scaled(raw: Mapping[str, int], *, reverse: bool = False) -> dict[str, int]:
    most = max(raw.values(), default=0)
    if most == 0:
        return dict.fromkeys(raw, 100 if reverse else 0)
    return {name: 100 - score * 100 // most if reverse else score * 100 // most for name, score in raw.items()}


def untolerated(pod: Pod, node: Node) -> int:
    """How many soft taints are not tolerated by tolerations for that effect, or for all."""
    soft = [taint for taint in node.spec.taints if taint.effect == "PreferNoSchedule"]
    able = [one for one in pod.spec.tolerations if one.effect in ("", "PreferNoSchedule")]
    return sum(not any(tolerates(one, taint) for one in able) for taint in soft)


def has_wishes(pod: Pod) -> bool:
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity is not None else None
    return affinity is not None and bool(affinity.preferred_during_scheduling_ignored_during_execution)


def preference(pod: Pod, node: Node) -> int:
    assert pod.spec.affinity is not None
    assert pod.spec.affinity.node_affinity is not None
    wishes = pod.spec.affinity.node_affinity.preferred_during_scheduling_ignored_during_execution
    empty = NodeSelectorTerm()
    return sum(wish.weight for wish in wishes if wish.preference == empty or meets(wish.preference, node))


def least_allocated(pod: Pod, node: Node, there: Sequence[Pod]) -> int:
    """The mean of the free shares of CPU and memory, in whole percent each; containers that ask for nothing count."""
    parts = []
    for resource in ("cpu", "memory"):
        capacity = room(node, resource)
        if capacity:
            taken = sum(requested(one, resource, assumed=True) for one in (*there, pod))
            parts.append((capacity - taken) * 100 // capacity if taken <= capacity else 0)
    return sum(parts) // len(parts) if parts else 0


def balanced(pod: Pod, node: Node, there: Sequence[Pod]) -> int:
    """Half of a hundred, and half of how much better the balance of CPU and memory becomes by the pod."""
    if not requested(pod, "cpu") and not requested(pod, "memory"):
        return 0
    return 50 + (50 + balance(node, (*there, pod)) - balance(node, there)) // 2


def balance(node: Node, pods: Sequence[Pod]) -> int:
    shares = [
        min(sum(requested(one, resource) for one in pods) / room(node, resource), 1.0)
        for resource in ("cpu", "memory")
        if room(node, resource)
    ]
    mean = sum(shares) / len(shares) if shares else 0.0
    deviation = sqrt(sum((share - mean) ** 2 for share in shares) / len(shares)) if len(shares) > 2 else 0.0
    if len(shares) == 2:
        deviation = abs(shares[0] - shares[1]) / 2
    return int((1 - deviation) * 100)
