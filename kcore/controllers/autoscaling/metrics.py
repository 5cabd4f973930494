"""Where an autoscaler's figures come from: the resource, custom and external metrics APIs, whoever serves them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.api import metrics_v1beta1
from kcore.api.autoscaling_v2 import CrossVersionObjectReference
from kcore.api.errors import ApiError
from kcore.api.kind import parse_api_version
from kcore.api.metrics_v1beta1 import PodMetrics
from kcore.api.quantity import milli_value
from kcore.api.timestamp import parse
from kcore.client.client import Client, Listed
from kcore.controllers.autoscaling.replicas import MetricsError, PodMetric

__all__ = ["MetricsClient"]

CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2"
EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1"
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "ms": 0.001}


class MetricsClient:
    """Asks for metrics in one namespace at a time. Raises MetricsError."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def of_resource(self, namespace: str, selector: str, resource: str, container: str) -> dict[str, PodMetric]:
        """What each pod uses of a resource, all its containers together or one of them."""
        try:
            listed: Listed[PodMetrics] = await self._client.list(
                metrics_v1beta1.PODS, namespace, label_selector=selector
            )
        except ApiError as error:
            raise MetricsError(f"unable to fetch metrics from resource metrics API: {error.message}") from error
        if not listed.items:
            raise MetricsError("no metrics returned from resource metrics API")
        found = {}
        for pod in listed.items:
            used = _used(pod, resource, container)
            if used is not None:
                timestamp = parse(pod.timestamp) if pod.timestamp else 0.0
                found[pod.metadata.name] = PodMetric(used, timestamp, _seconds(pod.window))
        return found

    async def of_pods(self, namespace: str, selector: str, metric: str, metric_selector: str) -> dict[str, PodMetric]:
        """A custom metric of each pod."""
        query = {"labelSelector": selector, "metricLabelSelector": metric_selector}
        items = await self._fetch(f"{CUSTOM}/namespaces/{namespace}/pods/*/{metric}", query, "custom")
        found = {}
        for item in items:
            window = float(item.get("windowSeconds") or 60)
            measured = PodMetric(milli_value(item["value"]), parse(item["timestamp"]), window)
            found[str(item["describedObject"]["name"])] = measured
        return found

    async def of_object(
        self, namespace: str, described: CrossVersionObjectReference, metric: str, metric_selector: str
    ) -> int:
        """A custom metric of one object, in thousandths."""
        group, version = parse_api_version(described.api_version)
        kind = self._client.scheme.find_kind(group, version, described.kind)
        if kind is None:
            raise MetricsError(f'no matches for kind "{described.kind}" in version "{described.api_version}"')
        scope = f"namespaces/{namespace}/" if kind.namespaced else ""
        path = f"{CUSTOM}/{scope}{kind.group_resource}/{described.name}/{metric}"
        items = await self._fetch(path, {"metricLabelSelector": metric_selector}, "custom")
        return milli_value(items[0]["value"])

    async def external(self, namespace: str, metric: str, selector: str) -> int:
        """The sum of an external metric, in thousandths."""
        path = f"{EXTERNAL}/namespaces/{namespace}/{metric}"
        items = await self._fetch(path, {"labelSelector": selector}, "external")
        return sum(milli_value(item["value"]) for item in items)

    async def _fetch(self, path: str, query: Mapping[str, str], api: str) -> list[Any]:
        try:
            document = await self._client.fetch(path, query)
        except ApiError as error:
            raise MetricsError(f"unable to fetch metrics from {api} metrics API: {error.message}") from error
        items = document.get("items") if isinstance(document, dict) else None
        if not isinstance(items, list) or not items:
            raise MetricsError(f"no metrics returned from {api} metrics API")
        return items


def _used(pod: PodMetrics, resource: str, container: str) -> int | None:
    """None where the measurement does not say."""
    figures = [c.usage.get(resource) for c in pod.containers if not container or c.name == container]
    known = [milli_value(figure) for figure in figures if figure is not None]
    return sum(known) if known and len(known) == len(figures) else None


def _seconds(window: str) -> float:
    """A Go duration such as `15s` or `1m0s`."""
    total, number, unit = 0.0, "", ""
    for character in [*window, "0"]:
        if character.isdigit() or character == ".":
            if unit:
                total += float(number) * UNITS.get(unit, 0.0)
                number, unit = "", ""
            number += character
        else:
            unit += character
    return total
