"""What controllers ask of a pod: whether it counts, since when it is ready, and which of two goes first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cmp_to_key

from kcore.api.core_v1 import Pod, PodCondition
from kcore.api.timestamp import parse

__all__ = ["available_in", "condition", "is_active", "is_finished", "is_ready", "is_terminating", "rank_for_deletion"]

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def condition(pod: Pod, type_: str) -> PodCondition | None:
    for found in pod.status.conditions:
        if found.type == type_:
            return found
    return None


def is_finished(pod: Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed")


def is_active(pod: Pod) -> bool:
    """Neither finished nor on its way out."""
    return pod.metadata.deletion_timestamp is None and not is_finished(pod)


def is_terminating(pod: Pod) -> bool:
    return pod.metadata.deletion_timestamp is not None and not is_finished(pod)


def is_ready(pod: Pod) -> bool:
    ready = condition(pod, "Ready")
    return ready is not None and ready.status == "True"


def available_in(pod: Pod, min_ready_seconds: int, now: float) -> float | None:
    """Seconds until the pod has been ready long enough; 0: it has; None: it is not ready."""
    ready = condition(pod, "Ready")
    if ready is None or ready.status != "True":
        return None
    if min_ready_seconds == 0:
        return 0.0
    if ready.last_transition_time is None:
        return None
    return max(0.0, parse(ready.last_transition_time) + min_ready_seconds - now)


def rank_for_deletion(pods: Sequence[Pod], related: Iterable[Pod], now: float) -> list[Pod]:
    """`pods` with those first that are to go first, when fewer are wanted: upstream's `ActivePodsWithRanks`.

    `related` are the active pods that do the same work; a pod goes before others where its node has more of them.
    """
    crowd: dict[str, int] = {}
    for pod in related:
        crowd[pod.spec.node_name] = crowd.get(pod.spec.node_name, 0) + 1

    def compare(a: Pod, b: Pod) -> int:
        return _compare(a, b, crowd, now)

    return sorted(pods, key=cmp_to_key(compare))


def _compare(a: Pod, b: Pod, crowd: Mapping[str, int], now: float) -> int:
    first, second = _standing(a, crowd), _standing(b, crowd)
    if first != second:
        return -1 if first < second else 1
    if is_ready(a):
        ages = _compare_ages(a, b, _ready_since(a), _ready_since(b), now)
        if ages:
            return ages
    restarts = _restarts(b) - _restarts(a)
    if restarts:
        return restarts
    return _compare_ages(a, b, _created(a), _created(b), now)


def _standing(pod: Pod, crowd: Mapping[str, int]) -> tuple[bool, int, bool, int, int]:
    """Without a node, not running, not ready, cheap, crowded: each of these goes first."""
    return (
        bool(pod.spec.node_name),
        _PHASES.get(pod.status.phase, 0),
        is_ready(pod),
        _deletion_cost(pod),
        -crowd.get(pod.spec.node_name, 0),
    )


def _compare_ages(a: Pod, b: Pod, since_a: float | None, since_b: float | None, now: float) -> int:
    """The younger goes first, but ages are compared by their magnitude only, so that chance (the uid) decides
    between pods of about the same age (KEP-2185)."""
    if since_a == since_b:
        return 0
    if since_a is None or since_b is None:
        return -1 if since_a is None else 1
    magnitude = _magnitude(now - since_a) - _magnitude(now - since_b)
    if magnitude:
        return magnitude
    return -1 if a.metadata.uid < b.metadata.uid else 1


def _magnitude(seconds: float) -> int:
    nanoseconds = int(seconds * 1e9)
    return int(math.log2(nanoseconds)) if nanoseconds > 0 else -1


def _ready_since(pod: Pod) -> float | None:
    ready = condition(pod, "Ready")
    return parse(ready.last_transition_time) if ready is not None and ready.last_transition_time else None


def _created(pod: Pod) -> float | None:
    return parse(pod.metadata.creation_timestamp) if pod.metadata.creation_timestamp else None


def _restarts(pod: Pod) -> int:
    return max((status.restart_count for status in pod.status.container_statuses), default=0)


def _deletion_cost(pod: Pod) -> int:
    text = pod.metadata.annotations.get(DELETION_COST, "")
    try:
        return int(text) if text else 0
    except ValueError:
        return 0
