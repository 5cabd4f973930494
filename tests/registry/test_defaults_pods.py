"""What is filled into pods and pod templates."""

from __future__ import annotations

from typing import Any

import pytest

from kcore.api.core_v1 import Pod
from kcore.registry.defaults.images import pull_policy
from kcore.registry.defaults.pods import default_pod
from tests.registry.specimens import made, pod, tree


def defaulted(document: dict[str, Any]) -> Any:
    return tree(made(document, Pod, default_pod))["spec"]


def test_a_bare_pod_gets_what_every_pod_has() -> None:
    assert defaulted(pod()) == {
        "containers": [
            {
                "name": "app",
                "image": "registry.example/app:1.0",
                "imagePullPolicy": "IfNotPresent",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }


def test_what_is_given_is_kept() -> None:
    given: dict[str, Any] = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "enableServiceLinks": False}
    assert defaulted(pod(**given)).items() >= given.items()


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("app", "Always"),
        ("app:latest", "Always"),
        ("app:1", "IfNotPresent"),
        ("registry:5000/app", "Always"),
        ("registry:5000/app:2", "IfNotPresent"),
        (f"app@sha256:{'b' * 64}", "IfNotPresent"),
        (f"app:latest@sha256:{'b' * 64}", "Always"),
        ("", "IfNotPresent"),
        ("Not An Image", "IfNotPresent"),
    ],
)
def test_images_without_a_tag_are_always_pulled(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


def test_limits_are_requests_where_nothing_is_requested() -> None:
    resources = {"limits": {"cpu": "1", "memory": "2Gi"}, "requests": {"cpu": "500m"}}
    container = defaulted(pod({"resources": resources}))["containers"][0]
    assert container["resources"]["requests"] == {"cpu": "500m", "memory": "2Gi"}


def test_pods_on_the_host_network_open_their_ports_there() -> None:
    ports = [{"containerPort": 80}, {"containerPort": 81, "hostPort": 8081}]
    spec = defaulted(pod({"ports": ports}, hostNetwork=True))
    assert [p["hostPort"] for p in spec["containers"][0]["ports"]] == [80, 8081]


def test_a_pod_requests_as_a_whole_what_its_containers_do_together() -> None:
    small = {"name": "small", "image": "x:1", "resources": {"requests": {"cpu": "250m"}}}
    document = pod({"resources": {"requests": {"cpu": "500m"}}}, resources={"limits": {"cpu": "2", "memory": "1Gi"}})
    document["spec"]["containers"].append(small)
    assert defaulted(document)["resources"]["requests"] == {"cpu": "750m", "memory": "1Gi"}


@pytest.mark.parametrize("field", ["serviceAccount", "serviceAccountName"])
def test_both_names_of_the_service_account_are_kept_equal(field: str) -> None:
    named: dict[str, Any] = {field: "robot"}
    spec = defaulted(pod(**named))
    assert (spec["serviceAccount"], spec["serviceAccountName"]) == ("robot", "robot")


@pytest.mark.parametrize(
    ("probe", "filled"),
    [
        ({"tcpSocket": {"port": 1}}, {"tcpSocket": {"port": 1}}),
        ({"httpGet": {"port": "web"}}, {"httpGet": {"path": "/", "port": "web", "scheme": "HTTP"}}),
        ({"grpc": {"port": 1}}, {"grpc": {"port": 1, "service": ""}}),
    ],
)
def test_probes_are_tried_every_ten_seconds(probe: dict[str, Any], filled: dict[str, Any]) -> None:
    times = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    container = defaulted(pod({"livenessProbe": probe}))["containers"][0]
    assert container["livenessProbe"] == {**filled, **times}


@pytest.mark.parametrize(
    ("source", "filled"),
    [
        ({}, {"emptyDir": {}}),
        ({"secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 0o644}}),
        ({"configMap": {"name": "c"}}, {"configMap": {"name": "c", "defaultMode": 0o644}}),
        ({"hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}),
        ({"image": {"reference": "x"}}, {"image": {"reference": "x", "pullPolicy": "Always"}}),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            {
                "projected": {
                    "defaultMode": 0o644,
                    "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}],
                }
            },
        ),
        (
            {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            {
                "downwardAPI": {
                    "defaultMode": 0o644,
                    "items": [{"path": "l", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels"}}],
                }
            },
        ),
        (
            {"rbd": {"monitors": ["m"], "image": "i"}},
            {"rbd": {"monitors": ["m"], "image": "i", "pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}},
        ),
    ],
)
def test_volumes_get_the_defaults_of_their_source(source: dict[str, Any], filled: dict[str, Any]) -> None:
    assert defaulted(pod(volumes=[{"name": "v", **source}]))["volumes"] == [{"name": "v", **filled}]
