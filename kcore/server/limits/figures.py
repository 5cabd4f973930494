"""What API Priority and Fairness has to tell at `/metrics`, by upstream's names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["Counts", "Figures", "FlowKey"]

_PREFIX = "apiserver_flowcontrol"
_LABELS = ("priority_level", "flow_schema")


class FlowKey(NamedTuple):
    level: str
    schema: str


class Counts:
    """Of one schema on one level."""

    __slots__ = ("dispatched", "executing", "rejected", "waiting")

    def __init__(self) -> None:
        self.dispatched = 0
        self.executing = 0
        self.waiting = 0
        self.rejected: Counter[str] = Counter()


class Figures:
    """The families of one moment. `nominal`: the seats of each level."""

    def __init__(self, counts: Mapping[FlowKey, Counts], nominal: Mapping[str, int]) -> None:
        self._counts = {
            key: (each.dispatched, each.executing, each.waiting, dict(each.rejected)) for key, each in counts.items()
        }
        self._nominal = dict(nominal)

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        dispatched = CounterMetricFamily(f"{_PREFIX}_dispatched_requests", "Requests let in.", labels=_LABELS)
        executing = GaugeMetricFamily(f"{_PREFIX}_current_executing_requests", "Requests on a seat.", labels=_LABELS)
        waiting = GaugeMetricFamily(f"{_PREFIX}_current_inqueue_requests", "Requests that wait.", labels=_LABELS)
        labels = (*_LABELS, "reason")
        rejected = CounterMetricFamily(f"{_PREFIX}_rejected_requests", "Requests told to come again.", labels=labels)
        for key, (let_in, seated, queued, refused) in self._counts.items():
            dispatched.add_metric(key, let_in)
            executing.add_metric(key, seated)
            waiting.add_metric(key, queued)
            for reason, count in refused.items():
                rejected.add_metric([*key, reason], count)
        yield from (dispatched, executing, waiting, rejected)
        nominal = GaugeMetricFamily(f"{_PREFIX}_nominal_limit_seats", "Seats of a level.", labels=_LABELS[:1])
        for level, seats in self._nominal.items():
            nominal.add_metric([level], seats)
        yield nominal
