"""Schedulers told what to do by files and flags: in the cluster's own process, and in one of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.serving import Served, eventually, serving

POD = {"containers": [{"name": "app", "image": "app"}], "tolerations": [{"operator": "Exists"}]}


def create_pod(server: Served, name: str, **spec: Any) -> None:
    body = {"metadata": {"name": name}, "spec": {**POD, **spec}}
    server.request("POST", "/api/v1/namespaces/default/pods", body)


def node_of(server: Served, name: str) -> str:
    pod = server.request("GET", f"/api/v1/namespaces/default/pods/{name}")
    return str(pod["spec"].get("nodeName", ""))


def kcore(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "kcore", *arguments]


@contextmanager
def scheduler(server: Served, *options: str) -> Iterator[None]:
    """A scheduler in a process of its own, once it works."""
    command = kcore("scheduler", "--kubeconfig", str(server.kubeconfig), *options)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "kube-scheduler works" in process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_a_policy_decides_where_pods_go(tmp_path: Path) -> None:
    preference = {"labelPreference": {"label": "last", "presence": True}}
    policy = {
        "kind": "Policy",
        "apiVersion": "v1",
        "predicates": [{"name": "PodFitsResources"}],
        "priorities": [{"name": "Last", "weight": 1, "argument": preference}],
    }
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(policy))
    with serving(tmp_path, "--ephemeral", "--nodes", "3", "--policy", str(path)) as server:
        patch = {"metadata": {"labels": {"last": ""}}}
        server.request("PATCH", "/api/v1/nodes/node-2", patch, "application/merge-patch+json")
        create_pod(server, "p")
        eventually(lambda: node_of(server, "p") == "node-2")


def test_a_second_scheduler_takes_the_pods_that_name_it(tmp_path: Path) -> None:
    config = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "profiles": [{"schedulerName": "second"}],
    }
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(config))
    with serving(tmp_path, "--ephemeral", "--nodes", "1") as server:
        create_pod(server, "p", schedulerName="second")
        with scheduler(server, "--config", str(path)):
            eventually(lambda: node_of(server, "p") == "node-0")
            lease = server.request("GET", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler")
            assert lease["spec"]["holderIdentity"]


def test_pods_are_explained_on_the_command_line(tmp_path: Path) -> None:
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(json.dumps({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "maybe"}, "spec": POD}))
    with serving(tmp_path, "--ephemeral", "--nodes", "2") as server:
        create_pod(server, "lost", nodeSelector={"no": "where"})
        remote = ("--kubeconfig", str(server.kubeconfig))

        def explain(*arguments: str) -> str:
            command = kcore("explain", "pod", *arguments, *remote)
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout

        eventually(lambda: "node-1      -  NodeAffinity: node(s) didn't match Pod's node affinity" in explain("lost"))
        assert "pod default/maybe: rehearsed; goes to node-0 or node-1" in explain("-f", str(manifest))
        missing = subprocess.run(kcore("explain", "pod", "nope", *remote), capture_output=True, text=True)
        assert missing.returncode == 2
        assert 'pods.scheduling.kcore.dev "nope" not found' in missing.stderr


def test_wrong_files_are_told_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text('{"kind": "Policy", "predicates": [{"name": "PodFitsAll"}]}')
    ended = subprocess.run(kcore("serve", "--ephemeral", "--policy", str(path)), capture_output=True, text=True)
    assert ended.returncode == 2
    assert "unknown predicate 'PodFitsAll'; there are NoDiskConflict" in ended.stderr


def test_the_scheduler_tells_its_figures(tmp_path: Path) -> None:
    with serving(tmp_path, "--ephemeral", "--nodes", "1") as server:
        create_pod(server, "p")
        eventually(lambda: node_of(server, "p") == "node-0")
        with urllib.request.urlopen(f"{server.url}/metrics", context=server.tls) as response:
            text = response.read().decode()
        assert 'scheduler_schedule_attempts_total{profile="default-scheduler",result="scheduled"} 1.0' in text
