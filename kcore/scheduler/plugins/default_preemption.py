"""Makes room for a pod that fits nowhere by evicting pods of lower priority, as few and as unimportant as will do.

For each node that more room could help, all pods of lower priority are taken off in thought. If the pod would fit
then, they are put back one by one, the most important first, as long as it still fits; those that cannot stay are
the victims. Of all such nodes that one is chosen which, in this order,

    violates the fewest disruption budgets; whose most important victim is the least important; whose victims'
    priorities add up to the least; has the fewest victims; whose most important victims have run the shortest.

The pod is nominated to the node and scheduled when the victims have gone, there or wherever it fits by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from kcore.api.core_v1 import Pod, PodCondition
from kcore.api.errors import ApiError, NotFound
from kcore.api.policy_v1 import PodDisruptionBudget
from kcore.api.selectors import selector_from_struct
from kcore.api.timestamp import format_seconds, parse
from kcore.client.client import Client
from kcore.client.events import EventRecorder
from kcore.kit.clock import Clock
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.diagnosis import fit_error
from kcore.scheduler.framework import (
    Ask,
    Code,
    CycleState,
    Diagnosis,
    PostFilterResult,
    Status,
    unresolvable,
    unschedulable,
)
from kcore.scheduler.node_info import NodeInfo
from kcore.scheduler.pod_info import PodInfo

__all__ = ["Candidate", "DefaultPreemption", "choose", "find_victims"]

NOT_HELPFUL = unresolvable("Preemption is not helpful for scheduling")
NO_VICTIMS = unschedulable("No preemption victims found for incoming pod")
MESSAGE = "preempting to accommodate a higher priority pod"
LEAST_START = 0.0


class Candidate(NamedTuple):
    """A node, and who would have to go, the most important first."""

    node_name: str
    victims: tuple[PodInfo, ...]
    violations: int


def find_victims(
    pod: PodInfo, node: NodeInfo, ask: Ask, violates: Callable[[Sequence[PodInfo]], set[str]]
) -> Candidate | Status:
    """Who would have to leave a node for the pod to fit, or why nobody's leaving helps."""
    lower = [other for other in node.pods.values() if other.priority < pod.priority]
    if not lower:
        return NO_VICTIMS
    trial = node.copy()
    for other in lower:
        trial.remove(other.uid)
    objection = ask(trial)
    if objection is not None:
        return objection
    lower = [other for other in lower if other.uid not in node.ghosts]
    lower.sort(key=_importance)
    violating = violates(lower)
    victims: list[PodInfo] = []
    violations = 0
    # Pods whose eviction would break a budget are the first to be spared.
    for other in sorted(lower, key=lambda one: one.uid not in violating):
        trial.add(other)
        if ask(trial) is not None:
            trial.remove(other.uid)
            victims.append(other)
            violations += other.uid in violating
    return Candidate(node.name, tuple(sorted(victims, key=_importance)), violations)


def choose(candidates: Iterable[Candidate]) -> Candidate:
    """The node whose victims cost the least."""
    return min(candidates, key=_cost)


def _cost(candidate: Candidate) -> tuple[int, int, int, int, float]:
    victims = candidate.victims
    highest = victims[0].priority if victims else -(2**31)
    # Shifted so that many unimportant victims weigh more than few, whatever the sign of their priorities.
    total = sum(victim.priority + 2**31 for victim in victims)
    earliest = min((_started(victim) for victim in victims if victim.priority == highest), default=LEAST_START)
    return candidate.violations, highest, total, len(victims), -earliest


def _importance(pod: PodInfo) -> tuple[int, float]:
    """Higher priority first, then who has run longer."""
    return -pod.priority, _started(pod)


def _started(pod: PodInfo) -> float:
    start = pod.pod.status.start_time or pod.pod.metadata.creation_timestamp
    return parse(start) if start else float("inf")


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


class DefaultPreemption:
    name = "DefaultPreemption"

    def __init__(
        self,
        cache: SchedulerCache,
        budgets: Callable[[], Iterable[PodDisruptionBudget]],
        recorder: EventRecorder,
        clock: Clock,
    ) -> None:
        self._cache = cache
        self._budgets = budgets
        self._recorder = recorder
        self._clock = clock

    def post_filter(self, state: CycleState, pod: PodInfo, diagnosis: Diagnosis, ask: Ask) -> PostFilterResult | None:
        if pod.pod.spec.preemption_policy == "Never":
            return PostFilterResult("preemption: not eligible due to preemptionPolicy=Never.")
        if self._is_waiting(pod):
            message = "preemption: not eligible due to a terminating pod on the nominated node."
            return PostFilterResult(message, pod.nominated)
        candidates, statuses = self._look(pod, diagnosis, ask)
        if not candidates:
            count = self._cache.columns.count
            return PostFilterResult(f"preemption: {fit_error(count, Diagnosis(statuses, frozenset()))}")
        chosen = choose(candidates)

        async def carry_out(client: Client) -> None:
            for victim in chosen.victims:
                await self._evict(client, victim, pod)

        return PostFilterResult(nominated_node=chosen.node_name, carry_out=carry_out)

    def _is_waiting(self, pod: PodInfo) -> bool:
        """Whether the victims of an earlier attempt are still on their way out."""
        nominated = self._cache.get(pod.nominated)
        return nominated is not None and any(
            other.priority < pod.priority and other.pod.metadata.deletion_timestamp is not None
            for other in nominated.pods.values()
        )

    def _look(self, pod: PodInfo, diagnosis: Diagnosis, ask: Ask) -> tuple[list[Candidate], dict[str, Status]]:
        """Judge every node that refused the pod."""
        candidates: list[Candidate] = []
        statuses: dict[str, Status] = {}
        hopeless = self._cache.lowest_priority() >= pod.priority
        budgets = () if hopeless else tuple(self._budgets())
        for name, status in diagnosis.statuses.items():
            if status.code is Code.UNRESOLVABLE:
                statuses[name] = NOT_HELPFUL
            elif hopeless:
                statuses[name] = NO_VICTIMS
            else:
                found = find_victims(pod, self._cache[name], ask, lambda lower: budget_violations(lower, budgets))
                if isinstance(found, Candidate):
                    candidates.append(found)
                else:
                    statuses[name] = found
        return candidates, statuses

    async def _evict(self, client: Client, victim: PodInfo, preemptor: PodInfo) -> None:
        """Mark a victim as disrupted, and delete it."""
        metadata = victim.pod.metadata
        if metadata.deletion_timestamp is not None:
            return
        condition = PodCondition(
            type="DisruptionTarget",
            status="True",
            reason="PreemptionByScheduler",
            message=f"{preemptor.pod.spec.scheduler_name}: {MESSAGE}",
            observed_generation=metadata.generation,
            last_transition_time=format_seconds(self._clock.now()),
        )
        try:
            current = await client.get(Pod, metadata.name, metadata.namespace)
            kept = tuple(c for c in current.status.conditions if c.type != condition.type)
            status = replace(current.status, conditions=(*kept, condition))
            await client.update(replace(current, status=status), subresource="status")
        except NotFound:
            return
        except ApiError:
            pass  # the mark is a courtesy; the eviction is what counts
        try:
            await client.delete(Pod, metadata.name, metadata.namespace)
        except NotFound:
            return
        message = f"Preempted by pod {preemptor.uid} on node {victim.pod.spec.node_name}"
        self._recorder.event(victim.pod, "Normal", "Preempted", message)
