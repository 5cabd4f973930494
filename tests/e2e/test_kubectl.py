"""What people type, with every kubectl that this machine has, and what they then read."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.e2e.serving import Kubectl, eventually

pytestmark = pytest.mark.kubectl

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: nginx
        image: nginx:1.25
        ports: [{containerPort: 80}]
"""


@pytest.fixture
def web(kubectl: Kubectl) -> Kubectl:
    """A namespace in which the Deployment `web` is available."""
    kubectl("apply", "-f", "-", stdin=WEB)
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    return kubectl


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


def test_a_deployment_becomes_running_pods(kubectl: Kubectl) -> None:
    assert kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2") == "deployment.apps/web created\n"
    assert "condition met" in kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=30s")
    header, *rows = lines(kubectl("get", "pods"))
    assert header == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [row[1:4] for row in rows] == [["1/1", "Running", "0"]] * 2
    header, row = lines(kubectl("get", "deployment", "web"))
    assert header == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row[:4] == ["web", "2/2", "2", "2"]


def test_component_statuses_tell_of_what_runs(kubectl: Kubectl) -> None:
    _, *rows = lines(kubectl("get", "componentstatuses"))
    assert rows[:3] == [[name, "Healthy", "ok"] for name in ("controller-manager", "etcd-0", "scheduler")]


def test_apply_is_idempotent_and_says_so(web: Kubectl) -> None:
    assert web("apply", "-f", "-", stdin=WEB) == "deployment.apps/web unchanged\n"
    changed = WEB.replace("replicas: 3", "replicas: 1")
    assert "configured" in web("apply", "-f", "-", stdin=changed)
    assert web("diff", "-f", "-", stdin=changed) == ""


def test_get_in_every_form(web: Kubectl) -> None:
    wide = lines(web("get", "pods", "-o", "wide"))
    assert wide[0][5:7] == ["IP", "NODE"]
    assert all(re.fullmatch(r"10\.244\.\d+\.\d+", row[5]) for row in wide[1:])
    assert web.json("get", "deployment", "web")["spec"]["replicas"] == 3
    assert "\n  replicas: 3\n" in web("get", "deployment", "web", "-o", "yaml")
    assert web("get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}") == "nginx:1.25"
    assert web("get", "pods", "-l", "app=web", "-o", "name").count("pod/web-") == 3
    assert "No resources found" in web("get", "pods", "-l", "app=other")
    assert len(lines(web("get", "pods", "--field-selector", "status.phase=Running", "--no-headers"))) == 3
    assert "No resources found" in web("get", "pods", "--field-selector", "status.phase=Failed")
    assert len(lines(web("get", "pods", "--chunk-size=1", "--no-headers"))) == 3
    assert web.namespace in web("get", "pods", "-A")
    assert "custom" in web("get", "pods", "-o", "custom-columns=custom:.metadata.name")
    assert len(lines(web("get", "deploy,rs,po", "--no-headers"))) == 5
    assert "deployment.apps/web" in web("get", "all")
    assert "NotFound" in web("get", "pod", "nothing", check=False)


def test_watch_shows_changes_as_they_come(web: Kubectl) -> None:
    command = [str(web.binary), "--kubeconfig", str(web.server.kubeconfig), "-n", web.namespace]
    watching = subprocess.Popen([*command, "get", "pods", "-w", "--no-headers"], stdout=subprocess.PIPE, text=True)
    assert watching.stdout
    try:
        first = {watching.stdout.readline().split()[0] for _ in range(3)}
        assert len(first) == 3
        web("scale", "deployment/web", "--replicas=4")
        seen: list[list[str]] = []
        while not (seen and seen[-1][2] == "Running"):
            seen.append(watching.stdout.readline().split())
        assert seen[0][2] == "Pending"
        assert {row[0] for row in seen}.isdisjoint(first)
    finally:
        watching.kill()
        watching.wait()
        watching.stdout.close()


def test_describe_tells_the_story(web: Kubectl) -> None:
    told = web("describe", "deployment", "web")
    assert "3 desired | 3 updated | 3 total | 3 available | 0 unavailable" in told
    assert "ScalingReplicaSet" in told
    assert re.search(r"Scaled up replica set web-\w+ (from 0 )?to 3", told)
    eventually(lambda: "Started" in web("describe", "pods"))
    told = web("describe", "pods")
    assert re.search(r"Successfully assigned \S+/web-\S+ to node-\d", told)
    for reason in ("Scheduled", "Pulled", "Created", "Started"):
        assert reason in told
    assert "Ready:          True" in told
    assert "Allocated resources" in web("describe", "nodes")
    assert "Status:       Active" in web("describe", "namespace", web.namespace)


def test_scale_up_and_down(web: Kubectl) -> None:
    assert "scaled" in web("scale", "deployment/web", "--replicas=5")
    web("rollout", "status", "deployment/web", "--timeout=30s")
    assert web.json("get", "deployment", "web")["status"]["readyReplicas"] == 5
    web("scale", "--current-replicas=5", "--replicas=1", "deployment/web")
    eventually(lambda: len(web.json("get", "pods")["items"]) == 1)
    assert "error" in web("scale", "--current-replicas=9", "--replicas=2", "deployment/web", check=False)


def test_roll_out_and_back(web: Kubectl) -> None:
    web("set", "image", "deployment/web", "nginx=nginx:1.26")
    assert "successfully rolled out" in web("rollout", "status", "deployment/web", "--timeout=30s")
    image = "jsonpath={.items[*].spec.containers[0].image}"
    eventually(lambda: web("get", "pods", "-o", image) == "nginx:1.26 nginx:1.26 nginx:1.26")
    assert lines(web("rollout", "history", "deployment/web"))[2:] == [["1", "<none>"], ["2", "<none>"]]
    assert "nginx:1.25" in web("rollout", "history", "deployment/web", "--revision=1")
    assert "rolled back" in web("rollout", "undo", "deployment/web")
    web("rollout", "status", "deployment/web", "--timeout=30s")
    eventually(lambda: web("get", "pods", "-o", image) == "nginx:1.25 nginx:1.25 nginx:1.25")
    assert lines(web("rollout", "history", "deployment/web"))[2:] == [["2", "<none>"], ["3", "<none>"]]


def test_a_paused_rollout_waits(web: Kubectl) -> None:
    web("rollout", "pause", "deployment/web")
    web("set", "image", "deployment/web", "nginx=nginx:1.27")
    eventually(lambda: web.json("get", "deployment", "web")["status"]["observedGeneration"] >= 3)
    assert len(lines(web("get", "rs", "--no-headers"))) == 1
    web("rollout", "resume", "deployment/web")
    web("rollout", "status", "deployment/web", "--timeout=30s")
    assert len(lines(web("get", "rs", "--no-headers"))) == 2


def test_restart_replaces_every_pod(web: Kubectl) -> None:
    before = set(web("get", "pods", "-o", "name").split())
    assert "restarted" in web("rollout", "restart", "deployment/web")
    web("rollout", "status", "deployment/web", "--timeout=30s")
    eventually(lambda: len(web("get", "pods", "-o", "name").split()) == 3)
    assert before.isdisjoint(web("get", "pods", "-o", "name").split())


def test_expose_makes_a_service_with_endpoints(web: Kubectl) -> None:
    assert "exposed" in web("expose", "deployment", "web", "--port=80", "--target-port=8080", "--type=NodePort")
    service = web.json("get", "service", "web")
    assert service["spec"]["clusterIP"].startswith("10.96.")
    assert 30000 <= service["spec"]["ports"][0]["nodePort"] <= 32767
    eventually(lambda: len(ready_addresses(web)) == 3)
    pods = {item["status"]["podIP"] for item in web.json("get", "pods")["items"]}
    assert ready_addresses(web) == pods
    slices = web.json("get", "endpointslices", "-l", "kubernetes.io/service-name=web")["items"]
    assert {address for each in slices for end in each["endpoints"] for address in end["addresses"]} == pods
    assert "8080" in web("describe", "service", "web")


def ready_addresses(kubectl: Kubectl) -> set[str]:
    subsets = kubectl.json("get", "endpoints", "web").get("subsets") or []
    return {address["ip"] for subset in subsets for address in subset.get("addresses", [])}


def test_label_and_annotate(web: Kubectl) -> None:
    web("label", "deployment/web", "tier=front")
    assert "already has a value" in web("label", "deployment/web", "tier=back", check=False)
    web("label", "deployment/web", "tier=back", "--overwrite")
    assert lines(web("get", "deployments", "-L", "tier", "--no-headers"))[0][-1] == "back"
    web("label", "deployment/web", "tier-")
    web("annotate", "deployment/web", "note=kept")
    assert web.json("get", "deployment", "web")["metadata"]["annotations"]["note"] == "kept"
    assert "tier" not in web.json("get", "deployment", "web")["metadata"]["labels"]


def test_edit_writes_what_the_editor_left(web: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_EDITOR", "sed -i 's/replicas: 3/replicas: 2/'")
    assert "edited" in web("edit", "deployment/web")
    assert web.json("get", "deployment", "web")["spec"]["replicas"] == 2


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("strategic", {"spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:2"}]}}}}),
        ("merge", {"spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:2"}]}}}}),
        ("json", [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "nginx:2"}]),
    ],
)
def test_patch_in_three_types(web: Kubectl, kind: str, patch: object) -> None:
    assert "patched" in web("patch", "deployment", "web", f"--type={kind}", "-p", json.dumps(patch))
    container = web.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "nginx:2"
    assert ("ports" in container) == (kind != "merge")


def test_replace_needs_the_current_version(web: Kubectl) -> None:
    current = web.json("get", "deployment", "web")
    current["spec"]["replicas"] = 2
    assert "replaced" in web("replace", "-f", "-", stdin=json.dumps(current))
    assert "the object has been modified" in web("replace", "-f", "-", stdin=json.dumps(current), check=False)


def test_delete_takes_the_pods_along(web: Kubectl) -> None:
    assert "deleted" in web("delete", "deployment", "web", "--timeout=30s")
    eventually(lambda: "No resources found" in web("get", "rs,pods"))


@pytest.mark.parametrize("cascade", ["orphan", "foreground", "background"])
def test_delete_cascades_as_asked(web: Kubectl, cascade: str) -> None:
    web("delete", "deployment", "web", f"--cascade={cascade}", "--timeout=30s")
    if cascade == "orphan":
        sets = web.json("get", "rs")["items"]
        assert [s["metadata"].get("ownerReferences") for s in sets] == [None]
        assert len(web.json("get", "pods")["items"]) == 3
    elif cascade == "foreground":
        assert "No resources found" in web("get", "rs")
    else:
        eventually(lambda: "No resources found" in web("get", "rs,pods"))


def test_a_replication_controller_keeps_its_pods(kubectl: Kubectl) -> None:
    controller = {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": "rc"},
        "spec": {
            "replicas": 2,
            "selector": {"app": "rc"},
            "template": {
                "metadata": {"labels": {"app": "rc"}},
                "spec": {"containers": [{"name": "c", "image": "c"}]},
            },
        },
    }
    kubectl("create", "-f", "-", stdin=json.dumps(controller))
    eventually(lambda: kubectl.json("get", "rc", "rc")["status"].get("readyReplicas") == 2)
    victim = kubectl("get", "pods", "-o", "name").split()[0]
    kubectl("delete", victim)
    eventually(lambda: kubectl.json("get", "rc", "rc")["status"].get("readyReplicas") == 2)
    assert victim not in kubectl("get", "pods", "-o", "name").split()


def test_a_namespace_ends_with_all_its_content(kubectl: Kubectl) -> None:
    name = f"{kubectl.namespace}-end"
    kubectl("create", "namespace", name)
    kubectl("apply", "-n", name, "-f", "-", stdin=WEB)
    kubectl("create", "configmap", "-n", name, "settings", "--from-literal=a=b")
    assert "deleted" in kubectl("delete", "namespace", name, "--timeout=30s")
    assert "NotFound" in kubectl("get", "namespace", name, check=False)


def test_what_the_server_says_of_itself(kubectl: Kubectl) -> None:
    assert "is running at" in kubectl("cluster-info")
    assert re.search(r"Server Version.*v1\.36", kubectl("version"), re.DOTALL)
    resources = kubectl("api-resources")
    assert re.search(r"^deployments +deploy +apps/v1 +true +Deployment$", resources, re.MULTILINE)
    assert re.search(r"^pods +po +v1 +true +Pod$", resources, re.MULTILINE)
    assert {"v1", "apps/v1", "coordination.k8s.io/v1"} <= set(kubectl("api-versions").split())
    assert "ok" in kubectl("get", "--raw", "/readyz")
    explained = kubectl("explain", "deployment.spec.strategy.rollingUpdate")
    assert "maxSurge" in explained
    assert "maxUnavailable" in explained
    assert "containers" in kubectl("explain", "pod.spec", "--recursive")


def test_a_cluster_has_what_every_cluster_has(kubectl: Kubectl) -> None:
    assert {"default", "kube-system", "kube-public", "kube-node-lease"} <= {
        row[0] for row in lines(kubectl("get", "namespaces", "--no-headers"))
    }
    nodes = lines(kubectl("get", "nodes", "--no-headers"))
    assert [row[:2] for row in nodes] == [["node-0", "Ready"], ["node-1", "Ready"], ["node-2", "Ready"]]
    eventually(lambda: "default" in kubectl("get", "serviceaccounts"))
    eventually(lambda: "kube-root-ca.crt" in kubectl("get", "configmaps"))
    service = kubectl.json("get", "service", "kubernetes", "-n", "default")
    assert service["spec"]["clusterIP"] == "10.96.0.1"
