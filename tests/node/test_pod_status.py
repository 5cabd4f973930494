"""What a pod's status says: phases, container states, conditions with upstream's words."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import Pod, PodCondition, PodStatus
from kcore.node.pod_status import pod_status
from kcore.node.runtime import NOTHING, Image, RuntimeState
from tests.node.pods import HOST_IP, NOW, STAMP, container, pod
from tests.node.test_pod_lifecycle import IMAGE, SANDBOX, record, state

SIDE, FIRST = container("side", restart_policy="Always"), container("first")


@pytest.mark.parametrize(
    ("wanted", "found", "phase"),
    [
        pytest.param(pod(), NOTHING, "Pending", id="nothing yet"),
        pytest.param(pod(), state(), "Pending", id="sandbox only"),
        pytest.param(pod(), state(record()), "Running", id="running"),
        pytest.param(pod(containers=[container(), container("b")]), state(record()), "Pending", id="one of two"),
        pytest.param(
            pod(containers=[container(), container("b")], restart_policy="Never"),
            state(record(), record("b", exit_code=1)),
            "Running",
            id="one still runs",
        ),
        pytest.param(pod(), state(record(exit_code=1)), "Running", id="always: between attempts"),
        pytest.param(pod(), state(record(exit_code=1, crashes=3)), "Running", id="always: in back-off"),
        pytest.param(pod(restart_policy="OnFailure"), state(record(exit_code=1)), "Running", id="on failure"),
        pytest.param(pod(restart_policy="OnFailure"), state(record(exit_code=0)), "Succeeded", id="done"),
        pytest.param(pod(restart_policy="Never"), state(record(exit_code=0)), "Succeeded", id="never: done"),
        pytest.param(pod(restart_policy="Never"), state(record(exit_code=3)), "Failed", id="never: failed"),
        pytest.param(pod(init=[FIRST]), state(record("first")), "Pending", id="init runs"),
        pytest.param(pod(init=[FIRST]), state(record("first", exit_code=1)), "Pending", id="init tries again"),
        pytest.param(
            pod(init=[FIRST], restart_policy="Never"), state(record("first", exit_code=1)), "Failed", id="init failed"
        ),
        pytest.param(pod(init=[SIDE]), state(record("side")), "Pending", id="sidecar only"),
        pytest.param(pod(init=[SIDE]), state(record("side"), record()), "Running", id="sidecar and app"),
        pytest.param(
            pod(deleted_at=STAMP, grace=30), state(record(exit_code=0)), "Succeeded", id="deleted and stopped well"
        ),
        pytest.param(pod(deleted_at=STAMP, grace=30), state(record(exit_code=137)), "Failed", id="deleted and killed"),
        pytest.param(pod(status=PodStatus(phase="Failed")), state(record()), "Failed", id="terminal for ever"),
    ],
)
def test_phase(wanted: Pod, found: RuntimeState, phase: str) -> None:
    assert pod_status(wanted, found, NOW, HOST_IP).phase == phase


def conditions(status: PodStatus) -> list[tuple[str, str, str, str]]:
    return [(c.type, c.status, c.reason, c.message) for c in status.conditions]


def test_conditions_of_a_pod_whose_containers_are_being_created() -> None:
    unready = ("False", "ContainersNotReady", "containers with unready status: [app]")
    assert conditions(pod_status(pod(), NOTHING, NOW, HOST_IP)) == [
        ("PodReadyToStartContainers", "False", "", ""),
        ("Initialized", "True", "", ""),
        ("Ready", *unready),
        ("ContainersReady", *unready),
        ("PodScheduled", "True", "", ""),
    ]


def test_conditions_of_a_running_pod_are_all_true() -> None:
    status = pod_status(pod(), state(record()), NOW, HOST_IP)
    assert [(c.status, c.observed_generation) for c in status.conditions] == [("True", 3)] * 5


def test_initialized_names_what_is_incomplete() -> None:
    status = pod_status(pod(init=[SIDE, FIRST]), state(record("side")), NOW, HOST_IP)
    message = "containers with incomplete status: [first]"
    assert ("Initialized", "False", "ContainersNotInitialized", message) in conditions(status)


def test_conditions_of_a_completed_pod() -> None:
    status = pod_status(pod(restart_policy="Never"), state(record(exit_code=0), sandbox=None), NOW, HOST_IP)
    assert conditions(status) == [
        ("PodReadyToStartContainers", "False", "", ""),
        ("Initialized", "True", "PodCompleted", ""),
        ("Ready", "False", "PodCompleted", ""),
        ("ContainersReady", "False", "PodCompleted", ""),
        ("PodScheduled", "True", "", ""),
    ]


@pytest.mark.parametrize(
    ("gate", "finding"),
    [
        (
            None,
            ("False", "ReadinessGatesNotReady", 'corresponding condition of pod readiness gate "x/y" does not exist.'),
        ),
        (
            "False",
            ("False", "ReadinessGatesNotReady", 'the status of pod readiness gate "x/y" is not "True", but False'),
        ),
        ("True", ("True", "", "")),
    ],
)
def test_readiness_gates(gate: str | None, finding: tuple[str, str, str]) -> None:
    given = (PodCondition(type="x/y", status=gate),) if gate else ()
    gated = pod(gates=["x/y"], status=PodStatus(phase="Pending", conditions=given))
    status = pod_status(gated, state(record()), NOW, HOST_IP)
    assert ("Ready", *finding) in conditions(status)
    assert ("ContainersReady", "True", "", "") in conditions(status)
    assert status.conditions[: len(given)] == given


def test_conditions_keep_the_time_of_their_last_change() -> None:
    first = pod_status(pod(), NOTHING, NOW, HOST_IP)
    then = pod_status(pod(status=first), state(record()), NOW + 60, HOST_IP)
    since = {c.type: c.last_transition_time for c in then.conditions}
    assert since["Initialized"] == since["PodScheduled"] == STAMP
    assert since["Ready"] == "2023-11-14T22:14:20Z"
    assert then.start_time == STAMP


def test_nothing_changes_while_nothing_happens() -> None:
    first = pod_status(pod(), state(record()), NOW, HOST_IP)
    assert pod_status(pod(status=first), state(record()), NOW + 3600, HOST_IP) == first


def test_addresses_come_from_the_sandbox_and_the_node() -> None:
    status = pod_status(pod(), state(record()), NOW, HOST_IP)
    assert (status.pod_ip, status.pod_ips[0].ip, status.host_ip, status.host_ips[0].ip) == (
        SANDBOX.ip,
        SANDBOX.ip,
        HOST_IP,
        HOST_IP,
    )
    shared = pod_status(pod(host_network=True), state(record()), NOW, HOST_IP)
    assert shared.pod_ip == HOST_IP


def test_what_others_own_is_kept() -> None:
    old = PodStatus(phase="Pending", qos_class="Guaranteed", nominated_node_name="n")
    status = pod_status(pod(status=old), state(record()), NOW, HOST_IP)
    assert (status.qos_class, status.nominated_node_name) == ("Guaranteed", "n")


@pytest.mark.parametrize(("init", "reason"), [((), "ContainerCreating"), ((FIRST,), "PodInitializing")])
def test_waiting_containers_say_what_for(init: tuple[object, ...], reason: str) -> None:
    status = pod_status(pod(init=init), NOTHING, NOW, HOST_IP)  # type: ignore[arg-type]
    waiting = status.container_statuses[0].state.waiting
    assert waiting is not None
    assert waiting.reason == reason


def test_a_failed_pull_is_named_and_then_backed_off() -> None:
    found = RuntimeState(SANDBOX, {"nginx:1": Image(finished_at=NOW, error="not found", failures=1)})
    first = pod_status(pod(), found, NOW, HOST_IP).container_statuses[0].state.waiting
    later = pod_status(pod(), found, NOW + 2, HOST_IP).container_statuses[0].state.waiting
    assert first is not None
    assert (first.reason, first.message) == ("ErrImagePull", "not found")
    assert later is not None
    assert later.reason == "ImagePullBackOff"
    assert later.message == 'Back-off pulling image "nginx:1": ErrImagePull: not found'


def test_a_crashing_container_shows_its_back_off_and_its_last_end() -> None:
    status = pod_status(pod(), state(record(exit_code=2, crashes=4)), NOW + 1, HOST_IP).container_statuses[0]
    assert status.state.waiting is not None
    assert status.state.waiting.reason == "CrashLoopBackOff"
    assert status.state.waiting.message == ("back-off 1m20s restarting failed container=app pod=web_default(uid-1)")
    assert status.last_state.terminated is not None
    assert (status.last_state.terminated.exit_code, status.last_state.terminated.reason) == (2, "Error")
    assert (status.restart_count, status.ready, status.started) == (4, False, False)


def test_the_attempt_before_is_the_last_state() -> None:
    found = RuntimeState(SANDBOX, IMAGE, {"app": record(crashes=1)}, {"app": record(exit_code=0)})
    status = pod_status(pod(), found, NOW, HOST_IP).container_statuses[0]
    assert status.state.running is not None
    assert status.last_state.terminated is not None
    assert status.last_state.terminated.reason == "Completed"


def test_an_ended_pod_of_an_earlier_process_is_left_alone() -> None:
    done = PodStatus(phase="Succeeded", message="as it was")
    assert pod_status(pod(status=done), NOTHING, NOW, HOST_IP) is done


def test_observed_generation_follows_the_spec() -> None:
    changed = pod()
    changed = replace(changed, metadata=replace(changed.metadata, generation=9))
    assert pod_status(changed, state(record()), NOW, HOST_IP).observed_generation == 9
