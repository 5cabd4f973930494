"""A kubelet that is a process of its own: the API server reaches its containers over TLS."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import namespace_of
from tests.e2e.serving import Kubectl, Served, eventually, kubectls, serving
from tests.e2e.terminal import at_terminal

pytestmark = pytest.mark.kubectl

BINARIES = kubectls()
ENDS: list[Path | None] = [*dict.fromkeys((BINARIES[0], BINARIES[-1]))] if BINARIES else [None]


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A cluster without nodes of its own, and one that has joined it."""
    folder = tmp_path_factory.mktemp("far")
    with serving(folder, "--ephemeral", "--nodes", "0") as server, joined(server, folder / "node"):
        yield server


@contextlib.contextmanager
def joined(server: Served, root: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "kcore", "kubelet", "--kubeconfig", str(server.kubeconfig)]
    command += ["--runtime", "process", "--hostname-override", "far", "--root-dir", str(root)]
    command += ["--pod-loopback-cidr", "127.90.0.0/16"]
    kubelet = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:

        def is_ready() -> bool:
            """the node has joined"""
            nodes = server.request("GET", "/api/v1/nodes")["items"]
            return any(c["type"] == "Ready" and c["status"] == "True" for n in nodes for c in n["status"]["conditions"])

        eventually(is_ready, 60)
        yield
    finally:
        kubelet.terminate()
        kubelet.wait(30)
        # What runs on such a node is meant to outlive its kubelet, but not this test.
        for process in psutil.process_iter(["cmdline"]):
            if str(root) in (process.info["cmdline"] or ()):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()


@pytest.fixture(params=ENDS, ids=lambda path: path.name if path else "none")
def kubectl(request: pytest.FixtureRequest, far: Served) -> Iterator[Kubectl]:
    binary: Path | None = request.param
    if binary is None:
        pytest.skip("no kubectl on this machine")
    with namespace_of(far, request) as namespace:
        yield Kubectl(binary, far, namespace)


def test_container_far_away_is_read_and_entered(kubectl: Kubectl) -> None:
    container = {"name": "app", "image": "busybox", "command": ["sh", "-c", "echo here; exec sleep 1000"]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shell"}, "spec": spec}
    kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    kubectl("wait", "--for=condition=Ready", "pod/shell", "--timeout=60s")
    assert kubectl("logs", "shell") == "here\n"
    assert kubectl("exec", "-i", "shell", "--", "cat", stdin="through\n" * 20_000) == "through\n" * 20_000
    assert "command terminated with exit code 9" in kubectl("exec", "shell", "--", "sh", "-c", "exit 9", check=False)
    with at_terminal(kubectl.command("exec", "-it", "shell", "--", "sh"), kubectl.environment) as terminal:
        terminal.type("tty; exit\n")
        terminal.expect("/dev/pts/")
        assert terminal.exit_code() == 0
    summary = json.loads(kubectl("get", "--raw", "/api/v1/nodes/far/proxy/stats/summary"))
    assert summary["node"]["nodeName"] == "far"
    kubectl("delete", "pod", "shell", "--timeout=60s")
