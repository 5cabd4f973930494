"""A node in its own process: it joins over HTTPS, is killed, comes back, and finds what it left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.serving import Served, eventually, serving

PODS = "/api/v1/namespaces/default/pods"
PATIENCE = 60
ADDRESSES = f"127.{130 + os.getpid() % 100}.0.0/16"
MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {name: static}
spec: {containers: [{name: app, image: x, command: [sleep, "1000"]}]}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("cluster"), "--ephemeral", "--nodes", "0") as server:
        yield server


@contextlib.contextmanager
def shim_of(root: Path) -> Iterator[None]:
    """The pods of a node outlive its kubelet; this ends them with the test."""
    try:
        yield
    finally:
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if str(root).encode() in words and any(b"process.shim" in word for word in words):
                    os.kill(int(entry.name), signal.SIGTERM)


@contextlib.contextmanager
def kubelet(server: Served, root: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [
        sys.executable,
        "-m",
        "kcore",
        "kubelet",
        "--kubeconfig",
        str(server.kubeconfig),
        "--root-dir",
        str(root),
    ]
    command += ["--runtime", "process", "--hostname-override", "alone", "--pod-loopback-cidr", ADDRESSES, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert "alone works" in process.stdout.readline()
        yield process
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def named(server: Served, name: str) -> Any:
    return server.request("GET", f"{PODS}/{name}")


def runs(server: Served, name: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(named(server, name)["status"]["phase"] == "Running")
    return False


def test_a_node_joins_dies_and_comes_back(cluster: Served, tmp_path: Path) -> None:
    root, manifests = tmp_path / "root", tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "static.yaml").write_text(MANIFEST)
    options = ("--pod-manifest-path", str(manifests), "--node-labels", "disk=ssd")
    eventually(lambda: bool(cluster.request("GET", "/api/v1/namespaces/default/serviceaccounts")["items"]), PATIENCE)
    container = {"name": "app", "image": "x", "command": ["sh", "-c", "echo hello; sleep 1000"]}
    spec = {"containers": [container], "nodeSelector": {"disk": "ssd"}, "terminationGracePeriodSeconds": 1}
    cluster.request("POST", PODS, {"metadata": {"name": "web"}, "spec": spec})
    with shim_of(root):
        with kubelet(cluster, root, *options) as process:
            for name in ("web", "static-alone"):
                eventually(lambda name=name: runs(cluster, name), PATIENCE)  # type: ignore[misc]
            before = {name: named(cluster, name)["status"]["containerStatuses"] for name in ("web", "static-alone")}
            process.kill()
        with kubelet(cluster, root, *options):
            later = {"containers": [container], "nodeName": "alone", "terminationGracePeriodSeconds": 1}
            cluster.request("POST", PODS, {"metadata": {"name": "later"}, "spec": later})
            eventually(lambda: runs(cluster, "later"), PATIENCE)
            assert named(cluster, "web")["status"]["containerStatuses"] == before["web"]
            assert named(cluster, "static-alone")["status"]["containerStatuses"] == before["static-alone"]
            for name in ("web", "later"):
                cluster.request("DELETE", f"{PODS}/{name}")
            eventually(lambda: len(cluster.request("GET", PODS)["items"]) == 1, PATIENCE)
