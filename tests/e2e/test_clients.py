"""The Python clients people use, unmodified: they create, list, watch, patch and delete."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kr8s.asyncio
import kubernetes
import kubernetes.stream
import lightkube
import pytest
from kr8s.asyncio.objects import ConfigMap as Kr8sConfigMap
from kr8s.asyncio.objects import Deployment as Kr8sDeployment
from kr8s.asyncio.objects import Pod as Kr8sPod
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap

from tests.e2e.serving import Served, eventually

# The clients leave sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What a client leaves behind is collected within its own test."""
    yield
    gc.collect()


DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "nginx"}]},
        },
    },
}


def test_kubernetes_client(server: Served, namespace: str) -> None:
    client = kubernetes.config.new_client_from_config(str(server.kubeconfig))
    core, apps = kubernetes.client.CoreV1Api(client), kubernetes.client.AppsV1Api(client)
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "one"}, "data": {"a": "1"}})
    core.patch_namespaced_config_map("one", namespace, {"data": {"b": "2"}})
    assert core.read_namespaced_config_map("one", namespace).data == {"a": "1", "b": "2"}
    apps.create_namespaced_deployment(namespace, DEPLOYMENT)
    watch = kubernetes.watch.Watch()
    for event in watch.stream(apps.list_namespaced_deployment, namespace, timeout_seconds=30):
        if event["object"].status.available_replicas == 2:
            watch.stop()
    pods = core.list_namespaced_pod(namespace, label_selector="app=web").items
    assert [pod.status.phase for pod in pods] == ["Running", "Running"]
    scale = apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 1}})
    assert scale.spec.replicas == 1
    apps.delete_namespaced_deployment("web", namespace)
    eventually(lambda: core.list_namespaced_pod(namespace).items == [])
    with pytest.raises(kubernetes.client.ApiException) as missing:
        apps.read_namespaced_deployment("web", namespace)
    assert missing.value.status == 404
    client.close()


# kr8s knows the versions of its own day only, and says so.
@pytest.mark.filterwarnings("ignore:Kubernetes version:UserWarning")
async def test_kr8s(server: Served, namespace: str) -> None:
    api = await kr8s.asyncio.api(kubeconfig=str(server.kubeconfig), namespace=namespace)
    settings = await Kr8sConfigMap({"metadata": {"name": "one", "namespace": namespace}, "data": {"a": "1"}}, api=api)
    await settings.create()
    await settings.patch({"data": {"b": "2"}})
    assert settings.data == {"a": "1", "b": "2"}
    web = await Kr8sDeployment({**DEPLOYMENT, "metadata": {"name": "web", "namespace": namespace}}, api=api)
    await web.create()
    async for _, seen in api.watch("deployments", namespace=namespace):
        if seen.status.get("availableReplicas") == 2:
            break
    pods = [pod async for pod in api.get("pods", namespace=namespace, label_selector="app=web")]
    assert [pod.status.phase for pod in pods] == ["Running", "Running"]
    await web.scale(1)
    await web.delete()
    async with asyncio.timeout(30):
        await web.wait("delete")
    assert not await web.exists()


POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "talker",
        "annotations": {"kcore.dev/logs": "one", "kcore.dev/exec": "{ls: {stdout: a, stderr: b, exitCode: 3}}"},
    },
    "spec": {"containers": [{"name": "app", "image": "nginx"}]},
}


def start_talker(server: Served, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    server.request("POST", path, POD)

    def runs() -> bool:
        """the pod runs"""
        return bool(server.request("GET", f"{path}/talker")["status"]["phase"] == "Running")

    eventually(runs)


def test_kubernetes_client_enters_a_pod(server: Served, namespace: str) -> None:
    start_talker(server, namespace)
    core = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(server.kubeconfig)))
    assert core.read_namespaced_pod_log("talker", namespace) == "one\n"
    talk = kubernetes.stream.stream(
        core.connect_get_namespaced_pod_exec,
        "talker",
        namespace,
        command=["ls"],
        stdin=True,
        stdout=True,
        stderr=True,
        _preload_content=False,
    )
    talk.run_forever(timeout=30)
    assert (talk.returncode, talk.read_stdout(), talk.read_stderr()) == (3, "a\n", "b\n")
    talk.close()


@pytest.mark.filterwarnings("ignore:Kubernetes version:UserWarning")
async def test_kr8s_enters_a_pod(server: Served, namespace: str) -> None:
    await asyncio.to_thread(start_talker, server, namespace)
    api = await kr8s.asyncio.api(kubeconfig=str(server.kubeconfig), namespace=namespace)
    pod = await Kr8sPod.get("talker", api=api)
    assert [line async for line in pod.logs()] == ["one"]
    done = await pod.exec(["ls"], check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"a\n", b"b\n")


def test_lightkube(server: Served, namespace: str) -> None:
    config = lightkube.KubeConfig.from_file(str(server.kubeconfig))
    client = lightkube.Client(config=config, namespace=namespace)
    client.create(ConfigMap(metadata=ObjectMeta(name="one"), data={"a": "1"}))
    assert client.patch(ConfigMap, "one", {"data": {"b": "2"}}).data == {"a": "1", "b": "2"}
    client.create(Deployment.from_dict(DEPLOYMENT))
    for _, seen in client.watch(Deployment):
        if seen.status and seen.status.availableReplicas == 2:
            break
    assert [each.metadata.name for each in client.list(ConfigMap) if each.metadata and each.data] != []
    client.delete(Deployment, "web")
    with pytest.raises(lightkube.ApiError) as missing:
        client.get(Deployment, "web")
    assert missing.value.status.code == 404


OPERATOR = """
import kopf

@kopf.on.create("configmaps", labels={"greet": kopf.PRESENT})
def greet(body, patch, **_):
    kopf.info(body, reason="Greeted", message="Hello")
    patch.metadata.annotations["greeting"] = f"hello {body['data']['name']}"

@kopf.on.delete("configmaps", labels={"greet": kopf.PRESENT})
def part(**_):
    pass
"""


def test_kopf_runs_an_operator(server: Served, namespace: str, tmp_path: Path) -> None:
    program = tmp_path / "operator.py"
    program.write_text(textwrap.dedent(OPERATOR))
    command = [sys.executable, "-m", "kopf", "run", str(program), "-n", namespace, "--standalone"]
    environment = {"KUBECONFIG": str(server.kubeconfig), "PATH": "/usr/bin:/bin"}
    configmaps = f"/api/v1/namespaces/{namespace}/configmaps"
    with (tmp_path / "log").open("w") as log:
        operator = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            body = {"metadata": {"name": "ada", "labels": {"greet": "yes"}}, "data": {"name": "Ada"}}
            server.request("POST", configmaps, {"apiVersion": "v1", "kind": "ConfigMap", **body})

            def greeted() -> bool:
                annotations = server.request("GET", f"{configmaps}/ada")["metadata"].get("annotations", {})
                return bool(annotations.get("greeting") == "hello Ada")

            eventually(greeted)
            assert server.request("GET", f"{configmaps}/ada")["metadata"]["finalizers"]
            server.request("DELETE", f"{configmaps}/ada")
            eventually(lambda: "ada" not in str(server.request("GET", f"{configmaps}?labelSelector=greet")["items"]))
            events = server.request("GET", f"/api/v1/namespaces/{namespace}/events")["items"]
            assert "Greeted" in [event["reason"] for event in events]
        finally:
            operator.terminate()
            operator.wait(20)
