"""The arithmetic of the autoscaler: metrics to replicas, and replicas within what behavior allows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from kcore.api.autoscaling_v2 import HorizontalPodAutoscalerBehavior, HPAScalingPolicy, HPAScalingRules
from kcore.api.core_v1 import Container, Pod, PodCondition, PodSpec, PodStatus, ResourceRequirements
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.timestamp import format_seconds
from kcore.controllers.autoscaling.behavior import Bounds, Memory, limit, stabilize
from kcore.controllers.autoscaling.replicas import (
    MetricsError,
    PodMetric,
    Tolerance,
    by_average,
    by_total,
    by_total_per_pod,
    by_utilization,
)

NOW = 1_700_000_000.0
AGES_AGO = format_seconds(NOW - 3600)


def pod(name: str, state: str = "ready", request: str = "1") -> Pod:
    """`state`: ready, unready (never was ready), pending, failed or going."""
    ready = PodCondition(type="Ready", status="True" if state == "ready" else "False", last_transition_time=AGES_AGO)
    phase = {"pending": "Pending", "failed": "Failed"}.get(state, "Running")
    container = Container(name="app", resources=ResourceRequirements(requests={"cpu": request}))
    return Pod(
        metadata=ObjectMeta(name=name, deletion_timestamp=AGES_AGO if state == "going" else None),
        spec=PodSpec(containers=(container,)),
        status=PodStatus(phase=phase, conditions=(ready,), start_time=AGES_AGO),
    )


def metrics(values: Sequence[int]) -> dict[str, PodMetric]:
    """Of the pods p0, p1, ... in thousandths."""
    return {f"p{i}": PodMetric(value, NOW, 30) for i, value in enumerate(values)}


@pytest.mark.parametrize(
    ("states", "values", "target", "expected"),
    [
        (["ready"] * 3, [500] * 3, 50, 3),  # at the target
        (["ready"] * 3, [540] * 3, 50, 3),  # within the tolerance
        (["ready"] * 3, [1000] * 3, 50, 6),
        (["ready"] * 3, [300, 500, 700], 30, 5),
        (["ready"] * 5, [100] * 5, 50, 1),
        (["ready", "ready", "pending"], [900, 900], 50, 4),  # the one to come is taken for idle
        (["ready", "ready", "unready"], [900, 900, 900], 50, 4),
        (["ready", "ready", "failed"], [900, 900, 900], 50, 4),
        (["ready", "ready", "going"], [900, 900, 900], 50, 4),
        (["ready"] * 4, [300, 300, 300], 50, 4),  # the one without a measurement is taken for busy
        (["ready"] * 4, [100, 100, 100], 50, 3),
        (["ready"] * 4, [700, 700, 700], 50, 4),  # and for idle, when there would be more
        (["ready"] * 3, [1200, 1200], 50, 5),
    ],
)
def test_utilization_is_brought_to_its_target(states: list[str], values: list[int], target: int, expected: int) -> None:
    pods = [pod(f"p{i}", state) for i, state in enumerate(states)]
    proposal = by_utilization(len(pods), target, "cpu", pods, metrics(values), "", Tolerance(), NOW)
    assert proposal.replicas == expected


def test_measured_utilization_and_average_are_told() -> None:
    pods = [pod("p0"), pod("p1")]
    assert by_utilization(2, 50, "cpu", pods, metrics([300, 500]), "", Tolerance(), NOW)[1:] == (400, 40)


def test_cpu_of_a_pod_that_has_just_started_does_not_count() -> None:
    young = pod("p0")
    young = replace(young, status=replace(young.status, start_time=format_seconds(NOW - 10)))
    hot = {"p0": PodMetric(5000, NOW - 5, 30), "p1": PodMetric(500, NOW, 30)}
    just_ready = replace(young.status.conditions[0], last_transition_time=format_seconds(NOW - 8))
    young = replace(young, status=replace(young.status, conditions=(just_ready,)))
    pods = [young, pod("p1")]
    assert by_utilization(2, 50, "cpu", pods, hot, "", Tolerance(), NOW).replicas == 2


@pytest.mark.parametrize(
    ("pods", "values", "message"),
    [
        ([], [], "no pods returned by selector while calculating replica count"),
        ([pod("p0", "unready")], [100], "did not receive metrics for targeted pods (pods might be unready)"),
        ([pod("p0")], [], "did not receive metrics for targeted pods (pods might be unready)"),
    ],
)
def test_nothing_follows_from_no_measurement(pods: list[Pod], values: list[int], message: str) -> None:
    with pytest.raises(MetricsError, match=r".*") as refused:
        by_utilization(1, 50, "cpu", pods, metrics(values), "", Tolerance(), NOW)
    assert str(refused.value) == message


def test_container_without_a_request_is_named() -> None:
    bare = replace(pod("p0"), spec=PodSpec(containers=(Container(name="app"),)))
    with pytest.raises(MetricsError, match="missing request for cpu in container app of Pod p0"):
        by_utilization(1, 50, "cpu", [bare], metrics([100]), "", Tolerance(), NOW)


@pytest.mark.parametrize(
    ("values", "target", "expected"), [([10_000] * 3, 10_000, 3), ([20_000] * 3, 10_000, 6), ([1_000] * 3, 10_000, 1)]
)
def test_average_is_brought_to_its_target(values: list[int], target: int, expected: int) -> None:
    pods = [pod(f"p{i}") for i in range(3)]
    assert by_average(3, target, "", pods, metrics(values), Tolerance(), NOW).replicas == expected


def test_total_is_shared_by_the_ready_ones() -> None:
    pods = [pod("p0"), pod("p1"), pod("p2", "unready")]
    assert by_total(3, 100, 200, pods, Tolerance()) == (4, 200, None)
    assert by_total(3, 100, 105, pods, Tolerance()).replicas == 3
    assert by_total(0, 100, 250, [], Tolerance()).replicas == 3


def test_total_gives_each_pod_its_share() -> None:
    assert by_total_per_pod(3, 100, 550, Tolerance()) == (6, 184, None)
    assert by_total_per_pod(3, 100, 310, Tolerance()).replicas == 3
    assert by_total_per_pod(0, 100, 250, Tolerance()).replicas == 3


def test_tolerance_is_set_for_each_direction() -> None:
    pods = [pod(f"p{i}") for i in range(10)]
    hot = metrics([540] * 10)
    assert by_utilization(10, 50, "cpu", pods, hot, "", Tolerance(up=0.05), NOW).replicas == 11
    assert by_utilization(10, 50, "cpu", pods, hot, "", Tolerance(up=0.2), NOW).replicas == 10


def rules(*policies: tuple[str, int, int], select: str = "Max", window: int = 0) -> HPAScalingRules:
    made = tuple(HPAScalingPolicy(type=type_, value=value, period_seconds=period) for type_, value, period in policies)
    return HPAScalingRules(policies=made, select_policy=select, stabilization_window_seconds=window)


def behavior(up: HPAScalingRules | None = None, down: HPAScalingRules | None = None) -> HorizontalPodAutoscalerBehavior:
    free = rules(("Percent", 1000, 15))
    return HorizontalPodAutoscalerBehavior(scale_up=up or free, scale_down=down or rules(("Percent", 100, 15)))


@pytest.mark.parametrize(
    ("made", "current", "wanted", "bounds", "expected"),
    [
        (None, 1, 10, (1, 20), (4, "ScaleUpLimit")),
        (None, 10, 30, (1, 100), (20, "ScaleUpLimit")),
        (None, 10, 30, (1, 15), (15, "TooManyReplicas")),
        (None, 10, 0, (2, 15), (2, "TooFewReplicas")),
        (None, 10, 12, (2, 15), (12, "DesiredWithinRange")),
        (behavior(up=rules(("Pods", 2, 60))), 10, 30, (1, 50), (12, "ScaleUpLimit")),
        (behavior(up=rules(("Pods", 2, 60), ("Percent", 50, 60))), 10, 30, (1, 50), (15, "ScaleUpLimit")),
        (behavior(up=rules(("Pods", 2, 60), ("Percent", 50, 60), select="Min")), 10, 30, (1, 50), (12, "ScaleUpLimit")),
        (behavior(up=rules(("Pods", 2, 60), select="Disabled")), 10, 30, (1, 50), (10, "ScaleUpLimit")),
        (behavior(down=rules(("Pods", 3, 60))), 10, 1, (1, 50), (7, "ScaleDownLimit")),
        (behavior(down=rules(("Pods", 3, 60), ("Percent", 50, 60))), 10, 1, (1, 50), (5, "ScaleDownLimit")),
        (behavior(down=rules(("Pods", 3, 60), select="Disabled")), 10, 1, (1, 50), (10, "ScaleDownLimit")),
        (behavior(), 10, 1, (3, 50), (3, "TooFewReplicas")),
    ],
)
def test_rate_of_change_is_limited(
    made: HorizontalPodAutoscalerBehavior | None,
    current: int,
    wanted: int,
    bounds: tuple[int, int],
    expected: tuple[int, str],
) -> None:
    assert limit(Memory(), made, current, wanted, Bounds(*bounds), NOW)[:2] == expected


def test_policy_counts_what_came_within_its_period() -> None:
    memory, made = Memory(), behavior(up=rules(("Pods", 4, 60)))
    memory.note_scaling(10, 13, NOW - 30, made)
    assert limit(memory, made, 13, 30, Bounds(1, 50), NOW).replicas == 14
    assert limit(memory, made, 13, 30, Bounds(1, 50), NOW + 40).replicas == 17


def test_going_down_waits_for_the_highest_recommendation_to_pass() -> None:
    memory = Memory()
    assert stabilize(memory, None, 8, 8, NOW).reason == "ReadyForNewScale"
    assert stabilize(memory, None, 8, 2, NOW + 100)[:2] == (8, "ScaleDownStabilized")
    assert stabilize(memory, None, 8, 2, NOW + 301)[:2] == (2, "ReadyForNewScale")


def test_going_up_may_wait_for_the_lowest() -> None:
    memory, made = Memory(), behavior(up=rules(("Percent", 1000, 15), window=60))
    stabilize(memory, made, 2, 3, NOW)
    assert stabilize(memory, made, 2, 9, NOW + 30)[:2] == (3, "ScaleUpStabilized")
    assert stabilize(memory, made, 2, 9, NOW + 95)[:2] == (9, "ReadyForNewScale")
