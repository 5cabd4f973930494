"""log, exec, attach and portforward through the API server, to kubelets in its own process."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import aiohttp
import anyio
import pytest

from kcore.registry.connecting.log_options import PodLogOptions
from tests.server.connecting.backends import PODS, fronting
from tests.server.kubelet.scripted import NO_LOG, NOT_RUNNING, ScriptedKubelets, node, pod
from tests.server.serving import Door
from tests.server.streaming.talking import (
    Command,
    Refused,
    command_streams,
    listening,
    messages,
    read_all,
    shout,
    spdy,
    websocket,
)

WEB = pod("web")
TWO = pod("two", "app", "sidecar")
BARE = {**pod("bare"), "spec": {"containers": [{"name": "app", "image": "x"}]}}


def kubelets() -> ScriptedKubelets:
    return ScriptedKubelets(node("n1"), pods=[WEB, TWO])


def everything(scripted: ScriptedKubelets) -> tuple[Any, ...]:
    return scripted, node("n1"), WEB, TWO, BARE


async def test_log_is_plain_text() -> None:
    scripted = kubelets()
    async with fronting(*everything(scripted)) as door:
        answer = await door.ask("GET", f"{PODS}/web/log?tailLines=5&timestamps=true&sinceSeconds=60&previous=1")
    assert (answer.code, answer.body) == (200, b"one\ntwo\n")
    assert answer.headers["Content-Type"] == "text/plain"
    assert "Audit-Id" in answer.headers
    options = PodLogOptions(previous=True, since_seconds=60, timestamps=True, tail_lines=5)
    assert scripted.asked == [("app", options)]


async def test_followed_log_ends_when_its_reader_leaves() -> None:
    scripted = kubelets()
    scripted.endless = True
    async with fronting(*everything(scripted)) as door:
        async with door.session.get(
            f"{door.server.url}{PODS}/web/log?follow=true", headers={"Authorization": "Bearer admin-token"}
        ) as response:
            assert await response.content.readexactly(8) == b"one\ntwo\n"
            response.close()
        with anyio.fail_after(10):
            await scripted.log_ended.wait()


async def test_server_that_stops_ends_the_logs_that_are_followed() -> None:
    scripted = kubelets()
    scripted.endless = True
    async with fronting(*everything(scripted)) as door:
        headers = {"Authorization": "Bearer admin-token"}
        async with door.session.get(f"{door.server.url}{PODS}/web/log?follow=true", headers=headers) as response:
            assert await response.content.readexactly(8) == b"one\ntwo\n"
            door.server.end_streams()
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.content.read()


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("none/log", 404, 'pods "none" not found'),
        ("web/log?container=db", 400, "container db is not valid for pod web"),
        (
            "two/log",
            400,
            "a container name must be specified for pod two, choose one of: [app sidecar]",
        ),
        (
            "web/log?tailLines=-1",
            422,
            'PodLogOptions "web" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
        ),
        ("web/log?tailLines=many", 400, 'strconv.ParseInt: parsing "many": invalid syntax'),
        (
            "web/log?sinceTime=noon",
            400,
            'parsing time "noon" as "2006-01-02T15:04:05Z07:00": cannot parse "noon" as "2006"',
        ),
        ("bare/exec?command=ls&stdout=1", 400, "pod bare does not have a host assigned"),
        ("bare/portforward", 400, "pod bare does not have a host assigned"),
        ("two/attach?stdout=1", 400, "a container name must be specified for pod two, choose one of: [app sidecar]"),
        ("none/exec", 404, 'pods "none" not found'),
    ],
)
async def test_what_is_wrong_is_said_before_any_node_is_asked(path: str, code: int, message: str) -> None:
    async with fronting(*everything(kubelets())) as door:
        answer = await door.ask("GET", f"{PODS}/{path}")
    assert (answer.code, answer.json["message"]) == (code, message)


async def test_pod_without_a_node_has_no_log_yet() -> None:
    async with fronting(*everything(kubelets())) as door:
        answer = await door.ask("GET", f"{PODS}/bare/log")
    assert (answer.code, answer.body) == (204, b"")


async def test_kubelets_refusal_of_a_log_is_a_bad_request() -> None:
    scripted = kubelets()
    scripted.log = NO_LOG
    async with fronting(*everything(scripted)) as door:
        answer = await door.ask("GET", f"{PODS}/web/log")
    assert answer.code == 400
    assert answer.json["reason"] == "BadRequest"
    assert answer.json["message"] == 'container "app" in pod "web" is waiting to start: ContainerCreating'


async def test_pod_that_its_kubelet_does_not_know_is_an_unexpected_answer() -> None:
    async with fronting(ScriptedKubelets(node("n1")), node("n1"), WEB) as door:
        answer = await door.ask("GET", f"{PODS}/web/log")
    assert (answer.code, answer.json["reason"]) == (404, "NotFound")
    assert answer.json["message"] == "the server could not find the requested resource ( pods/log web)"
    assert answer.json["details"]["causes"][0]["message"] == 'pod "web" does not exist'


def port_of(door: Door) -> int:
    return door.server.port


TOKEN = "admin-token"


async def test_command_runs_over_spdy() -> None:
    scripted = kubelets()
    path = f"{PODS}/web/exec?container=app&command=ls&command=-l&stdout=true&stderr=1"
    async with (
        fronting(*everything(scripted)) as door,
        spdy(port_of(door), path, "v4.channel.k8s.io", token=TOKEN) as connection,
    ):
        streams = await command_streams(connection, "error", "stdout", "stderr")
        assert await read_all(streams["stdout"]) == b"out"
        assert json.loads(await read_all(streams["error"]))["reason"] == "NonZeroExitCode"
    assert scripted.asked == [("app", "ls", "-l", False, False)]


async def test_command_runs_over_websocket() -> None:
    path = f"{PODS}/web/exec?command=ls&stdout=1&stderr=1"
    async with (
        fronting(*everything(kubelets())) as door,
        websocket(port_of(door), path, "v5.channel.k8s.io", token=TOKEN) as socket,
    ):
        heard = await messages(socket)
    assert (heard[1], heard[2]) == (b"out", b"err")


async def test_browser_sends_its_token_as_a_subprotocol() -> None:
    token = "base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(b"admin-token").decode().rstrip("=")
    path = f"{PODS}/web/exec?command=ls&stdout=1&stderr=1"
    async with (
        fronting(*everything(kubelets())) as door,
        websocket(port_of(door), path, token, "v4.channel.k8s.io") as socket,
    ):
        assert socket.protocol == "v4.channel.k8s.io"
        assert (await messages(socket))[1] == b"out"


async def test_attached_container_is_listened_to() -> None:
    scripted = kubelets()
    scripted.command = Command(b"hello", code=1)
    path = f"{PODS}/web/attach?stdout=1"
    async with (
        fronting(*everything(scripted)) as door,
        websocket(port_of(door), path, "v4.channel.k8s.io", token=TOKEN) as socket,
    ):
        heard = await messages(socket)
    assert heard[1] == b"hello"
    assert json.loads(heard[3])["status"] == "Success", "its exit code is not the client's"


async def test_what_a_kubelet_refuses_is_passed_on_as_text() -> None:
    scripted = kubelets()
    scripted.command = NOT_RUNNING
    async with fronting(*everything(scripted)) as door:
        with pytest.raises(Refused, match=r'container not found \("app"\)'):
            async with spdy(port_of(door), f"{PODS}/web/exec?command=ls&stdout=1", "v4.channel.k8s.io", token=TOKEN):
                pass


async def test_request_that_does_not_upgrade_is_told_to() -> None:
    async with fronting(*everything(kubelets())) as door:
        answer = await door.ask("POST", f"{PODS}/web/exec?command=ls&stdout=1")
    assert (answer.code, answer.body) == (400, b"Upgrade request required")


async def test_port_is_forwarded() -> None:
    scripted = kubelets()
    async with listening(shout) as target, fronting(*everything(scripted)) as door:
        scripted.target = target
        async with spdy(port_of(door), f"{PODS}/web/portforward", "portforward.k8s.io", token=TOKEN) as connection:
            error = await connection.open({"streamtype": "error", "port": "80", "requestid": "0"})
            data = await connection.open({"streamtype": "data", "port": "80", "requestid": "0"})
            await data.send(b"hello")
            await data.send_eof()
            assert await read_all(data) == b"HELLO"
            assert await read_all(error) == b""
    assert scripted.asked == [("web", 80)]


async def test_reading_pods_is_not_enough_to_enter_them() -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get"]}],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "vera"}],
    }
    async with fronting(*everything(kubelets()), policed=True) as door:
        for obj, plural in ((role, "clusterroles"), (binding, "clusterrolebindings")):
            answer = await door.ask("POST", f"/apis/rbac.authorization.k8s.io/v1/{plural}", obj)
            assert answer.code == 201, answer.body
        await asyncio.sleep(0)
        answer = await door.ask("GET", f"{PODS}/web/exec?command=ls&stdout=1", token="view-token")
    assert answer.code == 403
    assert answer.json["message"].startswith(
        'pods "web" is forbidden: User "vera" cannot create resource "pods/exec" in API group ""'
    )
