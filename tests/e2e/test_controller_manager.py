"""The controllers in a process of their own, over HTTP, for a kcore that runs none."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import BINARIES
from tests.e2e.serving import Kubectl, Served, eventually, serving

pytestmark = pytest.mark.kubectl

WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"plural": "widgets", "kind": "Widget"},
        "scope": "Namespaced",
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}


@contextlib.contextmanager
def managing(server: Served, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`kcore controller-manager`, at work."""
    command = [sys.executable, "-m", "kcore", "controller-manager", "--kubeconfig", str(server.kubeconfig), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    guard = threading.Timer(60, process.kill)
    guard.start()
    try:
        assert process.stdout
        said = process.stdout.readline()
        guard.cancel()
        assert "The controllers work" in said, said
        yield process
    finally:
        process.terminate()
        said = process.communicate(timeout=30)[0]
        assert "Traceback" not in said, said


def run(kubectl: Kubectl) -> None:
    """What a cluster does with controllers: roll out, and collect what was rolled out."""
    kubectl("create", "namespace", kubectl.namespace)
    kubectl("create", "deployment", "web", "--image=app:1", "--replicas=3")
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    kubectl("delete", "deployment", "web", "--cascade=foreground", "--timeout=40s")
    assert "web" not in kubectl("get", "replicasets,pods", "-o", "name")


def read(port: int, path: str) -> str:
    """What the process tells of itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def collect_custom(kubectl: Kubectl) -> None:
    """Custom resources are collected, too, though their kind came later than the controllers."""
    kubectl("create", "-f", "-", stdin=json.dumps(WIDGETS))
    kubectl("wait", "crd/widgets.example.com", "--for=condition=Established", "--timeout=40s")
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "parent"}}
    owner = json.loads(kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(widget)))
    reference = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "parent", "uid": owner["metadata"]["uid"]}
    child = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "child", "ownerReferences": [reference]},
    }
    kubectl("create", "-f", "-", stdin=json.dumps(child))
    kubectl("delete", "widget", "parent")

    def collected() -> bool:
        """the child of the widget is gone"""
        return "NotFound" in kubectl("get", "configmap", "child", check=False)

    eventually(collected)


def test_controllers_work_over_http_one_process_at_a_time(tmp_path: Path) -> None:
    if BINARIES[-1] is None:
        pytest.skip("no kubectl on this machine")
    with serving(tmp_path, "--ephemeral", "--controllers", "") as server:
        kubectl = Kubectl(BINARIES[-1], server, "remote")
        with managing(server) as first:
            run(kubectl)
            collect_custom(kubectl)
            holder = kubectl("get", "lease", "-n", "kube-system", "kube-controller-manager", "-o", "json")
            assert json.loads(holder)["spec"]["holderIdentity"]
            assert first.poll() is None
        # The first has let go of the lease: the next one begins at once.
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with managing(server, "--controllers", "*,-job", "--metrics-port", str(port)):
            kubectl("delete", "namespace", "remote", "--timeout=40s")
            assert read(port, "/healthz") == "ok"
            assert 'workqueue_adds_total{name="namespace"}' in read(port, "/metrics")
            assert json.loads(read(port, "/debug/controllers"))["namespace-controller"]["reconciles"]["success"] > 0


def test_unknown_controller_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kcore", "serve", "--ephemeral", "--controllers", "jobs"]
    command += ["--secure-port", "0", "--kubeconfig", str(tmp_path / "kubeconfig")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert "no controller is called jobs" in ended.stderr


def test_controllers_tell_how_they_are_doing(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=app:1")
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    told = json.loads(kubectl("get", "--raw", "/debug/controllers"))["deployment-controller"]
    assert told["reconciles"]["success"] > 0
    assert set(told["queue"]) == {"waiting", "working", "delayed"}
    metrics = kubectl("get", "--raw", "/metrics")
    assert 'workqueue_adds_total{name="replicaset"}' in metrics
    assert 'controller_runtime_reconcile_total{controller="deployment-controller",result="success"}' in metrics
