"""Requests that are almost right: documents, patches and queries, changed here and there by a seeded chance."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote

__all__ = ["Attempt", "attempt"]

_POD = {"containers": [{"name": "app", "image": "registry.example/app:1", "ports": [{"containerPort": 80}]}]}
_TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": _POD}
_SELECTOR = {"matchLabels": {"app": "x"}}


class _Resource(NamedTuple):
    collection: str
    document: dict[str, Any]


def _of(group_version: str, plural: str, kind: str, **parts: Any) -> _Resource:
    root = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
    document = {"apiVersion": group_version, "kind": kind, "metadata": {"name": "a", "labels": {"l": "1"}}, **parts}
    return _Resource(f"{root}/namespaces/default/{plural}", document)


_RESOURCES = (
    _of("v1", "configmaps", "ConfigMap", data={"k": "v"}, binaryData={"b": "AA=="}, immutable=False),
    _of("v1", "secrets", "Secret", data={"k": "dg=="}, type="Opaque"),
    _of("v1", "pods", "Pod", spec={**_POD, "tolerations": [{"operator": "Exists"}], "nodeSelector": {"a": "b"}}),
    _of("v1", "services", "Service", spec={"ports": [{"port": 80, "targetPort": "http"}], "selector": {"app": "x"}}),
    _of("v1", "persistentvolumeclaims", "PersistentVolumeClaim", spec={"resources": {"requests": {"storage": "1Gi"}}}),
    _of("apps/v1", "deployments", "Deployment", spec={"replicas": 0, "selector": _SELECTOR, "template": _TEMPLATE}),
    _of("apps/v1", "statefulsets", "StatefulSet", spec={"replicas": 0, "selector": _SELECTOR, "template": _TEMPLATE}),
    _of("batch/v1", "jobs", "Job", spec={"template": {"spec": {**_POD, "restartPolicy": "Never"}}, "suspend": True}),
    _of(
        "networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", spec={"podSelector": {}, "policyTypes": ["Egress"]}
    ),
    _of(
        "rbac.authorization.k8s.io/v1", "roles", "Role", rules=[{"apiGroups": [""], "resources": ["x"], "verbs": ["*"]}]
    ),
    _of("coordination.k8s.io/v1", "leases", "Lease", spec={"holderIdentity": "a", "leaseDurationSeconds": 1}),
    _of("example.com/v1", "widgets", "Widget", spec={"size": 2, "parts": [{"name": "a"}], "free": {"any": [1, {}]}}),
)

_SCALARS: Sequence[Any] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 2**64, 10**30, 0.5, 1e308, -0.0),
    *(
        "",
        "a",
        "A b",
        "-",
        "a" * 300,
        "\0",
        "é\u2028",
        "😀",
        "\ud83d",
        "1Gi",
        "1e9",
        "-1",
        "10%",
        "$patch",
        "2024-01-01",
    ),
    *("2024-01-01T00:00:00Z", "10.0.0.1", "::1", "a/b", "../x", "{{", "%s%n", "TCP", "v1", "default"),
)
_TEXTS = (
    "1e999",
    "-1e999",
    "123456789012345678901234567890",
    "NaN",
    "Infinity",
    "[[[[[[",
    '"\\ud800"',
    "01",
    "1.",
    "{}{}",
)
_PATCHES = ("merge-patch+json", "strategic-merge-patch+json", "json-patch+json", "apply-patch+yaml")
_OPERATIONS = ("add", "remove", "replace", "move", "copy", "test", "", "x")
_POINTERS = (
    "",
    "/",
    "/metadata/name",
    "/metadata/labels/l",
    "/spec/-",
    "/spec/0",
    "/data/~1",
    "/data/~2",
    "/x/y/z",
    "x",
)
_PARAMETERS = (
    *("labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch", "pretty"),
    *("fieldManager", "fieldValidation", "dryRun", "force", "gracePeriodSeconds", "propagationPolicy", "includeObject"),
    *("sendInitialEvents", "allowWatchBookmarks", "orphanDependents"),
)
_VALUES = (
    *("", "1", "0", "-1", "true", "x", "All", "Strict", "Warn", "Ignore", "Exact", "NotOlderThan", "a=b", "a in (b,c)"),
    *(
        "!a",
        "a!=b,c",
        "metadata.name=a",
        "metadata.name!=a",
        "spec.nodeName=",
        "status.phase=x",
        "a==",
        "((",
        "99999999",
    ),
    *("9" * 30, "Orphan", "Background", "Foreground", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0", "\0"),
    *("é", "%", "None", "Object", "a" * 200),
)


class Attempt(NamedTuple):
    """One request. `path` has its query with it."""

    method: str
    path: str
    body: bytes | None
    content_type: str
    collection: str


def attempt(chance: Random) -> Attempt:
    resource = chance.choice(_RESOURCES)
    method = chance.choice(("POST", "POST", "PUT", "PATCH", "PATCH", "GET", "GET", "DELETE"))
    name = chance.choice(("a", "a", "b", "A%20b", "%2e%2e%2f", "%00"))
    path = (
        resource.collection
        if method == "POST" or (method == "GET" and chance.random() < 0.7)
        else (f"{resource.collection}/{name}{chance.choice(('', '', '', '/status', '/scale', '/x'))}")
    )
    path += _query(chance, method)
    if method == "GET":
        return Attempt(method, path, None, "", resource.collection)
    if method == "PATCH":
        kind = chance.choice(_PATCHES)
        return Attempt(
            method, path, _patch(chance, kind, resource.document), f"application/{kind}", resource.collection
        )
    content_type = chance.choice(("application/json", "application/json", "application/yaml"))
    document = {"propagationPolicy": "Background"} if method == "DELETE" else resource.document
    return Attempt(method, path, _written(chance, _changed(chance, document)), content_type, resource.collection)


def _query(chance: Random, method: str) -> str:
    names = [chance.choice(_PARAMETERS) for _ in range(chance.choice((0, 0, 1, 2, 3)))]
    if method == "PATCH" and chance.random() < 0.8:
        names.append("fieldManager")
    pairs = [f"{name}={quote(chance.choice(_VALUES))}" for name in names]
    return "?" + "&".join(pairs) if pairs else ""


def _patch(chance: Random, kind: str, document: dict[str, Any]) -> bytes:
    if kind == "json-patch+json":
        operations = [
            {"op": chance.choice(_OPERATIONS), "path": chance.choice(_POINTERS), "value": chance.choice(_SCALARS)}
            for _ in range(chance.randint(0, 4))
        ]
        return _written(chance, _changed(chance, operations) if chance.random() < 0.3 else operations)
    return _written(chance, _changed(chance, document))


def _changed(chance: Random, document: Any) -> Any:
    """A copy with a few changes."""
    tree = copy.deepcopy(document)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 5))):
        _change(chance, tree)
    return tree


def _change(chance: Random, tree: Any) -> None:
    node = tree
    while True:
        if isinstance(node, dict) and node:
            key: Any = chance.choice(list(node))
        elif isinstance(node, list) and node:
            key = chance.randrange(len(node))
        else:
            return
        child = node[key]
        if not (isinstance(child, dict | list) and child) or chance.random() < 0.25:
            break
        node = child
    what = chance.random()
    if what < 0.5:
        node[key] = _value(chance)
    elif what < 0.65:
        del node[key]
    elif isinstance(node, dict):
        node[chance.choice(("status", "spec", "x", "$patch", "$retainKeys", "", "metadata", "managedFields"))] = _value(
            chance
        )
    else:
        node.append(copy.deepcopy(node[key]))


def _value(chance: Random) -> Any:
    what = chance.random()
    if what < 0.75:
        return chance.choice(_SCALARS)
    if what < 0.85:
        return [chance.choice(_SCALARS) for _ in range(chance.randint(0, 3))]
    if what < 0.87:
        return _nested(chance.choice((30, 200, 240, 260, 300)), chance.choice(_SCALARS))
    return {str(chance.choice(_SCALARS)): chance.choice(_SCALARS) for _ in range(chance.randint(0, 3))}


def _nested(depth: int, value: Any) -> Any:
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def _written(chance: Random, tree: Any) -> bytes:
    """As JSON, now and then broken."""
    body = json.dumps(tree).encode()
    what = chance.random()
    at = chance.randrange(len(body) + 1)
    if what < 0.05:
        return body[:at]
    if what < 0.1:
        return body[:at] + bytes([chance.randrange(256)]) + body[at:]
    if what < 0.15:
        return body[:at] + chance.choice(_TEXTS).encode() + body[at:]
    if what < 0.17:
        return body.replace(b"1", chance.choice(_TEXTS).encode(), 1)
    return body
