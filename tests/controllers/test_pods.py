from __future__ import annotations

from typing import Any

import pytest

from kcore.api.core_v1 import ContainerStatus, Pod, PodCondition, PodSpec, PodStatus
from kcore.api.errors import Forbidden
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.timestamp import format_seconds
from kcore.controllers.batches import slow_start
from kcore.controllers.expectations import Expectations
from kcore.controllers.pods import available_in, rank_for_deletion
from kcore.kit.clock import LoopClock
from tests.sim.world import world

NOW = 1_700_000_000.0


def pod(
    name: str,
    *,
    node: str = "n1",
    phase: str = "Running",
    ready_for: float | None = 1000.0,
    age: float = 2000.0,
    restarts: int = 0,
    cost: str = "",
) -> Pod:
    conditions: tuple[PodCondition, ...] = ()
    if ready_for is not None:
        since = format_seconds(NOW - ready_for)
        conditions = (PodCondition(type="Ready", status="True", last_transition_time=since),)
    annotations = {"controller.kubernetes.io/pod-deletion-cost": cost} if cost else {}
    status: dict[str, Any] = {"container_statuses": (ContainerStatus(restart_count=restarts),)}
    return Pod(
        metadata=ObjectMeta(name=name, uid=name, annotations=annotations, creation_timestamp=format_seconds(NOW - age)),
        spec=PodSpec(node_name=node),
        status=PodStatus(phase=phase, conditions=conditions, **status),
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pod("z", node="", phase="Pending", ready_for=None), pod("a")),
        (pod("z", phase="Pending"), pod("a")),
        (pod("z", ready_for=None), pod("a")),
        (pod("z", cost="-5"), pod("a")),
        (pod("z"), pod("a", cost="7")),
        (pod("z", ready_for=2), pod("a", ready_for=1000)),
        (pod("a", ready_for=900), pod("z", ready_for=1000)),  # of about the same age: chance decides
        (pod("z", restarts=3), pod("a", restarts=1)),
        (pod("z", age=5), pod("a", age=5000)),
    ],
    ids=["unassigned", "pending", "unready", "cheap", "not-dear", "young", "even", "restarted", "new"],
)
def test_who_goes_first(first: Pod, second: Pod) -> None:
    for pods in ([first, second], [second, first]):
        assert [p.metadata.name for p in rank_for_deletion(pods, [], NOW)] == [
            first.metadata.name,
            second.metadata.name,
        ]


def test_pods_on_crowded_nodes_go_first() -> None:
    pods = [pod("a", node="n1"), pod("b", node="n2"), pod("c", node="n2")]
    assert [p.metadata.name for p in rank_for_deletion(pods, pods, NOW)] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("ready_for", "wanted", "expected"),
    [(None, 0, None), (5.0, 0, 0.0), (5.0, 30, 25.0), (40.0, 30, 0.0)],
)
def test_pod_is_available_once_ready_long_enough(ready_for: float | None, wanted: int, expected: float | None) -> None:
    assert available_in(pod("a", ready_for=ready_for), wanted, NOW) == expected


async def test_batches_double_and_stop_at_the_first_failure() -> None:
    calls = 0

    async def fail_from_the_fifth() -> None:
        nonlocal calls
        calls += 1
        if calls >= 5:
            raise Forbidden("exceeded quota")

    done, error = await slow_start(100, fail_from_the_fifth)
    assert (done, calls) == (4, 7)  # 1 + 2 + 4, of which the last three failed
    assert isinstance(error, Forbidden)


async def test_expectations_hold_until_everything_was_seen_or_given_up() -> None:
    async with world() as w:
        expectations = Expectations(LoopClock())
        expectations.expect_creations("rs", 2)
        expectations.creation_observed("rs")
        assert not expectations.satisfied("rs")
        expectations.creation_observed("rs")
        assert expectations.satisfied("rs")
        expectations.expect_deletions("rs", ["a", "b"])
        expectations.deletion_observed("rs", "a")
        expectations.deletion_observed("rs", "a")
        assert [expectations.satisfied("rs")] == [False]
        await w.settle(301)
        assert [expectations.satisfied("rs")] == [True]
