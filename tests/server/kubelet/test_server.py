"""The kubelet's own TLS port: who gets in, and what is there; and an API server that reaches it from elsewhere."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import anyio
import pytest

from kcore.client.local import LocalClient
from kcore.kit.clock import Chance, SystemClock
from kcore.server.certificates import Pki, serving_names
from kcore.server.connecting.kubelets import KubeletClient
from kcore.server.kubelet.access import subresources_of
from kcore.server.kubelet.server import KubeletServer
from tests.server.connecting.backends import PODS, store
from tests.server.kubelet.scripted import NO_LOG, ScriptedKubelets, node, pod
from tests.server.serving import Answer, Door, serving
from tests.server.streaming.talking import (
    Command,
    command_streams,
    listening,
    messages,
    read_all,
    shout,
    spdy,
    websocket,
)

WEB = pod("web")


class Port:
    """The kubelet's port, and requests to it."""

    def __init__(self, server: KubeletServer, session: aiohttp.ClientSession, tls: ssl.SSLContext) -> None:
        self.server = server
        self.tls = tls
        self._session = session

    async def ask(self, method: str, path: str, token: str = "", host: str = "n1") -> Answer:
        headers = {"Host": f"{host}:{self.server.port}"} | ({"Authorization": f"Bearer {token}"} if token else {})
        url = f"https://127.0.0.1:{self.server.port}{path}"
        async with self._session.request(method, url, headers=headers, ssl=self.tls) as response:
            return Answer(response.status, response.headers, await response.read())


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.ensure(tmp_path_factory.mktemp("pki"), SystemClock(), serving_names("127.0.0.1", "10.96.0.0/16"))


def client_tls(pki: Pki, certificate: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=pki.authority.decode())
    if certificate:
        context.load_cert_chain(pki.directory / f"{certificate}.crt", pki.directory / f"{certificate}.key")
    return context


@asynccontextmanager
async def kubelet_port(pki: Pki, kubelets: ScriptedKubelets, certificate: str = "") -> AsyncIterator[tuple[Port, Door]]:
    """Kubelets on a port of their own, and an API server that knows them by their nodes' addresses only."""
    to_kubelets = KubeletClient(pki.kubelet_client_context)
    async with serving(kubelets=to_kubelets, policed=True) as door, anyio.create_task_group() as tasks:
        server = KubeletServer(
            kubelets,
            LocalClient(door.registry),
            SystemClock(),
            Chance(1),
            host="127.0.0.1",
            port=0,
            also=["127.0.0.77"],
            ssl_context=pki.server_context(),
        )
        await tasks.start(server.run)
        await store(door, node("n1", ip="127.0.0.1", port=server.port))
        await store(door, WEB)
        async with aiohttp.ClientSession() as session:
            yield Port(server, session, client_tls(pki, certificate)), door
        tasks.cancel_scope.cancel()


def kubelets() -> ScriptedKubelets:
    return ScriptedKubelets(node("n1"), pods=[WEB])


async def test_nobody_is_anonymous(pki: Pki) -> None:
    async with kubelet_port(pki, kubelets()) as (port, _):
        for token in ("", "nobodys-token"):
            answer = await port.ask("GET", "/pods", token)
            assert (answer.code, answer.body) == (401, b"Unauthorized")


async def test_api_servers_certificate_opens_every_path(pki: Pki) -> None:
    async with kubelet_port(pki, kubelets(), "apiserver-kubelet-client") as (port, _):
        answer = await port.ask("GET", "/pods")
        assert [item["metadata"]["name"] for item in answer.json["items"]] == ["web"]
        assert (await port.ask("GET", "/healthz")).body == b"ok"
        assert (await port.ask("GET", "/stats/summary")).json["node"]["nodeName"] == "n1"
        assert (await port.ask("GET", "/runningpods/")).json["kind"] == "PodList"
        assert (await port.ask("GET", "/configz")).json["kubeletconfig"]["maxPods"] == 110
        assert (await port.ask("GET", "/spec")).json["num_cores"] == 4
        assert (await port.ask("GET", "/containerLogs/default/web/app")).body == b"one\ntwo\n"


async def test_bearer_token_is_reviewed_and_so_is_what_its_user_may_do(pki: Pki) -> None:
    async with kubelet_port(pki, kubelets()) as (port, _):
        assert (await port.ask("GET", "/pods", "admin-token")).code == 200
        answer = await port.ask("GET", "/stats/summary", "view-token")
        assert answer.code == 403
        assert answer.body == b"Forbidden (user=vera, verb=get, resource=nodes, subresource(s)=[stats])\n"


@pytest.mark.parametrize(
    ("path", "subresources"),
    [
        ("/stats/summary", ["stats"]),
        ("/metrics/cadvisor", ["metrics"]),
        ("/metrics", ["metrics"]),
        ("/logs/x", ["log"]),
        ("/pods", ["pods", "proxy"]),
        ("/runningpods/", ["pods", "proxy"]),
        ("/healthz", ["healthz", "proxy"]),
        ("/configz", ["configz", "proxy"]),
        ("/exec/default/web/app", ["proxy"]),
        ("/statsx", ["proxy"]),
    ],
)
def test_path_is_guarded_by_subresources_of_nodes(path: str, subresources: list[str]) -> None:
    assert list(subresources_of(path)) == subresources


@pytest.mark.parametrize(
    ("method", "path", "code", "body"),
    [
        ("GET", "/nothing", 404, b"404 page not found\n"),
        ("POST", "/pods", 405, b"Method Not Allowed"),
        ("GET", "/containerLogs/default/none/app", 404, b'pod "none" does not exist'),
        ("GET", "/containerLogs/default/web/db", 404, b'container "db" not found in pod "web"'),
        ("POST", "/run/default/web/app?cmd=ls", 500, b"command terminated with exit code 3: outerr"),
        ("GET", "/metrics/nothing", 404, b"404 page not found\n"),
    ],
)
async def test_errors_are_plain_text(pki: Pki, method: str, path: str, code: int, body: bytes) -> None:
    async with kubelet_port(pki, kubelets()) as (port, _):
        answer = await port.ask(method, path, "admin-token")
        assert (answer.code, answer.body) == (code, body)
        assert answer.headers["Content-Type"].startswith("text/plain")


async def test_host_of_the_url_names_the_node(pki: Pki) -> None:
    several = ScriptedKubelets(node("n1", ip="10.1.0.1"), node("n2", ip="10.1.0.2"), pods=[WEB])
    async with kubelet_port(pki, several) as (port, _):
        for host, count in (("n1", 1), ("n2", 0), ("10.1.0.1", 1)):
            answer = await port.ask("GET", "/pods", "admin-token", host)
            assert len(answer.json["items"]) == count
        answer = await port.ask("GET", "/pods", "admin-token", "127.0.0.1")
        assert answer.code == 400
        assert b"must name one of the 2 nodes served here" in answer.body


async def test_further_addresses_have_the_same_port(pki: Pki) -> None:
    async with kubelet_port(pki, kubelets()) as (port, _), await anyio.connect_tcp("127.0.0.77", port.server.port):
        pass


async def test_metrics_are_those_of_the_summary(pki: Pki) -> None:
    async with kubelet_port(pki, kubelets()) as (port, _):
        resource = (await port.ask("GET", "/metrics/resource", "admin-token")).body.decode()
        cadvisor = (await port.ask("GET", "/metrics/cadvisor", "admin-token")).body.decode()
        probes = (await port.ask("GET", "/metrics/probes", "admin-token")).body.decode()
        own = (await port.ask("GET", "/metrics", "admin-token")).body.decode()
    labels = 'container="app",namespace="default",pod="web"'
    assert f"container_cpu_usage_seconds_total{{{labels}}} 2.5 1795856400000" in resource
    assert "node_memory_working_set_bytes 20.0 1795856400000" in resource
    assert 'container_memory_rss{container="app",image="",namespace="default",pod="web"} 10.0' in cadvisor
    assert "machine_cpu_cores 4.0" in cadvisor
    told = f'{labels},pod_uid="uid-web",probe_type="Readiness",result="failed"'
    assert f"prober_probe_total{{{told}}} 3.0" in probes
    assert 'kubelet_node_name{node="n1"} 1.0' in own


async def test_api_server_reads_logs_of_a_kubelet_elsewhere(pki: Pki) -> None:
    scripted = kubelets()
    async with kubelet_port(pki, scripted) as (_, door):
        answer = await door.ask("GET", f"{PODS}/web/log?tailLines=3")
        assert (answer.code, answer.body) == (200, b"one\ntwo\n")
        assert scripted.asked[-1][1].tail_lines == 3
        scripted.log = NO_LOG
        answer = await door.ask("GET", f"{PODS}/web/log")
        assert (answer.code, answer.json["message"]) == (400, NO_LOG.message)


async def test_api_server_joins_clients_to_a_kubelet_elsewhere(pki: Pki) -> None:
    scripted = kubelets()
    token = "admin-token"
    async with listening(shout) as target, kubelet_port(pki, scripted) as (_, door):
        scripted.target = target
        at = door.server.port
        path = f"{PODS}/web/exec?command=ls&stdout=1&stderr=1"
        async with spdy(at, path, "v4.channel.k8s.io", token=token) as connection:
            streams = await command_streams(connection, "error", "stdout", "stderr")
            assert await read_all(streams["stdout"]) == b"out"
        scripted.command = Command(stderr=b"err")
        async with websocket(at, path, "v5.channel.k8s.io", token=token) as socket:
            assert (await messages(socket))[2] == b"err"
        async with spdy(at, f"{PODS}/web/portforward", "portforward.k8s.io", token=token) as connection:
            await connection.open({"streamtype": "error", "port": "80", "requestid": "0"})
            data = await connection.open({"streamtype": "data", "port": "80", "requestid": "0"})
            await data.send(b"hello")
            await data.send_eof()
            assert await read_all(data) == b"HELLO"
        answer = await door.ask("GET", "/api/v1/nodes/n1/proxy/stats/summary")
        assert answer.json["node"]["nodeName"] == "n1"


async def test_kubelet_that_does_not_answer_is_told_as_it_is(pki: Pki) -> None:
    async with serving(kubelets=KubeletClient(pki.kubelet_client_context)) as door:
        with_port = node("n1", ip="127.0.0.1", port=1)
        await store(door, with_port)
        await store(door, WEB)
        answer = await door.ask("GET", f"{PODS}/web/log")
    assert answer.code == 500
    assert answer.json["message"] == "error dialing backend: dial tcp 127.0.0.1:1: connect: connection refused"
