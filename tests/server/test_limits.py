"""Requests that wait for their seat, that are told to come again, and that take too long."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from kcore.client.local import LocalClient
from kcore.controllers.flowcontrol import ensure_flow_control
from kcore.registry.access import Attributes
from kcore.registry.request import User
from kcore.server.limits import Fairness, MaxInflight, Seat, TooBusy
from kcore.server.limits.options import LimitOptions
from tests.registry.conftest import Api, HandClock, new_api
from tests.server.serving import CONFIGMAPS, Door, configmap, serving

FLOW = "/apis/flowcontrol.apiserver.k8s.io/v1"
JANE = User("jane", groups=("system:authenticated",))
ROOT = User("root", groups=("system:masters",))


def asked(user: User = JANE, verb: str = "list", subresource: str = "", namespace: str = "ns") -> Attributes:
    return Attributes(user, verb, "", "pods", subresource, namespace)


def seated(limits: Fairness | MaxInflight, question: Attributes) -> Seat:
    seat = limits.try_sit(question)
    assert seat is not None
    return seat


# Counting only


def test_readers_and_writers_are_counted_apart() -> None:
    limits = MaxInflight(1, 1)
    reader = seated(limits, asked())
    assert limits.try_sit(asked()) is None
    seated(limits, asked(verb="create"))
    assert limits.try_sit(asked(verb="delete")) is None
    seated(limits, asked(ROOT))
    seated(limits, asked(subresource="exec"))
    reader.leave()


async def test_who_finds_no_seat_is_told_to_come_again() -> None:
    limits = LimitOptions(max_requests_inflight=1, max_mutating_requests_inflight=0, enable_priority_and_fairness=False)
    async with serving(limits=limits) as door:
        held = seated(door.server._door._limits, asked())  # type: ignore[arg-type]
        answer = await door.ask("GET", CONFIGMAPS, token="known-token")
        assert (answer.code, answer.headers["Retry-After"]) == (429, "1")
        assert answer.body == b"Too many requests, please try again later.\n"
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert (await door.ask("GET", CONFIGMAPS)).code == 200  # a master
        held.leave()
        assert (await door.ask("GET", CONFIGMAPS, token="known-token")).code == 403


# Fairness


async def fairness(seats: int = 245, wait: float = 1.0) -> tuple[Api, Fairness]:
    """Of 245 seats each level has as many as its shares."""
    api = await new_api(HandClock())
    await ensure_flow_control(LocalClient(api.registry))
    return api, Fairness(api.store, api.registry.scheme, seats, wait)


async def test_answers_name_their_schema_and_level() -> None:
    async with serving(limits=LimitOptions(), policed=True) as door:
        await ensure_flow_control(LocalClient(door.registry))
        for token, schema, level in (
            ("admin-token", "exempt", "exempt"),
            ("known-token", "global-default", "global-default"),
        ):
            uids = [
                (await door.ask("GET", f"{FLOW}/{path}")).json["metadata"]["uid"]
                for path in (f"flowschemas/{schema}", f"prioritylevelconfigurations/{level}")
            ]
            for path in (CONFIGMAPS, "/api", f"{CONFIGMAPS}?watch=true&timeoutSeconds=1"):
                headers = (await door.ask("GET", path, token=token)).headers
                found = headers["X-Kubernetes-PF-FlowSchema-UID"], headers["X-Kubernetes-PF-PriorityLevel-UID"]
                assert list(found) == uids


async def test_metrics_tell_who_was_let_in() -> None:
    async with serving(limits=LimitOptions(), policed=True) as door:
        await door.ask("GET", CONFIGMAPS, token="known-token")
        text = (await door.ask("GET", "/metrics")).body.decode()
    name = "apiserver_flowcontrol"
    known = 'flow_schema="catch-all",priority_level="catch-all"'
    for line in (
        f"{name}_dispatched_requests_total{{{known}}} 1.0",
        f"{name}_current_executing_requests{{{known}}} 0.0",
        f'{name}_current_executing_requests{{flow_schema="exempt",priority_level="exempt"}} 1.0',
        f'{name}_nominal_limit_seats{{priority_level="catch-all"}} 600.0',
    ):
        assert line in text, line


async def test_refusals_are_counted_with_their_reason() -> None:
    _, limits = await fairness(wait=0.01)
    while limits.try_sit(asked()) is not None:
        pass
    with pytest.raises(TooBusy):
        await limits.wait(asked())
    lines = [(s.labels, s.value) for family in limits.figures().collect() for s in family.samples]
    labels = {"priority_level": "global-default", "flow_schema": "global-default"}
    assert ({**labels, "reason": "time-out"}, 1.0) in lines
    assert (labels, 150.0) in lines


async def test_seats_run_out_and_come_back() -> None:
    _, limits = await fairness()
    seats = []
    while (seat := limits.try_sit(asked())) is not None:
        seats.append(seat)
    # Its own 20, and what the others lend: 10 + 10 + 20 + 90.
    assert len(seats) == 150
    assert limits.try_sit(asked(ROOT)) is not None
    assert limits.try_sit(asked(subresource="exec")) is not None
    seats.pop().leave()
    assert limits.try_sit(asked()) is not None


async def test_who_waits_is_seated_in_turn() -> None:
    _, limits = await fairness()
    seats = []
    while (seat := limits.try_sit(asked())) is not None:
        seats.append(seat)
    got: list[str] = []

    async def wait(name: str) -> None:
        seat = await limits.wait(asked(User(name, groups=("system:authenticated",))))
        got.append(name)
        seats.append(seat)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(wait, "greedy")
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(wait, "modest")
        await anyio.wait_all_tasks_blocked()
        assert limits.try_sit(asked()) is None
        for _ in range(4):
            seats.pop(0).leave()
            await anyio.wait_all_tasks_blocked()
    assert "modest" in got[:3]


async def test_who_waits_too_long_is_told_to_come_again() -> None:
    _, limits = await fairness(wait=0.01)
    seats = []
    while (seat := limits.try_sit(asked())) is not None:
        seats.append(seat)
    with pytest.raises(TooBusy):
        await limits.wait(asked())
    seats.pop().leave()
    seated(limits, asked())  # nobody waits any more


async def test_client_that_leaves_gives_up_its_place() -> None:
    _, limits = await fairness(wait=60)
    seats = []
    while (seat := limits.try_sit(asked())) is not None:
        seats.append(seat)
    waiting = asyncio.create_task(limits.wait(asked()))
    await anyio.wait_all_tasks_blocked()
    waiting.cancel()
    await asyncio.wait([waiting])
    seats.pop().leave()
    seated(limits, asked())


async def test_level_without_queues_refuses_at_once() -> None:
    _, limits = await fairness()
    stranger = User("stranger")
    while limits.try_sit(asked(stranger)) is not None:
        pass
    with pytest.raises(TooBusy):
        await limits.wait(asked(stranger))


async def test_configuration_counts_from_the_next_request_on() -> None:
    api, limits = await fairness()
    seated(limits, asked()).leave()
    limited = {"nominalConcurrencyShares": 0, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}}
    await api.create(
        "prioritylevelconfigurations", {"metadata": {"name": "none"}, "spec": {"type": "Limited", "limited": limited}}
    )
    rule = {
        "subjects": [{"kind": "User", "user": {"name": "jane"}}],
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"]}],
    }
    spec = {"priorityLevelConfiguration": {"name": "none"}, "matchingPrecedence": 10, "rules": [rule]}
    await api.create("flowschemas", {"metadata": {"name": "jane"}, "spec": spec})
    await anyio.wait_all_tasks_blocked()
    assert limits.try_sit(asked()) is None
    await api.delete("flowschemas", "jane")
    await anyio.wait_all_tasks_blocked()
    seated(limits, asked())


# Deadlines


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", 201),
        ("?timeout=10s", 201),
        ("?timeout=1h", 201),
        ("?timeout=0s", 201),
        ("?timeout=soon", 400),
        ("?timeout=5", 400),
    ],
)
async def test_timeout_of_a_request_is_a_duration(query: str, code: int) -> None:
    async with serving() as door:
        answer = await door.ask("POST", CONFIGMAPS + query, configmap("c"))
        assert answer.code == code
        if code == 400:
            assert answer.json["message"].startswith("invalid timeout specified in the request URL")


async def slow_body(door: Door, path: str) -> bytes:
    """Send half a body, and then nothing."""
    _, _, address = door.server.url.partition("//")
    host, _, port = address.partition(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\nContent-Length: 100\r\n"
        await stream.send(f"{head}Content-Type: application/json\r\n\r\n{{".encode())
        return await stream.receive()


async def test_body_that_never_ends_is_given_up() -> None:
    async with serving(limits=LimitOptions(request_timeout=0.2)) as door:
        answer = await slow_body(door, CONFIGMAPS)
        assert answer.startswith(b"HTTP/1.1 504 ")
        assert b"request did not complete within requested timeout" in answer


@pytest.mark.parametrize(
    "flags",
    [{"request_timeout": 0.0}, {"max_requests_inflight": 0, "max_mutating_requests_inflight": 0}],
)
def test_flags_that_make_no_sense_are_refused(flags: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="--"):
        LimitOptions(**flags)


# Sizes


async def test_objects_have_a_largest_size() -> None:
    async with serving() as door:
        large = {**configmap("large"), "metadata": {"name": "large", "annotations": {}}, "data": {"a": "x" * 1_000_000}}
        assert (await door.ask("POST", CONFIGMAPS, large)).code == 201
        owners = [{"apiVersion": "v1", "kind": "Pod", "name": "p" * 200, "uid": f"{i:036}"} for i in range(2500)]
        patch = {"metadata": {"ownerReferences": owners}}
        answer = await door.ask("PATCH", f"{CONFIGMAPS}/large", patch, Content_Type="application/merge-patch+json")
        assert (answer.code, answer.json["message"]) == (413, "etcdserver: request is too large")
        assert "ownerReferences" not in (await door.ask("GET", f"{CONFIGMAPS}/large")).json["metadata"]
        assert (await door.ask("DELETE", f"{CONFIGMAPS}/large")).code == 200


async def test_bodies_have_a_largest_size() -> None:
    async with serving() as door:
        answer = await door.ask("POST", CONFIGMAPS, b" " * (3 * 1024 * 1024 + 1))
        assert (answer.code, answer.json["reason"]) == (413, "RequestEntityTooLarge")
