"""The proxy's figures under the names that kube-proxy gives them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kcore.proxy.proxier import Proxier

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["render"]


def render(proxier: Proxier) -> bytes:
    """The text that Prometheus scrapes: a dozen figures, a fraction of a millisecond."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(proxier))
    return generate_latest(registry)


class _Collector:
    def __init__(self, proxier: Proxier) -> None:
        self._proxier = proxier

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        proxier, state = self._proxier, self._proxier.state
        yield GaugeMetricFamily(
            "kubeproxy_sync_proxy_rules_last_timestamp_seconds", "When rules were last in force.", state.last_synced
        )
        yield GaugeMetricFamily(
            "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
            "When the oldest change that is not in force came; 0: there is none.",
            state.pending_since or 0.0,
        )
        yield HistogramMetricFamily(
            "kubeproxy_sync_proxy_rules_duration_seconds",
            "How long it took to bring changes into force.",
            proxier.durations.buckets(),
            proxier.durations.total,
        )
        yield CounterMetricFamily(
            "kubeproxy_sync_proxy_rules_back_end_failures", "How often the back end refused.", state.failures
        )
        rules = proxier.rules.values()
        yield GaugeMetricFamily("kubeproxy_service_ports", "Service ports that have rules.", len(proxier.rules))
        yield GaugeMetricFamily(
            "kubeproxy_endpoints", "Endpoints in those rules.", sum(len(rule.endpoints.all) for rule in rules)
        )
