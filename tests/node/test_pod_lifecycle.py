"""What the state machine asks for, given a pod and what its runtime reports."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kcore.api.core_v1 import ContainerRestartRule, ContainerRestartRuleOnExitCodes, Pod
from kcore.node.pod_lifecycle import (
    Delete,
    Effect,
    PullImage,
    RunSandbox,
    StartContainer,
    StopContainer,
    StopSandbox,
    step,
)
from kcore.node.runtime import NOTHING, ContainerRecord, Health, Image, RuntimeState, Sandbox
from tests.node.pods import HOST_IP, NOW, STAMP, container, pod

SANDBOX = Sandbox("s", "10.244.0.2", NOW)
IMAGE = {"nginx:1": Image(id="sha256:1", finished_at=NOW)}
APP, SIDE, FIRST = container(), container("side", restart_policy="Always"), container("first")


def record(name: str = "app", *, exit_code: int | None = None, crashes: int = 0, ran: float = 5.0) -> ContainerRecord:
    """A running attempt, or one that has just exited."""
    if exit_code is None:
        return ContainerRecord(name, f"id-{name}", "sha256:1", crashes, crashes, started_at=NOW)
    return ContainerRecord(
        name, f"id-{name}", "sha256:1", crashes, crashes, NOW - ran, finished_at=NOW, exit_code=exit_code
    )


def state(*records: ContainerRecord, sandbox: Sandbox | None = SANDBOX) -> RuntimeState:
    return RuntimeState(sandbox, IMAGE, {r.name: r for r in records})


@pytest.mark.parametrize(
    ("wanted", "found", "effects"),
    [
        pytest.param(pod(), NOTHING, [RunSandbox()], id="nothing yet"),
        pytest.param(pod(), RuntimeState(SANDBOX), [PullImage(APP)], id="sandbox made"),
        pytest.param(pod(), RuntimeState(SANDBOX, {"nginx:1": Image()}), [], id="image on its way"),
        pytest.param(pod(), state(), [StartContainer(APP)], id="image pulled"),
        pytest.param(pod(), state(record()), [], id="running"),
        pytest.param(pod(), state(record(exit_code=1)), [StartContainer(APP, 1, 1)], id="first crash"),
        pytest.param(pod(), state(record(exit_code=1, crashes=1)), [], id="second crash waits"),
        pytest.param(
            pod(), state(record(exit_code=1, crashes=5, ran=900)), [], id="a calm run does not shorten this wait"
        ),
        pytest.param(pod(restart_policy="Never"), state(record(exit_code=1)), [StopSandbox()], id="failed for good"),
        pytest.param(pod(restart_policy="OnFailure"), state(record(exit_code=0)), [StopSandbox()], id="succeeded"),
        pytest.param(
            pod(restart_policy="OnFailure"), state(record(exit_code=2)), [StartContainer(APP, 1, 1)], id="try again"
        ),
        pytest.param(pod(init=[FIRST]), state(), [StartContainer(FIRST)], id="init first"),
        pytest.param(pod(init=[FIRST]), state(record("first")), [], id="init running"),
        pytest.param(pod(init=[FIRST]), state(record("first", exit_code=0)), [StartContainer(APP)], id="init done"),
        pytest.param(
            pod(init=[FIRST]), state(record("first", exit_code=1)), [StartContainer(FIRST, 1, 1)], id="init failed"
        ),
        pytest.param(
            pod(init=[FIRST], restart_policy="Never"),
            state(record("first", exit_code=1)),
            [StopSandbox()],
            id="init failed for good",
        ),
        pytest.param(pod(init=[SIDE, FIRST]), state(), [StartContainer(SIDE)], id="sidecar first"),
        pytest.param(
            pod(init=[SIDE, FIRST]), state(record("side")), [StartContainer(FIRST)], id="init after sidecar runs"
        ),
        pytest.param(
            pod(init=[SIDE]),
            state(record("side", exit_code=1), record()),
            [StartContainer(SIDE, 1, 1)],
            id="sidecar again",
        ),
        pytest.param(
            pod(init=[SIDE], restart_policy="Never"),
            state(record("side"), record(exit_code=0)),
            [StopContainer("side", NOW + 30)],
            id="sidecar stops after the work",
        ),
        pytest.param(
            pod(deleted_at=STAMP, grace=30, init=[SIDE, container("edge", restart_policy="Always")]),
            state(record("side"), record("edge"), record()),
            [StopContainer("app", NOW)],
            id="deleted, sidecars wait",
        ),
        pytest.param(
            pod(deleted_at=STAMP, grace=30, init=[SIDE, container("edge", restart_policy="Always")]),
            state(record("side"), record("edge"), record(exit_code=0)),
            [StopContainer("edge", NOW + 2)],
            id="deleted, sidecars end in reverse order",
        ),
        pytest.param(
            pod(), state(record()._replace(health=Health(live=False))), [StopContainer("app", NOW + 30)], id="not alive"
        ),
        pytest.param(
            pod(init=[SIDE, FIRST]),
            state(record("side")._replace(health=Health(started=False, ready=False))),
            [],
            id="sidecar has not started up",
        ),
        pytest.param(
            pod(restart_policy="Never"),
            state(record()._replace(image="nginx:0")),
            [StopContainer("app", NOW + 30)],
            id="image changed",
        ),
        pytest.param(
            pod(restart_policy="Never"),
            state(record(exit_code=0)._replace(image="nginx:0", stop_by=NOW)),
            [StartContainer(APP, 1, 1)],
            id="replaced whatever the policy",
        ),
        pytest.param(
            pod(), state(ContainerRecord("app", "", "", finished_at=NOW, reason="StartError")), [], id="could not begin"
        ),
        pytest.param(
            pod(),
            state(ContainerRecord("app", "", "", finished_at=NOW - 10, reason="StartError")),
            [StartContainer(APP)],
            id="begins again",
        ),
        pytest.param(pod(containers=[APP, container("b")]), state(record()), [StartContainer(container("b"))], id="b"),
        pytest.param(pod(deadline=0), state(record()), [], id="deadline counts from the start time"),
        pytest.param(pod(deleted_at=STAMP, grace=30), NOTHING, [Delete()], id="deleted before it began"),
        pytest.param(
            pod(deleted_at=STAMP, grace=30), state(record()), [StopContainer("app", NOW)], id="deleted, running"
        ),
        pytest.param(
            pod(deleted_at=STAMP, grace=30),
            state(record()._replace(stop_by=NOW)),
            [],
            id="deleted, already told to stop",
        ),
        pytest.param(
            pod(deleted_at=STAMP, grace=1),
            state(record()._replace(stop_by=NOW + 30)),
            [StopContainer("app", NOW)],
            id="deleted again with less grace",
        ),
        pytest.param(
            pod(deleted_at=STAMP, grace=30),
            state(record(exit_code=0)),
            [StopSandbox(), Delete()],
            id="deleted, all stopped",
        ),
        pytest.param(
            pod(deleted_at=STAMP, grace=0), state(record(exit_code=0), sandbox=None), [], id="finalizers wait, not we"
        ),
    ],
)
def test_next_effects(wanted: Pod, found: RuntimeState, effects: Sequence[Effect]) -> None:
    assert list(step(wanted, found, NOW, HOST_IP).effects) == list(effects)


def test_a_passed_deadline_fails_the_pod_and_stops_it() -> None:
    begun = pod(deadline=10, status=step(pod(), NOTHING, NOW - 11, HOST_IP).status)
    result = step(begun, state(record()), NOW, HOST_IP)
    assert result.status.phase == "Pending"
    assert result.effects == (StopContainer("app", NOW + 30),)
    stopped = step(begun, state(record(exit_code=0)), NOW, HOST_IP).status
    assert (stopped.phase, stopped.reason) == ("Failed", "DeadlineExceeded")


def test_a_coming_deadline_is_slept_until() -> None:
    begun = pod(deadline=10, status=step(pod(), NOTHING, NOW, HOST_IP).status)
    assert step(begun, state(record()), NOW + 1, HOST_IP).wake_at == NOW + 10


def test_an_evicted_pod_stops_and_has_failed() -> None:
    evicted = state(record())._replace(evicted="it used too much")
    assert step(pod(), evicted, NOW, HOST_IP).effects == (StopContainer("app", NOW + 30),)
    stopped = state(record(exit_code=0))._replace(evicted="it used too much")
    status = step(pod(), stopped, NOW, HOST_IP).status
    assert (status.phase, status.reason, status.message) == ("Failed", "Evicted", "it used too much")


@pytest.mark.parametrize(
    ("crashes", "seconds"), [(1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 300), (7, 300), (100, 300)]
)
def test_back_off_doubles_up_to_five_minutes(crashes: int, seconds: float) -> None:
    result = step(pod(), state(record(exit_code=1, crashes=crashes)), NOW, HOST_IP)
    assert result.wake_at == NOW + seconds
    due = step(pod(), state(record(exit_code=1, crashes=crashes)), NOW + seconds, HOST_IP)
    assert due.effects == (StartContainer(APP, crashes + 1, crashes + 1),)


def test_a_calm_run_forgives_earlier_crashes() -> None:
    result = step(pod(), state(record(exit_code=1, crashes=5, ran=900)), NOW + 300, HOST_IP)
    assert result.effects == (StartContainer(APP, 6, 1),)


def test_a_failed_pull_is_tried_again_after_its_back_off() -> None:
    failed = RuntimeState(SANDBOX, {"nginx:1": Image(finished_at=NOW, error="no such image", failures=2)})
    assert step(pod(), failed, NOW, HOST_IP).wake_at == NOW + 1
    assert step(pod(), failed, NOW + 1, HOST_IP).wake_at == NOW + 20
    assert step(pod(), failed, NOW + 20, HOST_IP).effects == (PullImage(APP),)


@pytest.mark.parametrize(("exit_code", "again"), [(42, True), (1, False)])
def test_a_containers_own_rules_come_before_the_pods_policy(exit_code: int, again: bool) -> None:
    rule = ContainerRestartRule(
        action="Restart", exit_codes=ContainerRestartRuleOnExitCodes(operator="In", values=(42,))
    )
    ruled = type(APP)(name="app", image="nginx:1", restart_policy="Never", restart_policy_rules=(rule,))
    result = step(pod(containers=[ruled], restart_policy="Never"), state(record(exit_code=exit_code)), NOW, HOST_IP)
    assert result.effects == ((StartContainer(ruled, 1, 1),) if again else (StopSandbox(),))
