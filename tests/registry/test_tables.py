# ruff: noqa: E501  # cases stay on one line
"""Tables show objects in the words of `kubectl get`."""

from typing import Any

import msgspec
import pytest

from kcore.api.scheme import Scheme
from kcore.api.timestamp import parse
from kcore.registry.tables import printer_of, table
from kcore.registry.tables.printer import at_most, human_duration
from kcore.store.store import Record

SCHEME = Scheme()
CREATED = "2024-01-01T00:00:00Z"
NOW = parse(CREATED) + 300


def record(resource: str, document: Any) -> tuple[Any, Record]:
    group, version, plural = resource.rsplit("/", 2)
    kind = SCHEME.find(group, version, plural)
    assert kind is not None
    document.setdefault("metadata", {}).setdefault("name", "x")
    document["metadata"].setdefault("creationTimestamp", CREATED)
    obj = msgspec.convert(document, kind.type)
    return kind, Record(kind.key("ns", "x"), 1, obj, msgspec.json.encode(obj))


def row(resource: str, document: Any) -> dict[str, Any]:
    """The cells of an object by column name."""
    kind, stored = record(resource, document)
    shown = table(kind, [stored], now=NOW)
    names = [c["name"] for c in shown["columnDefinitions"]]
    cells = shown["rows"][0]["cells"]
    assert len(names) == len(cells)
    return dict(zip(names, cells, strict=True))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0.9, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600 + 60, "8h"),
        (47 * 3600, "47h"),
        (49 * 3600, "2d1h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (2 * 365 * 86400, "2y"),
        (3 * 365 * 86400 + 86400, "3y1d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_duration_has_at_most_two_units(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def test_long_lists_say_how_many_more_there_are() -> None:
    assert at_most(3, "abc") == "a,b,c"
    assert at_most(3, "abcde") == "a,b,c + 2 more..."


RUNNING = {"name": "a", "ready": True, "state": {"running": {}}}
SPEC = {"containers": [{"name": "a"}]}


@pytest.mark.parametrize(
    ("pod", "ready", "status", "restarts"),
    [
        ({"spec": SPEC, "status": {"phase": "Pending"}}, "0/1", "Pending", "0"),
        ({"spec": SPEC, "status": {"phase": "Running", "containerStatuses": [RUNNING]}}, "1/1", "Running", "0"),
        (
            {"spec": SPEC, "status": {"phase": "Pending", "containerStatuses": [
                {"name": "a", "state": {"waiting": {"reason": "ContainerCreating"}}}]}},
            "0/1", "ContainerCreating", "0",
        ),
        (
            {"spec": SPEC, "status": {"phase": "Running", "containerStatuses": [
                {"name": "a", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                 "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2024-01-01T00:04:00Z"}}}]}},
            "0/1", "CrashLoopBackOff", "3 (60s ago)",
        ),
        ({"spec": SPEC, "status": {"phase": "Failed", "reason": "Evicted"}}, "0/1", "Evicted", "0"),
        (
            {"spec": SPEC, "status": {"phase": "Failed", "containerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": 3}}}]}},
            "0/1", "ExitCode:3", "0",
        ),
        (
            {"spec": SPEC, "status": {"phase": "Succeeded", "containerStatuses": [
                {"name": "a", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]}},
            "0/1", "Completed", "0",
        ),
        (
            {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}, "status": {"phase": "Running", "containerStatuses": [
                {"name": "a", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}, {**RUNNING, "name": "b"}]}},
            "1/2", "NotReady", "0",
        ),
        (
            {"spec": {**SPEC, "initContainers": [{"name": "i"}, {"name": "j"}]}, "status": {"phase": "Pending", "initContainerStatuses": [
                {"name": "i", "state": {"terminated": {"exitCode": 0}}}, {"name": "j", "state": {"running": {}}}]}},
            "0/1", "Init:1/2", "0",
        ),
        (
            {"spec": {**SPEC, "initContainers": [{"name": "i"}]}, "status": {"phase": "Pending", "initContainerStatuses": [
                {"name": "i", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}},
            "0/1", "Init:CrashLoopBackOff", "2",
        ),
        (
            {"spec": {**SPEC, "initContainers": [{"name": "i", "restartPolicy": "Always"}]}, "status": {"phase": "Running",
             "initContainerStatuses": [{**RUNNING, "name": "i", "started": True}], "containerStatuses": [RUNNING]}},
            "2/2", "Running", "0",
        ),
        (
            {"spec": SPEC, "status": {"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}},
            "0/1", "SchedulingGated", "0",
        ),
        (
            {"metadata": {"deletionTimestamp": CREATED}, "spec": SPEC, "status": {"phase": "Running", "containerStatuses": [RUNNING]}},
            "1/1", "Terminating", "0",
        ),
        (
            {"metadata": {"deletionTimestamp": CREATED}, "spec": SPEC, "status": {"phase": "Running", "reason": "NodeLost"}},
            "0/1", "Unknown", "0",
        ),
    ],
)  # fmt: skip
def test_pod_is_summed_up_in_a_word(pod: Any, ready: str, status: str, restarts: str) -> None:
    shown = row("/v1/pods", pod)
    assert (shown["Ready"], shown["Status"], shown["Restarts"], shown["Age"]) == (ready, status, restarts, "5m")


@pytest.mark.parametrize(
    ("resource", "document", "cells"),
    [
        ("/v1/configmaps", {"data": {"a": "1"}, "binaryData": {"b": ""}}, {"Data": 2, "Age": "5m"}),
        ("/v1/services", {"spec": {"type": "NodePort", "clusterIPs": ["10.0.0.1"], "ports": [{"port": 80, "nodePort": 31000, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}},
         {"Cluster-IP": "10.0.0.1", "External-IP": "<none>", "Port(s)": "80:31000/TCP,53/UDP", "Selector": "<none>"}),
        ("/v1/services", {"spec": {"type": "LoadBalancer"}}, {"Cluster-IP": "<none>", "External-IP": "<pending>", "Port(s)": "<none>"}),
        ("/v1/services", {"spec": {"type": "ExternalName", "externalName": "a.example"}}, {"External-IP": "a.example"}),
        ("/v1/nodes", {"metadata": {"labels": {"node-role.kubernetes.io/b": "", "kubernetes.io/role": "a"}}, "spec": {"unschedulable": True},
                       "status": {"conditions": [{"type": "Ready", "status": "Unknown"}], "addresses": [{"type": "InternalIP", "address": "10.1.1.1"}]}},
         {"Status": "NotReady,SchedulingDisabled", "Roles": "a,b", "Internal-IP": "10.1.1.1", "External-IP": "<none>"}),
        ("/v1/endpoints", {"subsets": [{"addresses": [{"ip": f"10.0.0.{i}"} for i in range(5)], "ports": [{"port": 80}]}]},
         {"Endpoints": "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more..."}),
        ("/v1/persistentvolumeclaims", {"spec": {"volumeName": "v", "accessModes": ["ReadWriteMany"]}, "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany", "ReadWriteOnce"]}},
         {"Status": "Bound", "Capacity": "1Gi", "Access Modes": "RWO,RWX", "VolumeMode": "<unset>"}),
        ("/v1/resourcequotas", {"status": {"hard": {"pods": "5", "limits.cpu": "2"}, "used": {"pods": "1"}}}, {"Request": "pods: 1/5", "Limit": "limits.cpu: 0/2"}),
        ("apps/v1/deployments", {"spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}, {"name": "d", "image": "j:2"}]}}},
                                 "status": {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}},
         {"Ready": "1/3", "Up-to-date": 2, "Available": 1, "Containers": "c,d", "Images": "i:1,j:2", "Selector": "a=b"}),
        ("apps/v1/controllerrevisions", {"revision": 2, "metadata": {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "u", "controller": True}]}},
         {"Controller": "daemonset.apps/d", "Revision": 2}),
        ("batch/v1/jobs", {"spec": {"completions": 3}, "status": {"succeeded": 1, "startTime": CREATED}}, {"Status": "Running", "Completions": "1/3", "Duration": "5m"}),
        ("batch/v1/jobs", {"status": {"conditions": [{"type": "Complete", "status": "True"}], "startTime": CREATED, "completionTime": "2024-01-01T00:00:07Z"}}, {"Status": "Complete", "Duration": "7s"}),
        ("batch/v1/cronjobs", {"spec": {"schedule": "* * * * *", "suspend": False}}, {"Suspend": "False", "Timezone": "<none>", "Last Schedule": "<none>"}),
        ("autoscaling/v2/horizontalpodautoscalers", {"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d"},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]},
            "status": {"currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 20}}}]}},
         {"Reference": "Deployment/d", "Targets": "cpu: 20%/50%", "MinPods": "<unset>", "MaxPods": 3}),
        ("discovery.k8s.io/v1/endpointslices", {"addressType": "IPv4", "ports": [{"port": 1}, {"name": "p"}]}, {"Ports": "1,p", "Endpoints": "<unset>"}),
        ("networking.k8s.io/v1/ingresses", {"spec": {"rules": [{"host": "a.example"}], "tls": [{}]}}, {"Class": "<none>", "Hosts": "a.example", "Ports": "80, 443"}),
        ("storage.k8s.io/v1/storageclasses", {"provisioner": "p", "metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}, {"Name": "x (default)"}),
        ("/v1/events", {"involvedObject": {"kind": "Pod", "name": "p"}, "eventTime": "2024-01-01T00:04:00.000000Z", "message": " m\n", "reportingComponent": "a"},
         {"Last Seen": "60s", "Object": "pod/p", "Source": "a", "Message": "m", "Count": 1}),
        (
            "networking.k8s.io/v1/ingresses",
            {
                "spec": {"rules": [{"host": "a"}, {"host": "b"}, {"host": "c"}, {}]},
                "status": {
                    "loadBalancer": {
                        "ingress": [{"ip": "10.0.0.2"}, {"hostname": "h"}, {"ip": "10.0.0.1"}, {"hostname": "h"}]
                    }
                },
            },
            {"Hosts": "a,b,c + 1 more...", "Address": "10.0.0.1,10.0.0.2,h"},
        ),
        (
            "discovery.k8s.io/v1/endpointslices",
            {"addressType": "IPv4", "endpoints": [], "ports": [{"name": ""}]},
            {"Ports": "<unset>"},
        ),
        ("discovery.k8s.io/v1/endpointslices", {"addressType": "IPv4", "endpoints": [], "ports": [{}]}, {"Ports": "*"}),
        (
            "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
            {"spec": {"policyName": "p", "paramRef": {"name": "n"}}},
            {"ParamRef": "*/n"},
        ),
        (
            "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
            {
                "spec": {
                    "policyName": "p",
                    "paramRef": {
                        "selector": {
                            "matchLabels": {"a": "b"},
                            "matchExpressions": [{"key": "k", "operator": "In", "values": ["x", "y"]}],
                        }
                    },
                }
            },
            {
                "ParamRef": "&LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{"
                "LabelSelectorRequirement{Key:k,Operator:In,Values:[x y],},},}"
            },
        ),
        (
            "storage.k8s.io/v1/volumeattributesclasses",
            {
                "driverName": "d",
                "metadata": {"annotations": {"volumeattributesclass.alpha.kubernetes.io/is-default-class": "true"}},
            },
            {"Name": "x (default)"},
        ),
        (
            "flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
            {"spec": {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 5}}},
            {"NominalConcurrencyShares": "<none>"},
        ),
        ("rbac.authorization.k8s.io/v1/roles", {}, {"Created At": CREATED}),
    ],
)  # fmt: skip
def test_object_is_shown(resource: str, document: Any, cells: dict[str, Any]) -> None:
    shown = row(resource, document)
    assert {name: shown[name] for name in cells} == cells


def test_every_kind_can_be_shown_empty() -> None:
    for kind in SCHEME:
        if "list" not in kind.verbs:
            continue
        obj = msgspec.json.decode(b'{"metadata":{"name":"x"}}', type=kind.type)
        printer = printer_of(kind)
        assert len(printer.row(obj, NOW)) == len(printer.columns), kind


@pytest.mark.parametrize(
    ("include", "object_"),
    [
        ("None", None),
        ("Metadata", {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "x", "creationTimestamp": CREATED}}),
        ("Object", {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x", "creationTimestamp": CREATED}}),
    ],
)  # fmt: skip
def test_rows_carry_as_much_of_the_object_as_is_asked_for(include: str, object_: Any) -> None:
    kind, stored = record("/v1/configmaps", {})
    shown = table(kind, [stored], now=NOW, include_object=include, metadata={"resourceVersion": "5"})
    tree = msgspec.json.decode(msgspec.json.encode(shown))
    assert tree["rows"] == [{"cells": ["x", 0, "5m"], "object": object_}]
    assert (tree["kind"], tree["apiVersion"], tree["metadata"]) == ("Table", "meta.k8s.io/v1", {"resourceVersion": "5"})


def test_completed_pods_are_marked() -> None:
    kind, stored = record("/v1/pods", {"status": {"phase": "Succeeded"}})
    (shown,) = table(kind, [stored], now=NOW)["rows"]
    assert [c["reason"] for c in shown["conditions"]] == ["Succeeded"]


def test_flow_schemas_are_listed_in_the_order_in_which_they_are_asked() -> None:
    found = [
        record(
            "flowcontrol.apiserver.k8s.io/v1/flowschemas",
            {"metadata": {"name": name}, "spec": {"matchingPrecedence": n}},
        )
        for name, n in (("a", 9), ("c", 1), ("b", 1))
    ]
    shown = table(found[0][0], [stored for _, stored in found], now=NOW)
    assert [row["cells"][0] for row in shown["rows"]] == ["b", "c", "a"]


def test_rows_carry_the_metadata_of_the_internal_form() -> None:
    annotations = {"deprecated.daemonset.template.generation": "1", "a": "b"}
    kind, stored = record("apps/v1/daemonsets", {"metadata": {"annotations": annotations}})
    [shown] = msgspec.json.decode(msgspec.json.encode(table(kind, [stored], now=NOW)["rows"]))
    assert shown["object"]["metadata"]["annotations"] == {"a": "b"}
