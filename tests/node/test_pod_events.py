"""The events between two reports of a runtime, in the kubelet's words."""

from __future__ import annotations

import pytest

from kcore.node.pod_events import back_off_events, events_between
from kcore.node.pod_status import pod_status
from kcore.node.runtime import NOTHING, Image, RuntimeState
from tests.node.pods import HOST_IP, NOW, container, pod
from tests.node.test_pod_lifecycle import SANDBOX, record, state

PRESENT = RuntimeState(SANDBOX, {"nginx:1": Image(id="1", was_present=True, finished_at=NOW)})
PULLED = RuntimeState(SANDBOX, {"nginx:1": Image("1", 1234, False, NOW, NOW + 1.5)})
FAILED = RuntimeState(SANDBOX, {"nginx:1": Image(finished_at=NOW, error="denied", failures=1)})


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            NOTHING,
            PRESENT,
            [("Pulled", 'Container image "nginx:1" already present on machine and can be accessed by the pod')],
        ),
        (
            NOTHING,
            PULLED,
            [
                ("Pulling", 'Pulling image "nginx:1"'),
                (
                    "Pulled",
                    'Successfully pulled image "nginx:1" in 1.5s (1.5s including waiting). Image size: 1234 bytes.',
                ),
            ],
        ),
        (
            NOTHING,
            FAILED,
            [
                ("Pulling", 'Pulling image "nginx:1"'),
                ("Failed", 'Failed to pull image "nginx:1": denied'),
                ("Failed", "Error: ErrImagePull"),
            ],
        ),
        (state(), state(record()), [("Created", "Container created"), ("Started", "Container started")]),
        (state(), state(record()._replace(started_at=0.0)), [("Created", "Container created")]),
        (state(record()._replace(started_at=0.0)), state(record()), [("Started", "Container started")]),
        (state(record()), state(record()._replace(stop_by=NOW)), [("Killing", "Stopping container app")]),
        (state(record(exit_code=1)), state(record(exit_code=1)), []),
    ],
)
def test_events(old: RuntimeState, new: RuntimeState, told: list[tuple[str, str]]) -> None:
    events = list(events_between(pod(), old, new))
    assert [(e.reason, e.message) for e in events] == told
    assert {e.field_path for e in events} <= {"spec.containers{app}"}


def test_init_containers_are_named_in_the_field_path() -> None:
    found = state(record("first"))
    events = events_between(pod(init=[container("first")]), state(), found)
    assert {e.field_path for e in events} == {"spec.initContainers{first}"}


def test_back_off_is_told_once() -> None:
    crashed = state(record(exit_code=1, crashes=1))
    before = pod()
    waiting = pod_status(before, crashed, NOW, HOST_IP)
    (event,) = back_off_events(before, waiting)
    assert (event.type, event.reason) == ("Warning", "BackOff")
    assert event.message == "Back-off restarting failed container app in pod web_default(uid-1)"
    assert list(back_off_events(pod(status=waiting), waiting)) == []
