"""In which order a StatefulSet's pods come, go and are replaced.

Ordered (`podManagementPolicy: OrderedReady`): pods come one after the other from the lowest ordinal, each when all
before it are available; they go from the highest, each when all others are well; and only then they are replaced.
In parallel: they come and go at once, but are still replaced from the highest ordinal down, as many at a time as
may be unavailable.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kcore.api.apps_v1 import StatefulSet, StatefulSetStatus
from kcore.api.core_v1 import Pod
from kcore.controllers.identity import ordinal_of, ordinals, revision_of, size, start
from kcore.controllers.pods import available_in

__all__ = ["Lineup", "is_ordered", "lineup", "may_go", "outdated", "status_of", "takes_current"]


@dataclass(slots=True)
class Lineup:
    """The pods that are to stay, by ordinal, and those that are not, the highest first."""

    owner: StatefulSet
    now: float
    staying: dict[int, Pod] = field(default_factory=dict)
    condemned: list[Pod] = field(default_factory=list)

    @property
    def pods(self) -> list[Pod]:
        return [*self.staying.values(), *self.condemned]

    def is_available(self, pod: Pod) -> bool:
        return pod.status.phase == "Running" and self.wait(pod) == 0

    def is_well(self, pod: Pod | None) -> bool:
        """Available, and not on its way out."""
        return pod is not None and pod.metadata.deletion_timestamp is None and self.is_available(pod)

    def wait(self, pod: Pod) -> float | None:
        """Seconds until a ready pod has been so for long enough."""
        return available_in(pod, self.owner.spec.min_ready_seconds, self.now)


def lineup(owner: StatefulSet, pods: Iterable[Pod], now: float) -> Lineup:
    found, wanted = Lineup(owner, now), ordinals(owner)
    for pod in sorted(pods, key=ordinal_of):
        if ordinal_of(pod) in wanted:
            found.staying[ordinal_of(pod)] = pod
        else:
            found.condemned.insert(0, pod)
    return found


def is_ordered(owner: StatefulSet) -> bool:
    return owner.spec.pod_management_policy != "Parallel"


def takes_current(owner: StatefulSet, ordinal: int, current_replicas: int) -> bool:
    """Whether a pod that is made now is still one of the old revision: it is below the partition, or, where none is
    given, below those that the rollout has replaced so far."""
    strategy = owner.spec.update_strategy
    if strategy.rolling_update is not None:
        return ordinal < start(owner) + (strategy.rolling_update.partition or 0)
    return strategy.type == "RollingUpdate" and ordinal < start(owner) + current_replicas


def may_go(pods: Lineup) -> list[Pod]:
    """Those of the condemned that can be deleted now."""
    alive = [pod for pod in pods.condemned if pod.metadata.deletion_timestamp is None]
    if not is_ordered(pods.owner):
        return alive
    if not pods.condemned or pods.condemned[0].metadata.deletion_timestamp is not None:
        return []
    ailing = [pod for pod in reversed(pods.condemned) if not pods.is_well(pod)]
    highest = pods.condemned[0]
    return [highest] if pods.is_available(highest) or highest is ailing[0] else []


def outdated(pods: Lineup, revision: str) -> list[Pod]:
    """The pods to delete next, so that they come back made from `revision`."""
    strategy = pods.owner.spec.update_strategy
    if strategy.type == "OnDelete":
        return []
    rolling = strategy.rolling_update
    lowest = start(pods.owner) + (rolling.partition or 0 if rolling is not None else 0)
    limit = rolling.max_unavailable if rolling is not None else None
    if limit is not None:
        return _within(pods, revision, lowest, _share(limit, size(pods.owner)))
    for ordinal in reversed(range(lowest, ordinals(pods.owner).stop)):
        pod = pods.staying.get(ordinal)
        if pod is not None and _is_old(pod, revision):
            return [pod]
        if not pods.is_well(pod):
            return []
    return []


def _within(pods: Lineup, revision: str, lowest: int, limit: int) -> list[Pod]:
    """As many as may be missing beside those that are (KEP-961)."""
    missing = sum(not pods.is_well(pods.staying.get(ordinal)) for ordinal in ordinals(pods.owner))
    old = [pod for ordinal, pod in pods.staying.items() if ordinal >= lowest and _is_old(pod, revision)]
    old.sort(key=ordinal_of, reverse=True)
    return old[: max(0, limit - missing)]


def _is_old(pod: Pod, revision: str) -> bool:
    return pod.metadata.deletion_timestamp is None and revision_of(pod) != revision


def _share(value: int | str, total: int) -> int:
    if isinstance(value, str):
        return max(1, math.floor(int(value.removesuffix("%")) * total / 100))
    return max(1, value)


def status_of(pods: Lineup, current: str, update: str, collisions: int) -> StatefulSetStatus:
    """What is there. A rollout that is through makes its revision the current one."""
    everything = pods.pods
    ready = [pod for pod in everything if pod.status.phase == "Running" and pods.wait(pod) is not None]
    made = _count_by_revision(everything)
    wanted = size(pods.owner)
    updated, replicas = made.get(update, 0), len(everything)
    rolling = pods.owner.spec.update_strategy.type == "RollingUpdate"
    if rolling and updated == replicas == len(ready) == wanted:
        current = update
    return StatefulSetStatus(
        conditions=pods.owner.status.conditions,
        observed_generation=pods.owner.metadata.generation,
        replicas=replicas,
        ready_replicas=len(ready),
        available_replicas=sum(pods.is_available(pod) for pod in ready),
        current_replicas=made.get(current, 0),
        updated_replicas=updated,
        current_revision=current,
        update_revision=update,
        collision_count=collisions,
    )


def _count_by_revision(pods: Iterable[Pod]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for pod in pods:
        if pod.metadata.deletion_timestamp is None:
            counts[revision_of(pod)] = counts.get(revision_of(pod), 0) + 1
    return counts
