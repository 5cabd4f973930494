"""How many replicas bring a measured value to its target: pure arithmetic, after upstream's `ReplicaCalculator`.

Values are in thousandths. A ratio near 1 changes nothing. Pods without a measurement, or too young for theirs to mean
anything, are taken for what speaks against a change: idle when there is to be more, at their target when there is to be
less.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from kcore.api.core_v1 import Container, Pod
from kcore.api.quantity import milli_value
from kcore.api.timestamp import parse
from kcore.controllers.pods import condition, is_ready

__all__ = [
    "MetricsError",
    "PodMetric",
    "Proposal",
    "Tolerance",
    "by_average",
    "by_total",
    "by_total_per_pod",
    "by_utilization",
]

INITIALIZATION = 300.0
"""Seconds after its start in which a pod's CPU usage may be that of its start."""
INITIAL_READINESS_DELAY = 30.0
NO_PODS = "no pods returned by selector while calculating replica count"


class MetricsError(Exception):
    """What is to be aimed at cannot be computed; the message is upstream's."""


class PodMetric(NamedTuple):
    """What a pod was measured at, in thousandths, over `window` seconds up to `timestamp`."""

    value: int
    timestamp: float
    window: float


class Tolerance(NamedTuple):
    """How far from 1 a ratio may be before anything happens."""

    down: float = 0.1
    up: float = 0.1

    def covers(self, ratio: float) -> bool:
        return 1 - self.down <= ratio <= 1 + self.up


class Proposal(NamedTuple):
    """How many replicas, and what was measured: on average a pod (or in total), and as a percentage of the requests."""

    replicas: int
    value: int
    utilization: int | None = None


@dataclass(slots=True)
class _Groups:
    ready: int = 0
    unready: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)


def by_utilization(
    current: int,
    target: int,
    resource: str,
    pods: Sequence[Pod],
    metrics: Mapping[str, PodMetric],
    container: str,
    tolerance: Tolerance,
    now: float,
) -> Proposal:
    """Replicas that use `target` percent of what they request."""
    groups, values = _sorted_out(pods, metrics, resource, now)
    requests = _requests(pods, container, resource)
    ratio, utilization, average = _utilization(values, requests, target)
    fallback = max(100, target)
    replicas = _replicas(
        current,
        ratio,
        groups,
        values,
        {name: requests.get(name, 0) * fallback // 100 for name in groups.missing},
        lambda all_values: _utilization(all_values, requests, target)[0],
        tolerance,
    )
    return Proposal(replicas, average, utilization)


def by_average(
    current: int,
    target: int,
    resource: str,
    pods: Sequence[Pod],
    metrics: Mapping[str, PodMetric],
    tolerance: Tolerance,
    now: float,
) -> Proposal:
    """Replicas that are measured at `target` each. `resource` is "" for metrics that are no resource."""
    groups, values = _sorted_out(pods, metrics, resource, now)

    def ratio_of(some: Mapping[str, int]) -> float:
        return sum(some.values()) / len(some) / target

    at_target = dict.fromkeys(groups.missing, target)
    replicas = _replicas(current, ratio_of(values), groups, values, at_target, ratio_of, tolerance)
    return Proposal(replicas, sum(values.values()) // len(values))


def by_total(current: int, target: int, total: int, pods: Sequence[Pod], tolerance: Tolerance) -> Proposal:
    """Replicas among which a total, proportional to their number, comes to `target`."""
    ratio = total / target
    if current and tolerance.covers(ratio):
        return Proposal(current, total)
    ready = _ready_count(pods) if current else 1
    return Proposal(math.ceil(ratio * ready), total)


def by_total_per_pod(running: int, target: int, total: int, tolerance: Tolerance) -> Proposal:
    """Replicas among which each has `target` of a total."""
    ratio = total / (target * running) if running else math.inf
    replicas = running if tolerance.covers(ratio) else math.ceil(total / target)
    return Proposal(replicas, math.ceil(total / running) if running else total)


def _sorted_out(
    pods: Sequence[Pod], metrics: Mapping[str, PodMetric], resource: str, now: float
) -> tuple[_Groups, dict[str, int]]:
    """The pods by what their measurements are worth, and those that count."""
    if not pods:
        raise MetricsError(NO_PODS)
    groups = _Groups()
    for pod in pods:
        _sort(pod, metrics.get(pod.metadata.name), resource, groups, now)
    out = groups.ignored | groups.unready
    values = {name: metric.value for name, metric in metrics.items() if name not in out}
    if not values:
        raise MetricsError("did not receive metrics for targeted pods (pods might be unready)")
    return groups, values


def _sort(pod: Pod, metric: PodMetric | None, resource: str, groups: _Groups, now: float) -> None:
    name = pod.metadata.name
    if pod.metadata.deletion_timestamp is not None or pod.status.phase == "Failed":
        groups.ignored.add(name)
    elif pod.status.phase == "Pending":
        groups.unready.add(name)
    elif metric is None:
        groups.missing.add(name)
    elif resource == "cpu" and _is_starting(pod, metric, now):
        groups.unready.add(name)
    else:
        groups.ready += 1


def _is_starting(pod: Pod, metric: PodMetric, now: float) -> bool:
    """Whether the pod's usage of CPU may still be that of its start."""
    ready = condition(pod, "Ready")
    if ready is None or pod.status.start_time is None:
        return True
    started = parse(pod.status.start_time)
    changed = parse(ready.last_transition_time) if ready.last_transition_time else started
    if started + INITIALIZATION > now:
        return ready.status == "False" or metric.timestamp < changed + metric.window
    return ready.status == "False" and started + INITIAL_READINESS_DELAY > changed


def _replicas(
    current: int,
    ratio: float,
    groups: _Groups,
    values: dict[str, int],
    at_target: Mapping[str, int],
    ratio_of: Callable[[Mapping[str, int]], float],
    tolerance: Tolerance,
) -> int:
    rising_unready = bool(groups.unready) and ratio > 1
    if not rising_unready and not groups.missing:
        return current if tolerance.covers(ratio) else math.ceil(ratio * groups.ready)
    cautious = dict(values)
    if ratio < 1:
        cautious |= at_target
    elif ratio > 1:
        cautious |= dict.fromkeys(groups.missing, 0)
    if rising_unready:
        cautious |= dict.fromkeys(groups.unready, 0)
    after = ratio_of(cautious)
    if tolerance.covers(after) or (ratio < 1 < after) or (ratio > 1 > after):
        return current
    wanted = math.ceil(after * len(cautious))
    turned = (after < 1 and wanted > current) or (after > 1 and wanted < current)
    return current if turned else wanted


def _utilization(values: Mapping[str, int], requests: Mapping[str, int], target: int) -> tuple[float, int, int]:
    """The ratio of the utilization to its target, the utilization in percent, and the average value."""
    known = [name for name in values if name in requests]
    requested = sum(requests[name] for name in known)
    if not requested:
        raise MetricsError("no metrics returned matched known pods")
    used = sum(values[name] for name in known)
    utilization = used * 100 // requested
    return utilization / target, utilization, used // len(known)


def _requests(pods: Iterable[Pod], container: str, resource: str) -> dict[str, int]:
    requests = {}
    for pod in pods:
        total = 0
        for one in _counted(pod, container):
            request = one.resources.requests.get(resource)
            if request is None:
                raise MetricsError(f"missing request for {resource} in container {one.name} of Pod {pod.metadata.name}")
            total += milli_value(request)
        requests[pod.metadata.name] = total
    return requests


def _counted(pod: Pod, container: str) -> Iterable[Container]:
    """The containers that run for long: all, or the one that is named."""
    sidecars = (c for c in pod.spec.init_containers if c.restart_policy == "Always")
    return (c for c in (*pod.spec.containers, *sidecars) if not container or c.name == container)


def _ready_count(pods: Sequence[Pod]) -> int:
    if not pods:
        raise MetricsError(
            "unable to calculate ready pods: no pods returned by selector while calculating replica count"
        )
    return sum(pod.status.phase == "Running" and is_ready(pod) for pod in pods)
