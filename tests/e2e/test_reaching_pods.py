"""logs, exec, port-forward and proxy of fake pods, with every kubectl."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.serving import Kubectl, eventually

pytestmark = pytest.mark.kubectl

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "talker",
        "annotations": {
            "kcore.dev/logs": "one\ntwo\nthree",
            "kcore.dev/exec": json.dumps({"hostname": "talker", "ls *": {"stderr": "no such file", "exitCode": 3}}),
        },
    },
    "spec": {"containers": [{"name": "app", "image": "nginx", "ports": [{"containerPort": 80}]}]},
}


@contextmanager
def running(kubectl: Kubectl, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """kubectl while it works, its output at hand."""
    process = subprocess.Popen(
        kubectl.command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=kubectl.environment,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def test_fake_pod_says_what_it_was_told_to(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=json.dumps(POD))
    kubectl("wait", "--for=condition=Ready", "pod/talker")
    assert kubectl("logs", "talker", "--tail=2") == "two\nthree\n"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\S+Z three\n", kubectl("logs", "talker", "--tail=1", "--timestamps"))
    assert 'previous terminated container "app" in pod "talker" not found' in kubectl(
        "logs", "-p", "talker", check=False
    )
    assert kubectl("exec", "talker", "--", "hostname") == "talker\n"
    failed = kubectl("exec", "talker", "--", "ls", "/x", check=False)
    assert "no such file" in failed
    assert "command terminated with exit code 3" in failed
    assert "a fake container has no processes" in kubectl("exec", "talker", "--", "rm", check=False)
    with running(kubectl, "logs", "-f", "talker") as following:
        assert following.stdout is not None
        assert [following.stdout.readline() for _ in range(3)] == ["one\n", "two\n", "three\n"]
        kubectl("delete", "pod", "talker", "--now")
        assert following.wait(20) == 0


def test_port_of_a_fake_pod_is_closed(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=json.dumps(POD))
    kubectl("wait", "--for=condition=Ready", "pod/talker")
    answer = kubectl("get", "--raw", f"/api/v1/namespaces/{kubectl.namespace}/pods/talker/proxy/", check=False)
    assert "error trying to reach service: dial tcp" in answer
    with running(kubectl, "port-forward", "talker", ":80") as forwarding:
        assert forwarding.stdout is not None
        port = int(re.findall(r"127.0.0.1:(\d+)", forwarding.stdout.readline())[0])
        with socket.create_connection(("127.0.0.1", port), 20) as client:
            client.sendall(b"hello")
        said: list[str] = []

        def refusal_is_told() -> bool:
            """port-forward says that the port is closed"""
            assert forwarding.stdout is not None
            said.append(forwarding.stdout.readline())
            return "nothing listens on port 80" in said[-1]

        eventually(refusal_is_told)
