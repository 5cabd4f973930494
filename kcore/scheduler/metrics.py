"""The scheduler's figures by kube-scheduler's names: plain numbers, made into families at a scrape."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from kcore.kit.histogram import Histogram, exponential
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.queue import SchedulingQueue

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["SchedulerFigures", "SchedulerMetrics"]

K = TypeVar("K", bound=Hashable)

ATTEMPTS = exponential(0.001, 2, 15)
POINTS = exponential(0.0001, 2, 12)
PLUGINS = exponential(0.00001, 1.5, 20)
SLI = exponential(0.01, 2, 20)
TRIES = exponential(1, 2, 5)
VICTIMS = exponential(1, 2, 7)
WAITS = exponential(0.001, 2, 15)
MANY_ATTEMPTS = 16
HISTOGRAMS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "scheduling_attempt_duration_seconds": ("How long attempts took.", ("result", "profile")),
    "scheduling_algorithm_duration_seconds": ("How long decisions took.", ()),
    "framework_extension_point_duration_seconds": (
        "How long plugins took.",
        ("extension_point", "status", "profile"),
    ),
    "plugin_execution_duration_seconds": (
        "How long single plugins took, in one cycle of ten.",
        ("plugin", "extension_point", "status"),
    ),
    "pod_scheduling_sli_duration_seconds": ("How long pods waited for their nodes.", ("attempts",)),
    "permit_wait_duration_seconds": ("How long pods waited on Permit.", ("result",)),
    "pod_scheduling_attempts": ("Attempts until a pod was bound.", ()),
    "preemption_victims": ("Pods that had to go for one.", ()),
}
"""What each is about, and its labels."""


class SchedulerMetrics:
    """Counts of one scheduler."""

    def __init__(self, cache: SchedulerCache, queue: SchedulingQueue) -> None:
        self._cache = cache
        self._queue = queue
        self._attempts: dict[tuple[str, ...], Histogram] = {}
        self._algorithm = Histogram(ATTEMPTS)
        self._points: dict[tuple[str, ...], Histogram] = {}
        self._plugins: dict[tuple[str, ...], Histogram] = {}
        self._sli: dict[str, Histogram] = {}
        self._tries = Histogram(TRIES)
        self._victims = Histogram(VICTIMS)
        self._waits: dict[str, Histogram] = {}
        self._preemptions = 0

    @property
    def attempts(self) -> dict[str, int]:
        """How many attempts there were, by their result."""
        counts: Counter[str] = Counter()
        for (result, _), histogram in self._attempts.items():
            counts[result] += histogram.count
        return dict(counts)

    def attempted(self, result: str, profile: str, seconds: float) -> None:
        """A pod was `scheduled`, found `unschedulable`, or met an `error`."""
        _of(self._attempts, (result, profile), ATTEMPTS).observe(seconds)

    def decided(self, seconds: float) -> None:
        """A cycle has come to its decision."""
        self._algorithm.observe(seconds)

    def ran(self, point: str, status: str, profile: str, seconds: float) -> None:
        """The plugins of an extension point have been run for one pod."""
        _of(self._points, (point, status, profile), POINTS).observe(seconds)

    def executed(self, plugin: str, point: str, status: str, seconds: float) -> None:
        """A plugin was asked."""
        _of(self._plugins, (plugin, point, status), PLUGINS).observe(seconds)

    def bound(self, attempts: int, seconds: float) -> None:
        """A pod has got its node so long after it came to the queue."""
        label = str(attempts) if attempts < MANY_ATTEMPTS else f"{MANY_ATTEMPTS - 1}+"
        _of(self._sli, label, SLI).observe(seconds)
        self._tries.observe(attempts)

    def preempted(self, victims: int) -> None:
        """Preemption was tried, and has chosen so many pods."""
        self._preemptions += 1
        if victims:
            self._victims.observe(victims)

    def waited(self, result: str, seconds: float) -> None:
        """A pod that a Permit plugin had wait was allowed or rejected."""
        _of(self._waits, result, WAITS).observe(seconds)

    def statistics(self) -> Mapping[str, Mapping[str, int]]:
        """What queue and cache hold."""
        return {"queue": self._queue.statistics()._asdict(), "cache": self._cache.statistics()._asdict()}

    def figures(self) -> SchedulerFigures:
        """All of this moment, to be told at leisure."""
        histograms = copy.deepcopy(self._histograms())
        refusals = Counter(self._queue.refusals())
        return SchedulerFigures(histograms, self._preemptions, self.statistics(), dict(self._queue.incoming), refusals)

    def _histograms(self) -> Mapping[str, Mapping[tuple[str, ...], Histogram]]:
        return {
            "scheduling_attempt_duration_seconds": self._attempts,
            "scheduling_algorithm_duration_seconds": {(): self._algorithm},
            "framework_extension_point_duration_seconds": self._points,
            "plugin_execution_duration_seconds": self._plugins,
            "pod_scheduling_sli_duration_seconds": _tupled(self._sli),
            "permit_wait_duration_seconds": _tupled(self._waits),
            "pod_scheduling_attempts": {(): self._tries},
            "preemption_victims": {(): self._victims},
        }


@dataclass(frozen=True, eq=False)
class SchedulerFigures:
    """What is told at a scrape: a collector of prometheus_client."""

    histograms: Mapping[str, Mapping[tuple[str, ...], Histogram]]
    preemptions: int
    statistics: Mapping[str, Mapping[str, int]]
    incoming: Mapping[tuple[str, str], int]
    refusals: Mapping[tuple[str, str], int]

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import HistogramMetricFamily

        for name, histograms in self.histograms.items():
            text, labels = HISTOGRAMS[name]
            family = HistogramMetricFamily(f"scheduler_{name}", text, labels=labels)
            for values, histogram in histograms.items():
                family.add_metric(values, histogram.buckets(), histogram.total)
            yield family
        yield from self._counters()
        yield from self._gauges()

    def _counters(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily

        attempts = CounterMetricFamily(
            "scheduler_schedule_attempts", "Attempts to schedule pods, by their result.", labels=["result", "profile"]
        )
        for labels, histogram in self.histograms["scheduling_attempt_duration_seconds"].items():
            attempts.add_metric(labels, histogram.count)
        yield attempts
        yield CounterMetricFamily("scheduler_preemption_attempts", "Attempts to preempt pods.", self.preemptions)
        incoming = CounterMetricFamily(
            "scheduler_queue_incoming_pods", "Pods that came to a queue, and why.", labels=["queue", "event"]
        )
        for labels, count in self.incoming.items():
            incoming.add_metric(labels, count)
        yield incoming

    def _gauges(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        pending = GaugeMetricFamily("scheduler_pending_pods", "Pods without a node, by queue.", labels=["queue"])
        for queue in ("active", "backoff", "unschedulable", "gated"):
            pending.add_metric([queue], self.statistics["queue"][queue])
        yield pending
        refused = GaugeMetricFamily(
            "scheduler_unschedulable_pods", "Pods that a plugin has refused.", labels=["plugin", "profile"]
        )
        for labels, count in self.refusals.items():
            refused.add_metric(labels, count)
        yield refused
        size = GaugeMetricFamily("scheduler_cache_size", "What the scheduler's cache holds.", labels=["type"])
        for name, kind in (("nodes", "nodes"), ("pods", "pods"), ("assumed", "assumed_pods")):
            size.add_metric([kind], self.statistics["cache"][name])
        yield size


def _of(histograms: dict[K, Histogram], key: K, bounds: tuple[float, ...]) -> Histogram:
    found = histograms.get(key)
    if found is None:
        found = histograms[key] = Histogram(bounds)
    return found


def _tupled(histograms: Mapping[str, Histogram]) -> Mapping[tuple[str, ...], Histogram]:
    return {(label,): histogram for label, histogram in histograms.items()}
