"""Who would have to leave a node for a pod to fit, and what that would cost.

All pods of lower priority are taken off in thought. If the pod would fit then, they are put back one by one, the most
important first, as long as it still fits; those that cannot stay are the victims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from kcore.api.policy_v1 import PodDisruptionBudget
from kcore.api.selectors import selector_from_struct
from kcore.scheduler.framework import Ask, Status, unschedulable
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.plugins.node_resources_fit import TOO_MANY_PODS
from kcore.scheduler.pod_info import PodInfo

__all__ = ["NO_VICTIMS", "Candidate", "budget_violations", "candidate", "choose", "find_victims"]

NO_VICTIMS = unschedulable("No preemption victims found for incoming pod")
LEAST_START = 0.0


class Candidate(NamedTuple):
    """A node, and who would have to go, the most important first. Smaller `cost` is better."""

    node_name: str
    victims: tuple[PodInfo, ...]
    violations: int
    cost: tuple[int, int, int, int, float]


def candidate(node_name: str, victims: Iterable[PodInfo], violations: int) -> Candidate:
    ordered = tuple(sorted(victims, key=_importance))
    return Candidate(node_name, ordered, violations, _cost(ordered, violations))


def find_victims(
    pod: PodInfo, node: NodeInfo, ask: Ask, violates: Callable[[Sequence[PodInfo]], set[str]]
) -> Candidate | Status:
    """Who would have to leave a node for the pod to fit, or why nobody's leaving helps."""
    lower = [other for other in node.pods.values() if other.priority < pod.priority]
    if not lower:
        return NO_VICTIMS
    demand = ask.demand
    trial: _Trial = _Trial(node, ask) if demand is None else _RoomTrial(node, demand)
    for other in lower:
        trial.remove(other)
    objection = trial.objection()
    if objection is not None:
        return objection
    lower = [other for other in lower if other.uid not in node.ghosts]
    lower.sort(key=_importance)
    violating = violates(lower)
    victims: list[PodInfo] = []
    # Pods whose eviction would break a budget are the first to be spared.
    for other in sorted(lower, key=lambda one: one.uid not in violating) if violating else lower:
        trial.add(other)
        if not trial.fits():
            trial.remove(other)
            victims.append(other)
    return candidate(node.name, victims, sum(victim.uid in violating for victim in victims))


class _Trial:
    """A node on which pods are taken off and put back in thought."""

    def __init__(self, node: NodeInfo, ask: Ask) -> None:
        self._node = node.copy()
        self._ask = ask

    def remove(self, pod: PodInfo) -> None:
        self._node.remove(pod.uid)

    def add(self, pod: PodInfo) -> None:
        self._node.add(pod)

    def objection(self) -> Status | None:
        return self._ask(self._node)

    def fits(self) -> bool:
        return self.objection() is None


class _RoomTrial(_Trial):
    """The same where nothing counts but room: sums instead of a copy."""

    def __init__(self, node: NodeInfo, demand: Mapping[str, int]) -> None:
        self._demand = demand
        requested, allocatable = node.requested, node.allocatable
        self._left = {name: allocatable.get(name, 0) - requested.get(name, 0) for name in demand}
        self._places = allocatable.get("pods", 0) - len(node.pods)

    def remove(self, pod: PodInfo) -> None:
        self._change(pod, 1)

    def add(self, pod: PodInfo) -> None:
        self._change(pod, -1)

    def objection(self) -> Status | None:
        reasons = [] if self._places > 0 else [TOO_MANY_PODS]
        for name, wanted in self._demand.items():
            if wanted > 0 and wanted > self._left[name]:
                reasons.append(f"Insufficient {name}")
        return unschedulable(*reasons) if reasons else None

    def fits(self) -> bool:
        if self._places <= 0:
            return False
        left = self._left
        return all(wanted <= left[name] or wanted <= 0 for name, wanted in self._demand.items())

    def _change(self, pod: PodInfo, sign: int) -> None:
        left, requests = self._left, pod.requests
        for name in left:
            left[name] += sign * requests.get(name, 0)
        self._places += sign


def choose(candidates: Iterable[Candidate]) -> Candidate:
    """The node whose victims cost the least."""
    return min(candidates, key=lambda one: one.cost)


def _cost(victims: Sequence[PodInfo], violations: int) -> tuple[int, int, int, int, float]:
    highest = victims[0].priority if victims else -(2**31)
    # Shifted so that many unimportant victims weigh more than few, whatever the sign of their priorities.
    total = sum(victim.priority + 2**31 for victim in victims)
    earliest = min((victim.started for victim in victims if victim.priority == highest), default=LEAST_START)
    return violations, highest, total, len(victims), -earliest


def _importance(pod: PodInfo) -> tuple[int, float]:
    """Higher priority first, then who has run longer."""
    return -pod.priority, pod.started


def budget_violations(pods: Sequence[PodInfo], budgets: Iterable[PodDisruptionBudget]) -> set[str]:
    """The uids of those pods whose eviction, in this order, goes beyond what a budget allows."""
    left = [
        (budget, selector_from_struct(budget.spec.selector), [budget.status.disruptions_allowed]) for budget in budgets
    ]
    violating = set()
    for info in pods:
        metadata = info.pod.metadata
        for budget, selector, allowed in left:
            if budget.metadata.namespace != metadata.namespace or not metadata.labels or selector.empty:
                continue
            if metadata.name in budget.status.disrupted_pods or not selector.matches(metadata.labels):
                continue
            allowed[0] -= 1
            if allowed[0] < 0:
                violating.add(info.uid)
    return violating
