"""A node in its own process: it joins over HTTPS, is killed, comes back, and finds what it left."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.serving import Served, eventually, serving
from tests.e2e.test_node_identity import node_context

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
        assert " works" in process.stdout.readline()
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


def test_static_pods_begin_without_the_api_server(tmp_path: Path) -> None:
    root, manifests, marker = tmp_path / "root", tmp_path / "manifests", tmp_path / "shown" / "marker"
    container = {
        "name": "app",
        "image": "x",
        "command": ["sh", "-c", "echo begun >> /shown/marker; sleep 1000"],
        "volumeMounts": [{"name": "shown", "mountPath": "/shown"}],
    }
    volume = {"name": "shown", "hostPath": {"path": str(marker.parent)}}
    spec = {"containers": [container], "volumes": [volume]}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "static"}, "spec": spec}
    manifests.mkdir()
    (manifests / "static.yaml").write_text(yaml.safe_dump(manifest))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    cluster_options = ("--data-dir", str(tmp_path / "data"), "--nodes", "0", "--secure-port", port)
    with serving(tmp_path, *cluster_options) as server:
        kubeconfig = server.kubeconfig
    command = [sys.executable, "-m", "kcore", "kubelet", "--kubeconfig", str(kubeconfig), "--root-dir", str(root)]
    command += ["--runtime", "process", "--hostname-override", "early", "--pod-loopback-cidr", ADDRESSES]
    command += ["--pod-manifest-path", str(manifests)]
    with shim_of(root), subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            eventually(marker.exists, PATIENCE)
            with serving(tmp_path, *cluster_options) as server:
                eventually(lambda: runs(server, "static-early"), PATIENCE)
                pod = named(server, "static-early")
                assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
                assert pod["metadata"]["ownerReferences"][0]["name"] == "early"
        finally:
            process.terminate()
    assert marker.read_text().split() == ["begun"]


def own_kubeconfig(server: Served, node: str, folder: Path) -> Path:
    """Of a node that is known by a certificate of its own."""
    node_context(server, node, folder)
    cluster_of = server.config["clusters"][0]["cluster"]
    pair = str(folder / "pair.pem")
    tree = {
        "clusters": [{"name": "c", "cluster": cluster_of}],
        "users": [{"name": "u", "user": {"client-certificate": pair, "client-key": pair}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(tree))
    return folder / "own.yaml"


def bootstrap_kubeconfig(server: Served, folder: Path) -> Path:
    """Of somebody who may ask for the certificates of nodes, and nothing else."""
    token = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"}
    secret = {"metadata": {"name": "bootstrap-token-abcdef"}, "type": "bootstrap.kubernetes.io/token"}
    server.request("POST", "/api/v1/namespaces/kube-system/secrets", {**secret, "stringData": token})
    for role in ("system:node-bootstrapper", "system:certificates.k8s.io:certificatesigningrequests:nodeclient"):
        subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:bootstrappers"}]
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        binding = {"metadata": {"name": f"new-nodes:{role}"}, "subjects": subjects, "roleRef": ref}
        server.request("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    tree = {
        "clusters": [{"name": "c", "cluster": server.config["clusters"][0]["cluster"]}],
        "users": [{"name": "u", "user": {"token": "abcdef.0123456789abcdef"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "bootstrap.yaml").write_text(yaml.safe_dump(tree))
    return folder / "bootstrap.yaml"


def test_a_node_asks_for_its_own_identity(cluster: Served, tmp_path: Path) -> None:
    root, own = tmp_path / "root", tmp_path / "own.yaml"
    options = ("--kubeconfig", str(own), "--hostname-override", "newcomer")
    bootstrap = ("--bootstrap-kubeconfig", str(bootstrap_kubeconfig(cluster, tmp_path)))

    def ready() -> bool:
        conditions = cluster.request("GET", "/api/v1/nodes/newcomer")["status"]["conditions"]
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    with shim_of(root):
        with kubelet(cluster, root, *options, *bootstrap):
            eventually(ready, PATIENCE)
        pair = root / "pki" / "kubelet-client-current.pem"
        before = pair.read_bytes()
        assert pair.stat().st_mode & 0o077 == 0
        with kubelet(cluster, root, *options, *bootstrap):
            assert pair.read_bytes() == before
        with kubelet(cluster, root, *options):
            assert pair.read_bytes() == before


def test_a_node_needs_no_more_than_its_own_identity(cluster: Served, tmp_path: Path) -> None:
    """Its pods have their ConfigMaps, Secrets, claims and tokens, and see what becomes of a ConfigMap."""
    root, core = tmp_path / "root", "/api/v1/namespaces/default"
    cluster.request("POST", f"{core}/configmaps", {"metadata": {"name": "words"}, "data": {"word": "hello"}})
    cluster.request("POST", f"{core}/secrets", {"metadata": {"name": "hidden"}, "stringData": {"word": "psst"}})
    (tmp_path / "disk").mkdir()
    disk = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": f"{tmp_path}/disk"}}
    cluster.request("POST", "/api/v1/persistentvolumes", {"metadata": {"name": "disk"}, "spec": disk})
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "disk"}
    cluster.request("POST", f"{core}/persistentvolumeclaims", {"metadata": {"name": "claim"}, "spec": wanted})
    script = (
        'cp /words/word /disk/first; echo "$SECRET" > /disk/secret; '
        "cp /var/run/secrets/kubernetes.io/serviceaccount/token /disk/token; "
        "while :; do cp /words/word /disk/last; sleep 0.1; done"
    )
    container = {
        "name": "app",
        "image": "x",
        "command": ["sh", "-c", script],
        "env": [{"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "word"}}}],
        "volumeMounts": [{"name": "words", "mountPath": "/words"}, {"name": "disk", "mountPath": "/disk"}],
    }
    volumes = [
        {"name": "words", "configMap": {"name": "words"}},
        {"name": "disk", "persistentVolumeClaim": {"claimName": "claim"}},
    ]
    spec = {"containers": [container], "volumes": volumes, "nodeName": "own", "terminationGracePeriodSeconds": 1}

    def written(name: str) -> str:
        file = tmp_path / "disk" / name
        return file.read_text().strip() if file.exists() else ""

    options = ("--kubeconfig", str(own_kubeconfig(cluster, "own", tmp_path)), "--hostname-override", "own")
    with shim_of(root), kubelet(cluster, root, *options):
        cluster.request("POST", PODS, {"metadata": {"name": "needy"}, "spec": spec})
        eventually(lambda: runs(cluster, "needy"), PATIENCE)
        eventually(lambda: written("last") == "hello", PATIENCE)
        assert (written("first"), written("secret")) == ("hello", "psst")
        assert written("token").count(".") == 2
        cluster.request("PUT", f"{core}/configmaps/words", {"metadata": {"name": "words"}, "data": {"word": "bye"}})
        eventually(lambda: written("last") == "bye", PATIENCE)
        cluster.request("DELETE", f"{PODS}/needy")
        eventually(lambda: not runs(cluster, "needy"), PATIENCE)
