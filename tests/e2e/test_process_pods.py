"""Pods that are processes, reached with the oldest kubectl (SPDY) and the newest (WebSocket)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import namespace_of
from tests.e2e.serving import Kubectl, Served, eventually, kubectls, serving
from tests.e2e.terminal import Terminal, at_terminal

pytestmark = pytest.mark.kubectl

BINARIES = kubectls()
ENDS: list[Path | None] = [*dict.fromkeys((BINARIES[0], BINARIES[-1]))] if BINARIES else [None]
SERVE = (
    "import http.server as h, os, pathlib; pathlib.Path('index.html').write_text('<a href=\"/next\">hello</a>'); "
    "h.test(h.SimpleHTTPRequestHandler, port=8080, bind=os.environ['POD_IP'])"
)
POD_IP = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A cluster whose one node runs pods as processes, at addresses that no other cluster's pods have."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    options = (
        "--ephemeral",
        "--nodes",
        "1",
        "--runtime",
        "process",
        "--pod-loopback-cidr",
        f"127.{64 + worker}.0.0/16",
    )
    with serving(tmp_path_factory.mktemp("processes"), *options) as running:
        yield running


@pytest.fixture(params=ENDS, ids=lambda path: path.name if path else "none")
def kubectl(request: pytest.FixtureRequest, processes: Served) -> Iterator[Kubectl]:
    binary: Path | None = request.param
    if binary is None:
        pytest.skip("no kubectl on this machine")
    with namespace_of(processes, request) as namespace:
        yield Kubectl(binary, processes, namespace)


def pod(name: str, *command: str, **fields: Any) -> str:
    container = {"name": "app", "image": "busybox", "command": command, **fields}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def run(kubectl: Kubectl, name: str, *command: str, **fields: Any) -> None:
    kubectl("apply", "-f", "-", stdin=pod(name, *command, **fields))
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")


@contextmanager
def typing(kubectl: Kubectl, *arguments: str) -> Iterator[Terminal]:
    with at_terminal(kubectl.command(*arguments), kubectl.environment) as terminal:
        yield terminal


def test_logs_of_now_and_before(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=pod("talker", "sh", "-c", "echo one; echo two >&2; sleep 1; exit 7"))
    kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod/talker", "--timeout=60s")
    assert sorted(kubectl("logs", "-f", "talker").splitlines()) == ["one", "two"]

    def restarted() -> bool:
        """the container has been started again"""
        statuses = kubectl.json("get", "pod", "talker")["status"].get("containerStatuses", [])
        return any(status["restartCount"] for status in statuses)

    eventually(restarted, 60)
    assert sorted(kubectl("logs", "-p", "talker").splitlines()) == ["one", "two"]
    assert kubectl("logs", "talker", "--since=1h", "--tail=1", "--timestamps").count("\n") == 1


def test_command_with_input_output_and_exit_code(kubectl: Kubectl) -> None:
    run(kubectl, "shell", "sleep", "1000")
    assert kubectl("exec", "-i", "shell", "--", "cat", stdin="through\n" * 20_000) == "through\n" * 20_000
    failed = kubectl("exec", "shell", "--", "sh", "-c", "echo out; echo err >&2; exit 5", check=False)
    assert {"out", "err", "command terminated with exit code 5"} == set(failed.splitlines())
    nowhere = kubectl("exec", "shell", "-c", "nope", "--", "true", check=False)
    assert "container nope is not valid for pod shell" in nowhere


def test_terminal_follows_the_window(kubectl: Kubectl) -> None:
    run(kubectl, "shell", "sleep", "1000")
    with typing(kubectl, "exec", "-it", "shell", "--", "sh") as terminal:
        terminal.resize(100, 30)
        terminal.type("stty size; tty\n")
        terminal.expect("/dev/pts/")
        terminal.resize(132, 43)
        terminal.type("until stty size | grep '43 132'; do sleep 0.1; done; exit 4\n")
        assert terminal.exit_code() == 4
        assert "43 132" in terminal.screen


def test_files_are_copied_both_ways(kubectl: Kubectl, tmp_path: Path) -> None:
    run(kubectl, "shell", "sleep", "1000")
    sent, back = tmp_path / "sent", tmp_path / "back"
    sent.write_bytes(bytes(range(256)) * 4_000)
    kubectl("cp", str(sent), "shell:/tmp/file")
    kubectl("cp", "shell:/tmp/file", str(back))
    assert back.read_bytes() == sent.read_bytes()


def test_container_is_attached_to(kubectl: Kubectl) -> None:
    run(kubectl, "echo", "sh", "-c", "while read line; do echo got $line; done; sleep 1000", stdin=True)
    attached = subprocess.Popen(
        kubectl.command("attach", "-i", "echo"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=kubectl.environment,
    )
    with attached:
        assert attached.stdin is not None
        assert attached.stdout is not None
        attached.stdin.write("hello\n")
        attached.stdin.flush()
        assert attached.stdout.readline() == "got hello\n"
        attached.send_signal(signal.SIGINT)


def test_pod_of_the_moment_is_run_and_removed(kubectl: Kubectl) -> None:
    with typing(
        kubectl, "run", "moment", "--image=busybox", "--restart=Never", "--rm", "-it", "--command", "--", "sh"
    ) as terminal:
        terminal.expect("press")
        terminal.type("echo sum $((20+22))\n")
        terminal.expect("sum 42")
        terminal.type("exit\n")
        assert terminal.exit_code() == 0
        assert 'pod "moment" deleted' in terminal.screen
        assert "falling back" not in terminal.screen


def test_pod_is_debugged_by_another_container(kubectl: Kubectl) -> None:
    run(kubectl, "shell", "sleep", "1000")
    with typing(kubectl, "debug", "shell", "-it", "--image=busybox", "--target=app", "--", "sh") as terminal:
        terminal.expect("press")
        terminal.type("hostname; exit\n")
        terminal.expect("shell")
        assert terminal.exit_code() == 0


def test_port_is_forwarded_and_proxied(kubectl: Kubectl) -> None:
    listens = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    ports = [{"containerPort": 8080}]
    run(kubectl, "web", "python3", "-c", SERVE, workingDir="/tmp", ports=ports, readinessProbe=listens, env=[POD_IP])
    forwarding = subprocess.Popen(
        kubectl.command("port-forward", "web", ":8080"), stdout=subprocess.PIPE, text=True, env=kubectl.environment
    )
    with forwarding:
        assert forwarding.stdout is not None
        port = re.findall(r"127.0.0.1:(\d+)", forwarding.stdout.readline())[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
            assert answer.read() == b'<a href="/next">hello</a>'
        forwarding.terminate()
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/web:8080/proxy"
    assert kubectl("get", "--raw", f"{path}/") == f'<a href="{path}/next">hello</a>'
    probed = kubectl("get", "--raw", "/api/v1/nodes/node-0/proxy/metrics/probes")
    answers = [line for line in probed.splitlines() if f'namespace="{kubectl.namespace}"' in line]
    assert any('probe_type="Readiness",result="successful"' in line for line in answers)
