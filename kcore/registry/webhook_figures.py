"""How admission webhooks are doing: counted as they are called, told by upstream's names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kcore.kit.histogram import Histogram

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["Call", "WebhookFigures"]

_SECONDS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10, 25)
_CALL = ("name", "type", "operation")


class Call(NamedTuple):
    """What calls are told apart by. `type`: `admit` or `validating`."""

    name: str
    type: str
    operation: str


class WebhookFigures:
    def __init__(self) -> None:
        self._durations: dict[tuple[Call, bool], Histogram] = {}
        self._requests: Counter[tuple[Call, int, bool]] = Counter()
        self._rejections: Counter[tuple[Call, str, int]] = Counter()
        self._failed_open: Counter[tuple[str, str]] = Counter()

    def consented(self, call: Call, seconds: float) -> None:
        self._observe(call, seconds, 200, rejected=False)

    def denied(self, call: Call, seconds: float, code: int) -> None:
        self._observe(call, seconds, code, rejected=True)
        self._rejections[call, "no_error", code] += 1

    def failed(self, call: Call, seconds: float, *, open_: bool) -> None:
        """There was no answer; `open_`: the request goes on without it."""
        self._observe(call, seconds, 400, rejected=not open_)
        if open_:
            self._failed_open[call.name, call.type] += 1
        else:
            self._rejections[call, "calling_webhook_error", 400] += 1

    def _observe(self, call: Call, seconds: float, code: int, *, rejected: bool) -> None:
        key = call, rejected
        if key not in self._durations:
            self._durations[key] = Histogram(_SECONDS)
        self._durations[key].observe(seconds)
        self._requests[call, code, rejected] += 1

    def figures(self) -> _Snapshot:
        durations = {key: (found.buckets(), found.total) for key, found in self._durations.items()}
        return _Snapshot(durations, self._requests.copy(), self._rejections.copy(), self._failed_open.copy())


@dataclass(frozen=True, eq=False)
class _Snapshot:
    """Made on the loop, collected from in any thread."""

    durations: Mapping[tuple[Call, bool], tuple[list[tuple[str, float]], float]]
    requests: Mapping[tuple[Call, int, bool], int]
    rejections: Mapping[tuple[Call, str, int], int]
    failed_open: Mapping[tuple[str, str], int]

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, UntypedMetricFamily

        prefix = "apiserver_admission_webhook"
        durations = HistogramMetricFamily(
            f"{prefix}_admission_duration_seconds", "How long webhooks took.", labels=(*_CALL, "rejected")
        )
        for (call, rejected), (buckets, total) in self.durations.items():
            durations.add_metric((*call, _word(rejected)), buckets, total)
        requests = CounterMetricFamily(f"{prefix}_request", "Calls.", labels=(*_CALL, "code", "rejected"))
        for (call, code, rejected), count in self.requests.items():
            requests.add_metric((*call, str(code), _word(rejected)), count)
        # Counters, too, but prometheus_client would end their names in `_total`, as upstream does not.
        rejections = UntypedMetricFamily(
            f"{prefix}_rejection_count", "Requests refused.", labels=(*_CALL, "error_type", "rejection_code")
        )
        for (call, error, code), count in self.rejections.items():
            rejections.add_metric((*call, error, str(code)), count)
        failed_open = UntypedMetricFamily(
            f"{prefix}_fail_open_count", "Requests that went on without an answer.", labels=("name", "type")
        )
        for key, count in self.failed_open.items():
            failed_open.add_metric(key, count)
        yield from (durations, requests, rejections, failed_open)


def _word(flag: bool) -> str:
    return "true" if flag else "false"
