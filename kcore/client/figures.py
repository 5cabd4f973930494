"""How controllers are doing: counted as they work, told as JSON and to Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kcore.api.errors import ApiError
from kcore.client.workqueue import QueueStatistics, WorkQueue
from kcore.kit.histogram import Histogram

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["ControllerMetrics", "Figures", "statistics"]


class Figures:
    """What came of the keys of one controller: done, done for now, somebody was faster, failed."""

    def __init__(self, name: str, queue: WorkQueue[str]) -> None:
        self.name = name
        self.queue = queue
        self.succeeded = 0
        self.later = 0
        self.requeued = 0
        self.errors = 0
        self.last_error: dict[str, str] | None = None

    @property
    def results(self) -> dict[str, int]:
        """By the names that controller-runtime gives them."""
        return {
            "success": self.succeeded,
            "requeue_after": self.later,
            "requeue": self.requeued,
            "error": self.errors,
        }

    def failed(self, key: str, error: Exception) -> None:
        self.errors += 1
        said = error.message if isinstance(error, ApiError) else f"{type(error).__name__}: {error}"
        self.last_error = {"key": key, "message": said}


def statistics(controllers: Sequence[Figures]) -> dict[str, Any]:
    """By name, as one JSON document."""
    return {figures.name: _statistics(figures, figures.queue.statistics()) for figures in controllers}


def _statistics(figures: Figures, queue: QueueStatistics) -> dict[str, Any]:
    return {
        "queue": {"waiting": queue.waiting, "working": queue.working, "delayed": queue.delayed},
        "adds": queue.adds,
        "retries": queue.retries,
        "reconciles": figures.results,
        "seconds": round(figures.queue.worked.total, 3),
        "longestRunningSeconds": round(queue.longest_seconds, 3),
        "lastError": figures.last_error,
    }


class _Snapshot(NamedTuple):
    name: str
    queue: QueueStatistics
    waited: tuple[list[tuple[str, float]], float]
    worked: tuple[list[tuple[str, float]], float]
    results: dict[str, int]


def _snapshot(figures: Figures) -> _Snapshot:
    def taken(histogram: Histogram) -> tuple[list[tuple[str, float]], float]:
        return histogram.buckets(), histogram.total

    queue = figures.queue
    return _Snapshot(figures.name, queue.statistics(), taken(queue.waited), taken(queue.worked), figures.results)


class ControllerMetrics:
    """The figures of one moment under the names that client-go and controller-runtime give them. Made on the loop,
    collected from in any thread."""

    def __init__(self, controllers: Sequence[Figures]) -> None:
        self._snapshots = [_snapshot(figures) for figures in controllers]

    def collect(self) -> Iterator[Metric]:
        yield from self._queues()
        yield from self._durations()
        yield from self._reconciles()

    def _queues(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        counters = (("workqueue_adds", "Keys added.", "adds"), ("workqueue_retries", "Keys that came back.", "retries"))
        for name, text, field in counters:
            counter = CounterMetricFamily(name, text, labels=["name"])
            for one in self._snapshots:
                counter.add_metric([_queue(one)], getattr(one.queue, field))
            yield counter
        gauges = (
            ("workqueue_depth", "Keys that wait.", "waiting"),
            ("workqueue_unfinished_work_seconds", "How long all running work has taken so far.", "unfinished_seconds"),
            ("workqueue_longest_running_processor_seconds", "How long the longest of it has.", "longest_seconds"),
        )
        for name, text, field in gauges:
            gauge = GaugeMetricFamily(name, text, labels=["name"])
            for one in self._snapshots:
                gauge.add_metric([_queue(one)], getattr(one.queue, field))
            yield gauge

    def _durations(self) -> Iterator[Metric]:
        from prometheus_client.core import HistogramMetricFamily

        waited = HistogramMetricFamily(
            "workqueue_queue_duration_seconds", "How long keys waited for a worker.", labels=["name"]
        )
        worked = HistogramMetricFamily(
            "workqueue_work_duration_seconds", "How long the work on a key took.", labels=["name"]
        )
        for one in self._snapshots:
            waited.add_metric([_queue(one)], *one.waited)
            worked.add_metric([_queue(one)], *one.worked)
        yield waited
        yield worked

    def _reconciles(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        total = CounterMetricFamily(
            "controller_runtime_reconcile", "Reconciles by their result.", labels=["controller", "result"]
        )
        errors = CounterMetricFamily("controller_runtime_reconcile_errors", "Those that failed.", labels=["controller"])
        seconds = HistogramMetricFamily(
            "controller_runtime_reconcile_time_seconds", "How long they took.", labels=["controller"]
        )
        for one in self._snapshots:
            for result, count in one.results.items():
                total.add_metric([one.name, result], count)
            errors.add_metric([one.name], one.results["error"])
            seconds.add_metric([one.name], *one.worked)
        yield total
        yield errors
        yield seconds


def _queue(one: _Snapshot) -> str:
    """Upstream calls its queues by what they are about."""
    return one.name.removesuffix("-controller")
