"""What the server fills in for kinds other than pods and workloads."""

from __future__ import annotations

from typing import Any

import pytest

from tests.registry.rules import completed


def spec_of(api_version: str, kind: str, spec: dict[str, Any]) -> Any:
    body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    return completed(body)["spec"]


SPECS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    (
        "v1",
        "Service",
        {"ports": [{"port": 80}]},
        {
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        },
    ),
    (
        "v1",
        "Service",
        {"type": "LoadBalancer", "sessionAffinity": "ClientIP"},
        {
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": True,
            "externalTrafficPolicy": "Cluster",
            "internalTrafficPolicy": "Cluster",
            "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}},
        },
    ),
    (
        "v1",
        "Service",
        {"type": "ExternalName", "externalName": "a.b", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 1}}},
        {"type": "ExternalName", "externalName": "a.b", "sessionAffinity": "None"},
    ),
    ("v1", "Node", {"podCIDR": "10.0.0.0/24"}, {"podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.0.0/24"]}),
    (
        "v1",
        "LimitRange",
        {"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"cpu": "1", "memory": "1Gi"}}]},
        {
            "limits": [
                {
                    "type": "Container",
                    "max": {"cpu": "2"},
                    "min": {"cpu": "1", "memory": "1Gi"},
                    "default": {"cpu": "2"},
                    "defaultRequest": {"cpu": "2", "memory": "1Gi"},
                }
            ]
        },
    ),
    ("v1", "LimitRange", {}, {"limits": None}),
    (
        "v1",
        "PersistentVolume",
        {"hostPath": {"path": "/x"}},
        {
            "hostPath": {"path": "/x", "type": ""},
            "persistentVolumeReclaimPolicy": "Retain",
            "volumeMode": "Filesystem",
        },
    ),
    ("v1", "PersistentVolumeClaim", {}, {"resources": {}, "volumeMode": "Filesystem"}),
    (
        "networking.k8s.io/v1",
        "NetworkPolicy",
        {"podSelector": {}, "egress": [{"ports": [{"port": 53}]}]},
        {
            "podSelector": {},
            "egress": [{"ports": [{"port": 53, "protocol": "TCP"}]}],
            "policyTypes": ["Ingress", "Egress"],
        },
    ),
    ("networking.k8s.io/v1", "NetworkPolicy", {}, {"podSelector": {}, "policyTypes": ["Ingress"]}),
    (
        "networking.k8s.io/v1",
        "IngressClass",
        {"parameters": {"kind": "K", "name": "n"}},
        {"parameters": {"kind": "K", "name": "n", "scope": "Cluster"}},
    ),
    (
        "storage.k8s.io/v1",
        "CSIDriver",
        {"attachRequired": False},
        {
            "attachRequired": False,
            "fsGroupPolicy": "ReadWriteOnceWithFSType",
            "podInfoOnMount": False,
            "requiresRepublish": False,
            "seLinuxMount": False,
            "storageCapacity": False,
            "volumeLifecycleModes": ["Persistent"],
        },
    ),
    ("storage.k8s.io/v1", "CSINode", {"drivers": []}, {"drivers": None}),
    (
        "flowcontrol.apiserver.k8s.io/v1",
        "PriorityLevelConfiguration",
        {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {}}}},
        {
            "type": "Limited",
            "limited": {
                "lendablePercent": 0,
                "nominalConcurrencyShares": 30,
                "limitResponse": {
                    "type": "Queue",
                    "queuing": {"handSize": 8, "queues": 64, "queueLengthLimit": 50},
                },
            },
        },
    ),
    (
        "resource.k8s.io/v1",
        "ResourceClaim",
        {
            "devices": {
                "requests": [
                    {"name": "a", "exactly": {"deviceClassName": "c", "allocationMode": "All"}},
                    {"name": "b", "firstAvailable": [{"name": "x", "deviceClassName": "c"}]},
                ]
            }
        },
        {
            "devices": {
                "requests": [
                    {"name": "a", "exactly": {"deviceClassName": "c", "allocationMode": "All"}},
                    {
                        "name": "b",
                        "firstAvailable": [
                            {"name": "x", "deviceClassName": "c", "allocationMode": "ExactCount", "count": 1}
                        ],
                    },
                ]
            }
        },
    ),
]


@pytest.mark.parametrize(("api_version", "kind", "given", "expected"), SPECS)
def test_spec_is_completed(api_version: str, kind: str, given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert spec_of(api_version, kind, given) == expected


WHOLE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"apiVersion": "v1", "kind": "Secret", "data": {"a": "Yg=="}, "stringData": {"a": "x", "c": "p"}},
        {"type": "Opaque", "data": {"a": "eA==", "c": "cA=="}},
    ),
    (
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": []},
        {"rules": None},
    ),
    (
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "roleRef": {"kind": "Role", "name": "r"},
            "subjects": [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "s"}],
        },
        {
            "roleRef": {"kind": "Role", "name": "r", "apiGroup": "rbac.authorization.k8s.io"},
            "subjects": [
                {"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"},
                {"kind": "ServiceAccount", "name": "s"},
            ],
        },
    ),
    (
        {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "p"},
        {"provisioner": "p", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
    ),
    (
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "ports": [{"port": 1}]},
        {"addressType": "IPv4", "endpoints": None, "ports": [{"name": "", "port": 1, "protocol": "TCP"}]},
    ),
    (
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"},
        {"value": 0, "preemptionPolicy": "PreemptLowerPriority"},
    ),
]


@pytest.mark.parametrize(("given", "expected"), WHOLE, ids=lambda value: str(value.get("kind", "")))
def test_object_is_completed(given: dict[str, Any], expected: dict[str, Any]) -> None:
    tree = completed({**given, "metadata": {"name": "x"}})
    assert tree == {**expected, "metadata": {"name": "x"}}


def test_namespace_carries_its_name_as_a_label() -> None:
    tree = completed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "labels": {"a": "b"}}})
    assert tree["metadata"]["labels"] == {"a": "b", "kubernetes.io/metadata.name": "n"}
    assert tree["status"] == {"phase": "Active"}


def test_webhook_is_asked_about_equivalent_requests_everywhere_and_fails_closed() -> None:
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "x"},
        "webhooks": [{"name": "a.b.c", "clientConfig": {"service": {"namespace": "n", "name": "s"}}, "rules": [{}]}],
    }
    (webhook,) = completed(body)["webhooks"]
    assert webhook["failurePolicy"] == "Fail"
    assert webhook["matchPolicy"] == "Equivalent"
    assert webhook["namespaceSelector"] == webhook["objectSelector"] == {}
    assert webhook["reinvocationPolicy"] == "Never"
    assert webhook["timeoutSeconds"] == 10
    assert webhook["clientConfig"]["service"]["port"] == 443
    assert webhook["rules"] == [{"scope": "*"}]
