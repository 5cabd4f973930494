"""From one metric of an autoscaler to a number of replicas, whatever kind of metric it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kcore.api.autoscaling_v2 import (
    ContainerResourceMetricSource,
    ContainerResourceMetricStatus,
    ExternalMetricSource,
    ExternalMetricStatus,
    MetricIdentifier,
    MetricSpec,
    MetricStatus,
    MetricTarget,
    MetricValueStatus,
    ObjectMetricSource,
    ObjectMetricStatus,
    PodsMetricSource,
    PodsMetricStatus,
    ResourceMetricSource,
    ResourceMetricStatus,
)
from kcore.api.core_v1 import Pod
from kcore.api.quantity import canonical, milli_value
from kcore.api.selectors import selector_from_struct
from kcore.controllers.autoscaling.metrics import MetricsClient
from kcore.controllers.autoscaling.replicas import (
    MetricsError,
    Proposal,
    Tolerance,
    by_average,
    by_total,
    by_total_per_pod,
    by_utilization,
)

__all__ = ["Measured", "Target", "failure_reason", "failure_text", "measure"]


class Target(NamedTuple):
    """What is scaled: how many replicas are asked for and how many there are, and the pods that its selector finds."""

    namespace: str
    wanted: int
    running: int
    selector: str
    pods: Sequence[Pod]


class Measured(NamedTuple):
    """`name` is what events and conditions call the metric."""

    replicas: int
    name: str
    status: MetricStatus


async def measure(
    client: MetricsClient, spec: MetricSpec, target: Target, tolerance: Tolerance, now: float
) -> Measured:
    """How many replicas one metric asks for. Raises MetricsError."""
    if spec.resource is not None:
        return await _resource(client, spec.resource, "", target, tolerance, now)
    if spec.container_resource is not None:
        return await _resource(
            client, spec.container_resource, spec.container_resource.container, target, tolerance, now
        )
    if spec.pods is not None:
        return await _pods(client, spec.pods, target, tolerance, now)
    if spec.object is not None:
        return await _object(client, spec.object, target, tolerance)
    if spec.external is not None:
        return await _external(client, spec.external, target, tolerance)
    raise MetricsError(f'unknown metric source type "{spec.type}"')


def failure_reason(spec: MetricSpec) -> str:
    """The reason of the event and the condition that tell of a failure."""
    known = {"Resource", "ContainerResource", "Pods", "Object", "External"}
    return f"FailedGet{spec.type}Metric" if spec.type in known else "InvalidMetricSourceType"


def failure_text(spec: MetricSpec, error: MetricsError) -> str:
    """What failed, as part of the account of all metrics."""
    if spec.resource is not None:
        return f"failed to get {spec.resource.name} resource metric value: {error}"
    if spec.container_resource is not None:
        return f"failed to get {spec.container_resource.name} container metric value: {error}"
    return f"failed to get {spec.type.lower()} metric value: {error}"


async def _resource(
    client: MetricsClient,
    source: ResourceMetricSource | ContainerResourceMetricSource,
    container: str,
    target: Target,
    tolerance: Tolerance,
    now: float,
) -> Measured:
    aim, resource = source.target, source.name
    what = "usage" if aim.average_value is not None else "utilization"
    try:
        try:
            metrics = await client.of_resource(target.namespace, target.selector, resource, container)
        except MetricsError as error:
            raise MetricsError(f"unable to get metrics for resource {resource}: {error}") from error
        if aim.average_value is not None:
            wanted = milli_value(aim.average_value)
            proposal = by_average(target.wanted, wanted, resource, target.pods, metrics, tolerance, now)
        else:
            percent = aim.average_utilization or 0
            proposal = by_utilization(target.wanted, percent, resource, target.pods, metrics, container, tolerance, now)
    except MetricsError as error:
        raise MetricsError(f"failed to get {resource} {what}: {error}") from error
    current = MetricValueStatus(average_utilization=proposal.utilization, average_value=_quantity(proposal.value))
    name = f"{resource} resource"
    if aim.average_value is None:
        name += " utilization (percentage of request)"
    if container:
        status = MetricStatus(
            type="ContainerResource",
            container_resource=ContainerResourceMetricStatus(name=resource, container=container, current=current),
        )
    else:
        status = MetricStatus(type="Resource", resource=ResourceMetricStatus(name=resource, current=current))
    return Measured(proposal.replicas, name, status)


async def _pods(
    client: MetricsClient, source: PodsMetricSource, target: Target, tolerance: Tolerance, now: float
) -> Measured:
    name = source.metric.name
    try:
        metrics = await client.of_pods(target.namespace, target.selector, name, _selector(source.metric))
    except MetricsError as error:
        raise MetricsError(f"unable to get metric {name}: {error}") from error
    wanted = milli_value(source.target.average_value or "0")
    proposal = by_average(target.wanted, wanted, "", target.pods, metrics, tolerance, now)
    current = MetricValueStatus(average_value=_quantity(proposal.value))
    status = MetricStatus(type="Pods", pods=PodsMetricStatus(current=current, metric=source.metric))
    return Measured(proposal.replicas, f"pods metric {name}", status)


async def _object(client: MetricsClient, source: ObjectMetricSource, target: Target, tolerance: Tolerance) -> Measured:
    described, name = source.described_object, source.metric.name
    try:
        total = await client.of_object(target.namespace, described, name, _selector(source.metric))
    except MetricsError as error:
        where = f"{described.kind} on {target.namespace} {described.name}"
        raise MetricsError(f"unable to get metric {name}: {where}/{error}") from error
    proposal, current = _from_total(source.target, target, total, tolerance)
    status = ObjectMetricStatus(current=current, described_object=described, metric=source.metric)
    metric = f"{described.kind} metric {name}" if source.target.type == "Value" else _external_name(source.metric)
    return Measured(proposal.replicas, metric, MetricStatus(type="Object", object=status))


async def _external(
    client: MetricsClient, source: ExternalMetricSource, target: Target, tolerance: Tolerance
) -> Measured:
    name = source.metric.name
    try:
        total = await client.external(target.namespace, name, _selector(source.metric))
    except MetricsError as error:
        where = f"{target.namespace}/{name}/{_selector(source.metric)}"
        raise MetricsError(f"unable to get external metric {where}: {error}") from error
    proposal, current = _from_total(source.target, target, total, tolerance)
    status = ExternalMetricStatus(current=current, metric=source.metric)
    return Measured(
        proposal.replicas,
        _external_name(source.metric),
        MetricStatus(type="External", external=status),
    )


def _from_total(
    aim: MetricTarget, target: Target, total: int, tolerance: Tolerance
) -> tuple[Proposal, MetricValueStatus]:
    if aim.average_value is not None:
        proposal = by_total_per_pod(target.running, milli_value(aim.average_value), total, tolerance)
        return proposal, MetricValueStatus(average_value=_quantity(proposal.value))
    proposal = by_total(target.wanted, milli_value(aim.value or "0"), total, target.pods, tolerance)
    return proposal, MetricValueStatus(value=_quantity(proposal.value))


def _quantity(thousandths: int) -> str:
    return canonical(f"{thousandths}m")


def _selector(metric: MetricIdentifier) -> str:
    return str(selector_from_struct(metric.selector)) if metric.selector is not None else ""


def _external_name(metric: MetricIdentifier) -> str:
    """With the labels of the selector as Go prints them."""
    shown = "nil"
    if metric.selector is not None:
        labels = "".join(f"{key}: {value}," for key, value in sorted(metric.selector.match_labels.items()))
        expressions = "MatchExpressions:[]LabelSelectorRequirement{},"
        shown = f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},{expressions}}}"
    return f"external metric {metric.name}({shown})"
