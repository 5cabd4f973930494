"""What is told of requests: by the policy, stage by stage, to a file and to a webhook."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
import yaml
from aiohttp import web

from kcore.registry.access import Attributes
from kcore.registry.request import User
from kcore.server.audit.log_file import LogFile, legacy_line
from kcore.server.audit.options import AuditOptions
from kcore.server.audit.policy import BadPolicy, Level, Policy, Telling, read_policy
from kcore.server.audit.sink import Buffered
from kcore.server.long_running import LongRunning
from kcore.server.metrics import labels_of
from kcore.server.resources import Call
from kcore.server.response import Reply
from tests.server.serving import CONFIGMAPS, Door, configmap, serving

ANN = User("ann", groups=("dev", "system:authenticated"))


def policy_of(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules), **more}


def policy_file(directory: Path, policy: Any) -> Path:
    path = directory / "policy.yaml"
    path.write_text(yaml.safe_dump(policy))
    return path


def asked(verb: str = "get", resource: str = "pods", name: str = "p", **more: Any) -> Attributes:
    group, _, plural = resource.rpartition("/") if resource.startswith(("apps/", "batch/")) else ("", "", resource)
    plural, _, subresource = plural.partition(":")
    return Attributes(
        more.pop("user", ANN), verb, group, plural, subresource, more.pop("namespace", "ns"), name, **more
    )


PATH = Attributes(ANN, "get", path="/healthz/etcd")


@pytest.mark.parametrize(
    ("rule", "question", "fits"),
    [
        ({}, asked(), True),
        ({}, PATH, True),
        ({"users": ["ann"]}, asked(), True),
        ({"users": ["bob"]}, asked(), False),
        ({"userGroups": ["ops", "dev"]}, asked(), True),
        ({"userGroups": ["ops"]}, asked(), False),
        ({"verbs": ["get", "list"]}, asked(), True),
        ({"verbs": ["list"]}, asked(), False),
        ({"namespaces": ["ns"]}, asked(), True),
        ({"namespaces": ["other"]}, asked(), False),
        ({"namespaces": [""]}, asked(resource="nodes", namespace=""), True),
        ({"namespaces": ["ns"]}, PATH, False),
        ({"resources": [{"group": "", "resources": ["pods"]}]}, asked(), True),
        ({"resources": [{"group": ""}]}, asked(), True),
        ({"resources": [{"group": "apps"}]}, asked(), False),
        ({"resources": [{"group": "apps", "resources": ["deployments"]}]}, asked(resource="apps/deployments"), True),
        ({"resources": [{"resources": ["pods"]}]}, asked(resource="pods:log"), False),
        ({"resources": [{"resources": ["pods/log"]}]}, asked(resource="pods:log"), True),
        ({"resources": [{"resources": ["pods/*"]}]}, asked(resource="pods:log"), True),
        ({"resources": [{"resources": ["pods/*"]}]}, asked(), True),
        ({"resources": [{"resources": ["*/log"]}]}, asked(resource="pods:log"), True),
        ({"resources": [{"resources": ["*/log"]}]}, asked(), False),
        ({"resources": [{"resources": ["*"]}]}, asked(resource="pods:log"), True),
        ({"resources": [{"resources": ["pods"], "resourceNames": ["p"]}]}, asked(), True),
        ({"resources": [{"resources": ["pods"], "resourceNames": ["q"]}]}, asked(), False),
        ({"resources": [{"resources": ["pods"]}]}, PATH, False),
        ({"nonResourceURLs": ["/healthz*"]}, PATH, True),
        ({"nonResourceURLs": ["/healthz"]}, PATH, False),
        ({"nonResourceURLs": ["*"]}, PATH, True),
        ({"nonResourceURLs": ["*"]}, asked(), False),
    ],
)
def test_rule_fits_what_it_speaks_of(rule: dict[str, Any], question: Attributes, fits: bool) -> None:
    policy = msgspec.convert(policy_of({"level": "Request", **rule}), Policy)
    assert policy.telling(question).level is (Level.REQUEST if fits else Level.NONE)


def test_first_rule_that_fits_decides() -> None:
    rules = ({"level": "None", "users": ["ann"]}, {"level": "Metadata", "omitStages": ["Panic"]})
    policy = msgspec.convert(policy_of(*rules, omitStages=["RequestReceived"], omitManagedFields=True), Policy)
    assert policy.telling(asked()).level is Level.NONE
    told = policy.telling(asked(user=User("bob")))
    assert told == Telling(Level.METADATA, frozenset(("RequestReceived", "Panic")), True)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (policy_of(), "a policy needs rules"),
        (policy_of({"level": "All"}), "All"),
        (policy_of({"level": "None", "user": ["ann"]}), "unknown field"),
        ({**policy_of({"level": "None"}), "apiVersion": "audit.k8s.io/v1beta1"}, "v1beta1"),
        (policy_of({"level": "None", "omitStages": ["Never"]}), "Never"),
        (policy_of({"level": "None", "nonResourceURLs": ["/a"], "namespaces": ["b"]}), "cannot apply to both"),
        (policy_of({"level": "None", "nonResourceURLs": ["a"]}), "must begin with a slash"),
        (policy_of({"level": "None", "nonResourceURLs": ["/a*b"]}), "no \\* but at its end"),
        (policy_of({"level": "None", "resources": [{"resourceNames": ["a"]}]}), "requires at least one resource"),
        (policy_of({"level": "None", "resources": [{"group": "apps/v1"}]}), "must not have a version"),
        ("text", "Expected"),
    ],
)
def test_policy_that_makes_no_sense_is_refused(tmp_path: Path, policy: Any, words: str) -> None:
    with pytest.raises(BadPolicy, match=words):
        read_policy(policy_file(tmp_path, policy))


class Told:
    """The events in a log file, once the server that wrote them has ended."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def text(self) -> str:
        """What has been written so far."""
        return self.path.read_text() if self.path.exists() else ""

    @property
    def events(self) -> Sequence[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@asynccontextmanager
async def audited(directory: Path, *rules: dict[str, Any], **more: Any) -> AsyncIterator[tuple[Door, Told]]:
    path = directory / "logs" / "audit.log"
    policy = policy_file(directory, policy_of(*rules, **more))
    options = AuditOptions(audit_policy_file=policy, audit_log_path=str(path))
    async with serving(policed=True, audit=options) as door:
        yield door, Told(path)


async def test_request_is_told_stage_by_stage(tmp_path: Path) -> None:
    async with audited(tmp_path, {"level": "RequestResponse"}) as (door, told):
        headers = {"Audit_Id": "mine", "User_Agent": "tests", "X_Forwarded_For": "10.0.0.1, 10.0.0.2"}
        answer = await door.ask("POST", CONFIGMAPS + "?fieldManager=me", configmap("c"), **headers)
        assert answer.headers["Audit-Id"] == "mine"
    received, complete = told.events
    assert (received["stage"], complete["stage"]) == ("RequestReceived", "ResponseComplete")
    assert "requestObject" not in received
    assert "responseStatus" not in received
    assert complete["kind"] == "Event"
    assert complete["apiVersion"] == "audit.k8s.io/v1"
    assert complete["auditID"] == "mine"
    assert complete["level"] == "RequestResponse"
    assert complete["verb"] == "create"
    assert complete["requestURI"] == CONFIGMAPS + "?fieldManager=me"
    assert complete["user"] == {"username": "admin", "groups": ["system:masters", "system:authenticated"]}
    assert complete["sourceIPs"] == ["10.0.0.1", "10.0.0.2", "127.0.0.1"]
    assert complete["userAgent"] == "tests"
    assert complete["objectRef"] == {"resource": "configmaps", "namespace": "default", "apiVersion": "v1"}
    assert complete["responseStatus"] == {"metadata": {}, "code": 201}
    assert complete["requestObject"] == configmap("c")
    assert complete["responseObject"]["metadata"]["name"] == "c"
    assert complete["annotations"] == {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""}
    assert complete["requestReceivedTimestamp"] <= received["stageTimestamp"] <= complete["stageTimestamp"]


async def test_every_request_has_an_id_of_its_own(tmp_path: Path) -> None:
    async with audited(tmp_path, {"level": "None", "verbs": ["list"]}, {"level": "Metadata"}) as (door, told):
        answers = [await door.ask("GET", path) for path in (f"{CONFIGMAPS}/a", CONFIGMAPS, f"{CONFIGMAPS}/a")]
    ids = [answer.headers["Audit-Id"] for answer in answers]
    assert len(set(ids)) == 3
    assert [event["auditID"] for event in told.events] == [ids[0], ids[0], ids[2], ids[2]]


async def test_metadata_tells_no_objects(tmp_path: Path) -> None:
    async with audited(tmp_path, {"level": "Metadata", "omitStages": ["RequestReceived"]}) as (door, told):
        await door.ask(
            "POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}, "stringData": {"a": "hidden"}}
        )
        await door.ask("GET", "/api/v1/namespaces/default/secrets/s")
    assert [event["verb"] for event in told.events] == ["create", "get"]
    assert "hidden" not in told.path.read_text()
    assert all("requestObject" not in e and "responseObject" not in e for e in told.events)


async def test_managed_fields_are_left_out_where_the_policy_says_so(tmp_path: Path) -> None:
    rule = {"level": "RequestResponse", "omitStages": ["RequestReceived"], "omitManagedFields": True}
    async with audited(tmp_path, rule) as (door, told):
        await door.create("c")
        await door.ask("GET", CONFIGMAPS)
    created, listed = told.events
    assert "managedFields" not in created["responseObject"]["metadata"]
    assert [item["metadata"]["name"] for item in listed["responseObject"]["items"]] == ["c"]
    assert "managedFields" not in json.dumps(listed)


async def test_refusals_say_why(tmp_path: Path) -> None:
    rule = {"level": "RequestResponse", "omitStages": ["RequestReceived"]}
    async with audited(tmp_path, rule) as (door, told):
        await door.ask("GET", CONFIGMAPS, token="known-token")
        await door.ask("GET", CONFIGMAPS, token="wrong")
        await door.ask("GET", "/metrics", token=None)
        await door.ask("GET", f"{CONFIGMAPS}/none")
    forbidden, unknown, path, absent = told.events
    assert forbidden["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert forbidden["responseStatus"]["reason"] == "Forbidden"
    assert forbidden["responseObject"]["kind"] == "Status"
    assert (unknown["responseStatus"]["code"], unknown["user"]["username"]) == (401, "")
    assert "objectRef" not in path
    assert path["user"]["username"] == "system:anonymous"
    status = absent["responseStatus"]
    assert (status["status"], status["code"], status["details"]["name"]) == ("Failure", 404, "none")


async def test_impersonation_tells_both(tmp_path: Path) -> None:
    async with audited(tmp_path, {"level": "Metadata"}) as (door, told):
        await door.ask("GET", CONFIGMAPS, Impersonate_User="joe", Impersonate_Group="dev")
    event = told.events[-1]
    assert event["user"]["username"] == "admin"
    assert event["impersonatedUser"] == {"username": "joe", "groups": ["dev", "system:authenticated"]}
    assert event["annotations"]["authorization.k8s.io/decision"] == "forbid"


async def test_watch_is_told_when_it_begins_and_when_it_ends(tmp_path: Path) -> None:
    async with audited(tmp_path, {"level": "RequestResponse"}) as (door, told):
        assert (await door.ask("GET", f"{CONFIGMAPS}?watch=true&timeoutSeconds=1")).code == 200
    assert [event["stage"] for event in told.events] == ["RequestReceived", "ResponseStarted", "ResponseComplete"]
    assert all("responseObject" not in event for event in told.events)


async def test_answer_that_lasts_is_told_when_it_begins(tmp_path: Path) -> None:
    async with audited(tmp_path, {"level": "Metadata"}) as (door, told):

        async def lasting(call: Call) -> web.StreamResponse:
            with LongRunning(call.request, labels_of("connect", call.address)):
                with anyio.fail_after(30):
                    while "ResponseStarted" not in told.text:  # noqa: ASYNC110  # another thread writes it
                        await anyio.sleep(0.005)
            return Reply(200, b"{}")

        door.server._door._resources.answer = lasting  # type: ignore[method-assign]
        assert (await door.ask("GET", CONFIGMAPS)).code == 200
    assert [event["stage"] for event in told.events] == ["RequestReceived", "ResponseStarted", "ResponseComplete"]


async def test_failure_of_the_server_is_told_as_a_panic(tmp_path: Path) -> None:
    async with audited(tmp_path, {"level": "Metadata"}) as (door, told):

        async def broken(call: Call) -> web.StreamResponse:
            raise RuntimeError("a bug")

        door.server._door._resources.answer = broken  # type: ignore[method-assign]
        assert (await door.ask("GET", CONFIGMAPS)).code == 500
    event = told.events[-1]
    assert (event["stage"], event["responseStatus"]["code"]) == ("Panic", 500)
    assert "a bug" not in told.path.read_text()


async def test_bodies_that_are_no_json_do_not_break_the_log(tmp_path: Path) -> None:
    async with audited(tmp_path, {"level": "Request", "omitStages": ["RequestReceived"]}) as (door, told):
        await door.ask("POST", CONFIGMAPS, b"a: 1\nmetadata: {name: yy}", Content_Type="application/yaml")
        await door.ask("POST", CONFIGMAPS, b'{"metadata":\n{"name": "j"}}')
        await door.ask("POST", CONFIGMAPS, b'{"broken')
        await door.ask(
            "PATCH", f"{CONFIGMAPS}/j", b"metadata:\n  labels: {a: b}\n", Content_Type="application/apply-patch+yaml"
        )
    first, second, third, _ = told.events
    assert first["requestObject"]["metadata"]["name"] == "yy"
    assert second["requestObject"]["metadata"]["name"] == "j"
    assert "requestObject" not in third or third["requestObject"] is None


async def test_nothing_is_told_without_a_policy(tmp_path: Path) -> None:
    options = AuditOptions(audit_log_path=str(tmp_path / "audit.log"))
    async with serving(audit=options) as door:
        await door.ask("GET", CONFIGMAPS)
    assert not (tmp_path / "audit.log").exists()


# Files


class HandClock:
    def __init__(self, time: float = 1_700_000_000.0) -> None:
        self.time = time

    def now(self) -> float:
        return self.time


EVENT: dict[str, Any] = {
    "auditID": "i",
    "stage": "ResponseComplete",
    "stageTimestamp": "2023-11-14T22:13:20.000000Z",
    "sourceIPs": ["127.0.0.1"],
    "verb": "get",
    "user": {"username": 'a"b', "groups": ["dev"]},
    "requestURI": "/x",
    "responseStatus": {"code": 200},
    "blank": "x" * 600_000,
}


async def test_log_is_put_aside_when_it_has_grown_and_the_oldest_go(tmp_path: Path) -> None:
    clock, path = HandClock(), tmp_path / "logs" / "audit.log"
    log = LogFile(path, clock, size_max=1, backups_max=2)
    for _ in range(5):
        await log.write([EVENT])
        clock.time += 1
    names = sorted(p.name for p in path.parent.iterdir())
    assert names == ["audit-2023-11-14T22-13-23.000.log", "audit-2023-11-14T22-13-24.000.log", "audit.log"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_logs_put_aside_are_packed_and_age(tmp_path: Path) -> None:
    clock, path = HandClock(), tmp_path / "audit.log"
    log = LogFile(path, clock, size_max=1, age_max=1, compress=True)
    for _ in range(4):
        await log.write([EVENT])
        clock.time += 13 * 3600
    stamps = sorted(name[6:16] for name in os.listdir(tmp_path) if name.endswith(".gz"))
    assert stamps == ["2023-11-16", "2023-11-16"]


def test_legacy_format_is_one_line_of_words() -> None:
    line = legacy_line(EVENT).decode()
    assert line.startswith(
        '2023-11-14T22:13:20.000000Z AUDIT: id="i" stage="ResponseComplete" ip="127.0.0.1" method="get"'
    )
    assert r'user="a\"b" groups="\"dev\"" as="<self>" asgroups="<lookup>"' in line
    assert line.endswith('namespace="<none>" uri="/x" response="200"\n')


async def test_log_that_can_not_be_written_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "audit.log").mkdir()
    await LogFile(tmp_path / "audit.log", HandClock()).write([EVENT])


class Slow:
    def __init__(self) -> None:
        self.batches: list[int] = []

    async def write(self, events: Sequence[dict[str, Any]]) -> None:
        self.batches.append(len(events))


async def test_full_buffer_loses_what_is_newest() -> None:
    sink = Slow()
    buffer = Buffered(sink, capacity=5, batch=2)
    for _ in range(9):
        buffer.put({})
    async with anyio.create_task_group() as tasks:
        await tasks.start(buffer.run)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert sink.batches == [2, 2, 1]


# A webhook


async def test_webhook_gets_many_events_at_once(tmp_path: Path) -> None:
    lists: list[Any] = []
    codes = [500, 200]

    async def take(request: web.BaseRequest) -> web.StreamResponse:
        code = codes.pop(0) if codes else 200
        if code == 200:
            assert request.headers["Authorization"] == "Bearer t"
            lists.append(await request.json())
        return web.Response(status=code)

    runner = web.ServerRunner(web.Server(take))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    config = tmp_path / "hook.yaml"
    entry = {"name": "x", "cluster": {"server": f"http://127.0.0.1:{runner.addresses[0][1]}/audit"}}
    config.write_text(
        yaml.safe_dump(
            {
                "clusters": [entry],
                "users": [{"name": "x", "user": {"token": "t"}}],
                "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                "current-context": "x",
            }
        )
    )
    options = AuditOptions(
        audit_policy_file=policy_file(tmp_path, policy_of({"level": "Metadata"})),
        audit_webhook_config_file=config,
        audit_webhook_batch_max_wait=0.01,
        audit_webhook_initial_backoff=0.01,
    )
    async with serving(audit=options) as door:
        await door.create("a")
        await door.create("b")
    await runner.cleanup()
    assert {each["kind"] for each in lists} == {"EventList"}
    items = [item for each in lists for item in each["items"]]
    assert [item["stage"] for item in items] == ["RequestReceived", "ResponseComplete"] * 2
