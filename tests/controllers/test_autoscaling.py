from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

from kcore.api.apps_v1 import Deployment
from kcore.api.autoscaling_v2 import (
    ContainerResourceMetricSource,
    CrossVersionObjectReference,
    ExternalMetricSource,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehavior,
    HorizontalPodAutoscalerSpec,
    HPAScalingPolicy,
    HPAScalingRules,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
    ObjectMetricSource,
    PodsMetricSource,
    ResourceMetricSource,
)
from kcore.api.core_v1 import Pod
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import LabelSelector, ObjectMeta
from kcore.api.metrics_v1beta1 import ContainerMetrics, NodeMetrics, PodMetrics
from kcore.api.timestamp import format_seconds
from kcore.client.client import Client
from tests.controllers.control import controlled, deployment, run_pods
from tests.sim.world import World

CPU = MetricTarget(type="Utilization", average_utilization=50)


@dataclass
class Meter:
    """Measures every pod at what the test says, in thousandths of a CPU."""

    world: World
    cpu: int = 500

    def nodes(self) -> Iterable[NodeMetrics]:
        return ()

    def pods(self) -> Iterable[PodMetrics]:
        now = format_seconds(self.world.clock.now())
        for pod in self.world.informers.of(Pod).values():
            if pod.status.phase == "Running":
                metadata = ObjectMeta(
                    name=pod.metadata.name, namespace=pod.metadata.namespace, labels=pod.metadata.labels
                )
                used = ContainerMetrics(name="app", usage={"cpu": f"{self.cpu}m"})
                yield PodMetrics(metadata=metadata, timestamp=now, window="5s", containers=(used,))


@asynccontextmanager
async def scaled(replicas: int = 2, request: str = "1") -> AsyncIterator[tuple[World, Meter]]:
    """A Deployment `web` whose pods run and are measured."""
    async with controlled() as w:
        meter = Meter(w)
        w.registry.serve_usage(meter)
        w.tasks.start_soon(run_pods, w)
        made = deployment(replicas=replicas)
        container = made.spec.template.spec.containers[0]
        container = replace(container, resources=replace(container.resources, requests={"cpu": request}))
        template = replace(made.spec.template, spec=replace(made.spec.template.spec, containers=(container,)))
        await w.client.create(replace(made, spec=replace(made.spec, template=template)))
        await w.settle(400)  # past the time in which the pods' CPU is that of their start
        yield w, meter


def autoscaler(*metrics: MetricSpec, maximum: int = 10, **spec: Any) -> HorizontalPodAutoscaler:
    target = CrossVersionObjectReference(api_version="apps/v1", kind="Deployment", name="web")
    return HorizontalPodAutoscaler(
        metadata=ObjectMeta(name="web", namespace="ns"),
        spec=HorizontalPodAutoscalerSpec(
            scale_target_ref=target, max_replicas=maximum, metrics=metrics or (resource(CPU),), **spec
        ),
    )


def resource(target: MetricTarget) -> MetricSpec:
    return MetricSpec(type="Resource", resource=ResourceMetricSource(name="cpu", target=target))


async def replicas(w: World) -> int:
    return (await w.client.get(Deployment, "web", "ns")).spec.replicas or 0


async def conditions(w: World) -> dict[str, tuple[str, str]]:
    found = await w.client.get(HorizontalPodAutoscaler, "web", "ns")
    return {c.type: (c.status, c.reason) for c in found.status.conditions}


async def test_busy_pods_get_help_and_it_leaves_when_they_are_idle_for_long() -> None:
    async with scaled() as (w, meter):
        meter.cpu = 1000
        made = await w.client.create(autoscaler())
        await w.settle(1)
        assert await replicas(w) == 4
        told = await w.told(made)
        why = "cpu resource utilization (percentage of request) above target"
        assert told == [f"Normal SuccessfulRescale New size: 4; reason: {why}"]
        assert await conditions(w) == {
            "AbleToScale": ("True", "SucceededRescale"),
            "ScalingActive": ("True", "ValidMetricFound"),
            "ScalingLimited": ("False", "DesiredWithinRange"),
        }
        meter.cpu = 100
        await w.settle(250)
        assert await replicas(w) == 4
        assert (await conditions(w))["AbleToScale"] == ("True", "ScaleDownStabilized")
        await w.settle(100)
        assert await replicas(w) == 1
        status = (await w.client.get(HorizontalPodAutoscaler, "web", "ns")).status
        assert (status.current_replicas, status.desired_replicas) == (1, 1)
        assert status.current_metrics is not None
        measured = status.current_metrics[0].resource
        assert measured is not None
        assert (measured.current.average_utilization, measured.current.average_value) == (10, "100m")
        assert (await w.told(made))[-1].endswith("reason: All metrics below target")


async def test_bounds_hold_whatever_is_measured() -> None:
    async with scaled(replicas=8) as (w, meter):
        meter.cpu = 5000
        made = await w.client.create(autoscaler(maximum=5))
        await w.settle(1)
        assert await replicas(w) == 5
        above = "Normal SuccessfulRescale New size: 5; reason: Current number of replicas above Spec.MaxReplicas"
        assert await w.told(made) == [above]
        await w.settle(30)
        assert (await conditions(w))["ScalingLimited"] == ("True", "TooManyReplicas")
        assert await replicas(w) == 5


async def test_target_scaled_to_zero_by_its_owner_is_left_alone() -> None:
    async with scaled(replicas=0) as (w, _):
        await w.client.create(autoscaler())
        await w.settle(40)
        assert await replicas(w) == 0
        assert (await conditions(w))["ScalingActive"] == ("False", "ScalingDisabled")


async def test_behavior_sets_the_pace() -> None:
    async with scaled() as (w, meter):
        meter.cpu = 5000
        slow = HPAScalingRules(policies=(HPAScalingPolicy(type="Pods", value=1, period_seconds=60),))
        await w.client.create(autoscaler(behavior=HorizontalPodAutoscalerBehavior(scale_up=slow)))
        await w.settle(50)
        assert await replicas(w) == 3
        assert (await conditions(w))["ScalingLimited"] == ("True", "ScaleUpLimit")
        await w.settle(60)
        assert await replicas(w) == 4


async def test_target_that_is_not_there_is_told_of() -> None:
    async with controlled() as w:
        made = await w.client.create(autoscaler())
        await w.settle(1)
        assert await w.told(made) == ['Warning FailedGetScale deployments.apps "web" not found']
        assert await conditions(w) == {"AbleToScale": ("False", "FailedGetScale")}


async def test_pods_without_requests_have_no_utilization() -> None:
    async with controlled() as w:
        w.registry.serve_usage(Meter(w))
        w.tasks.start_soon(run_pods, w)
        await w.client.create(deployment(replicas=1))
        await w.settle(400)
        made = await w.client.create(autoscaler())
        await w.settle(1)
        pod = next(iter(w.informers.of(Pod).values())).metadata.name
        why = f"failed to get cpu utilization: missing request for cpu in container app of Pod {pod}"
        account = "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: "
        assert await w.told(made) == [
            f"Warning FailedGetResourceMetric {why}",
            f"Warning FailedComputeMetricsReplicas {account}{why}",
        ]
        assert (await conditions(w))["ScalingActive"] == ("False", "FailedGetResourceMetric")


async def test_without_a_metrics_api_nothing_is_scaled() -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_pods, w)
        await w.client.create(deployment(replicas=2))
        await w.settle(5)
        made = await w.client.create(autoscaler())
        await w.settle(1)
        unable = "failed to get cpu utilization: unable to get metrics for resource cpu: "
        assert (await w.told(made))[0].startswith(f"Warning FailedGetResourceMetric {unable}")
        assert await replicas(w) == 2


async def test_two_autoscalers_of_the_same_pods_stop_each_other() -> None:
    async with scaled() as (w, _):
        await w.client.create(autoscaler())
        other = autoscaler()
        await w.client.create(replace(other, metadata=replace(other.metadata, name="rival")))
        await w.settle(20)
        assert (await conditions(w))["ScalingActive"] == ("False", "AmbiguousSelector")


async def test_container_is_measured_alone() -> None:
    async with scaled() as (w, meter):
        meter.cpu = 1000
        source = ContainerResourceMetricSource(name="cpu", container="app", target=CPU)
        await w.client.create(autoscaler(MetricSpec(type="ContainerResource", container_resource=source)))
        await w.settle(1)
        assert await replicas(w) == 4


CUSTOM: dict[str, list[dict[str, Any]]] = {
    "/apis/custom.metrics.k8s.io/v1beta2/namespaces/ns/services/web/requests": [{"value": "300"}],
    "/apis/external.metrics.k8s.io/v1beta1/namespaces/ns/queue": [{"value": "40"}, {"value": "2"}],
}

SERVICE = CrossVersionObjectReference(api_version="v1", kind="Service", name="web")


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (
            MetricSpec(
                type="Pods",
                pods=PodsMetricSource(
                    metric=MetricIdentifier(name="hits"), target=MetricTarget(type="AverageValue", average_value="10")
                ),
            ),
            6,
        ),
        (
            MetricSpec(
                type="Object",
                object=ObjectMetricSource(
                    described_object=SERVICE,
                    metric=MetricIdentifier(name="requests"),
                    target=MetricTarget(type="Value", value="100"),
                ),
            ),
            6,
        ),
        (
            MetricSpec(
                type="External",
                external=ExternalMetricSource(
                    metric=MetricIdentifier(name="queue", selector=LabelSelector(match_labels={"of": "web"})),
                    target=MetricTarget(type="AverageValue", average_value="10"),
                ),
            ),
            5,
        ),
    ],
)
async def test_metrics_of_other_apis_count(metric: MetricSpec, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scaled(replicas=2) as (w, _):
        now = format_seconds(w.clock.now())

        async def fetch(self: Client, path: str, query: Mapping[str, str]) -> Any:
            if path.endswith("/pods/*/hits"):
                assert query["labelSelector"] == "app=web"
                pods = (await w.client.list(Pod, "ns")).items
                return {
                    "items": [
                        {"describedObject": {"name": pod.metadata.name}, "value": "30", "timestamp": now}
                        for pod in pods
                    ]
                }
            if path not in CUSTOM:
                raise NotFound("the server could not find the requested resource")
            return {"items": CUSTOM[path]}

        monkeypatch.setattr(type(w.client), "fetch", fetch)
        await w.client.create(autoscaler(metric, behavior=HorizontalPodAutoscalerBehavior()))
        await w.settle(1)
        assert await replicas(w) == expected


async def test_metric_that_fails_keeps_the_others_from_scaling_down() -> None:
    async with scaled(replicas=4) as (w, meter):
        meter.cpu = 10
        external = ExternalMetricSource(
            metric=MetricIdentifier(name="queue"), target=MetricTarget(type="Value", value="10")
        )
        made = await w.client.create(autoscaler(resource(CPU), MetricSpec(type="External", external=external)))
        await w.settle(400)
        assert await replicas(w) == 4
        assert (await conditions(w))["ScalingActive"] == ("False", "FailedGetExternalMetric")
        assert "invalid metrics (1 invalid out of 2)" in (await w.told(made))[1]
