"""`/metrics`: requests counted where they pass, in plain lists; what Prometheus calls families is made at a scrape.

A request costs one look-up and a bisection. The scrape copies the lists on the loop and renders in a thread.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from kcore.kit.telling import Collector
from kcore.server.address import Address

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["METRICS_TYPE", "Labels", "Metrics", "labels_of"]

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Upstream's buckets of apiserver_request_duration_seconds.
_BUCKETS = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60)
_VERBS = {"create": "POST", "update": "PUT"}
_READING = frozenset(("get", "list", "watch"))
_NAMES = ("verb", "group", "version", "resource", "subresource", "scope")


class Labels(NamedTuple):
    """What requests are told apart by."""

    verb: str
    group: str
    version: str
    resource: str
    subresource: str
    scope: str


@lru_cache(4096)
def labels_of(verb: str, address: Address) -> Labels:
    scope = "resource" if address.name else "namespace" if address.namespace else "cluster"
    name = _VERBS.get(verb, verb.upper())
    return Labels(name, address.group, address.version, address.resource, address.subresource, scope)


class Metrics:
    """Counts of one server. `watches` tells what each open watch is labelled by."""

    def __init__(self, watches: Callable[[], Iterable[Labels]]) -> None:
        self._watches = watches
        self._durations: dict[tuple[Labels, int], list[float]] = {}
        """For each kind of request and its code: a count a bucket, the count beyond them, and the sum."""
        self._inflight = {"mutating": 0, "readOnly": 0}
        self.others: list[Callable[[], Collector]] = []
        """What other parts of the process have to tell; called on the loop, and collected from in a thread."""

    def begin(self, verb: str) -> str:
        """Count a request as under way; `end` takes what this returns."""
        kind = "readOnly" if verb in _READING else "mutating"
        self._inflight[kind] += 1
        return kind

    def end(self, kind: str, labels: Labels, code: int, seconds: float) -> None:
        self._inflight[kind] -= 1
        counts = self._durations.get((labels, code))
        if counts is None:
            counts = self._durations[labels, code] = [0.0] * (len(_BUCKETS) + 2)
        counts[bisect_left(_BUCKETS, seconds)] += 1
        counts[-1] += seconds

    async def render(self) -> bytes:
        durations = {key: tuple(counts) for key, counts in self._durations.items()}
        watches = Counter(self._watches())
        collectors = [_Collector(durations, dict(self._inflight), watches), *(other() for other in self.others)]
        return await asyncio.to_thread(_render, collectors)


class _Collector:
    """The families of one moment."""

    def __init__(
        self,
        durations: Mapping[tuple[Labels, int], tuple[float, ...]],
        inflight: Mapping[str, int],
        watches: Mapping[Labels, int],
    ) -> None:
        self._durations = durations
        self._inflight = inflight
        self._watches = watches

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        names = [*_NAMES, "component"]
        total = CounterMetricFamily("apiserver_request", "Requests by resource and code.", labels=[*names, "code"])
        summed: dict[Labels, list[float]] = {}
        for (labels, code), counts in self._durations.items():
            total.add_metric([*labels, "apiserver", str(code)], sum(counts[:-1]))
            before = summed.setdefault(labels, [0.0] * len(counts))
            summed[labels] = [a + b for a, b in zip(before, counts, strict=True)]
        yield total
        seconds = HistogramMetricFamily(
            "apiserver_request_duration_seconds", "How long requests took, without watches.", labels=names
        )
        for labels, parts in summed.items():
            seconds.add_metric([*labels, "apiserver"], list(_cumulative(parts[:-1])), parts[-1])
        yield seconds
        inflight = GaugeMetricFamily(
            "apiserver_current_inflight_requests", "Requests under way.", labels=["request_kind"]
        )
        for kind, count in self._inflight.items():
            inflight.add_metric([kind], count)
        yield inflight
        watches = GaugeMetricFamily("apiserver_longrunning_requests", "Open watches.", labels=names)
        for labels, count in self._watches.items():
            watches.add_metric([*labels, "apiserver"], count)
        yield watches


def _cumulative(counts: Iterable[float]) -> Iterator[tuple[str, float]]:
    total = 0.0
    for bound, count in zip((*map(str, map(float, _BUCKETS)), "+Inf"), counts, strict=True):
        total += count
        yield bound, total


def _render(collectors: Iterable[Collector]) -> bytes:
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    for collector in collectors:
        registry.register(collector)
    ProcessCollector(registry=registry)
    return generate_latest(registry)
