"""Roles and tokens, as people handle them with kubectl."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.e2e.serving import Kubectl, eventually

pytestmark = pytest.mark.kubectl

ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: NAMESPACE}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jo}]
"""


def can(kubectl: Kubectl, *question: str) -> str:
    """`auth can-i` fails where the answer is no."""
    return kubectl("auth", "can-i", *question, check=False).splitlines()[0]


def get_with_token(kubectl: Kubectl, path: str, token: str) -> Any:
    """A request that shows a token and no certificate: its answer, or its code."""
    authority = kubectl.server.config["clusters"][0]["cluster"]["certificate-authority-data"]
    context = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
    request = urllib.request.Request(kubectl.server.url + path, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, context=context, timeout=10) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return error.code


def test_viewer_may_look_and_nothing_else(kubectl: Kubectl) -> None:
    kubectl("create", "rolebinding", "look", "--clusterrole=view", "--user=vera")
    eventually(lambda: can(kubectl, "list", "pods", "--as=vera") == "yes")
    assert can(kubectl, "get", "pods/log", "--as=vera") == "yes"
    for question in (("get", "secrets"), ("delete", "pods"), ("create", "pods/exec"), ("list", "nodes")):
        assert can(kubectl, *question, "--as=vera") == "no", question
    listed = kubectl("auth", "can-i", "--list", "--as=vera")
    assert any(line.split() == ["pods", "[]", "[]", "[get", "list", "watch]"] for line in listed.splitlines()), listed
    refused = kubectl("get", "secrets", "--as=vera", check=False)
    assert 'User "vera" cannot list resource "secrets" in API group ""' in refused


def test_reconcile_makes_what_is_missing_and_no_more(kubectl: Kubectl) -> None:
    role = ROLE.replace("NAMESPACE", kubectl.namespace)
    assert kubectl("auth", "reconcile", "-f", "-", stdin=role).count("reconciled") == 2
    assert can(kubectl, "get", "pods", "--as=jo") == "yes"
    again = kubectl("auth", "reconcile", "-f", "-", stdin=role)
    assert "reconciliation required" not in again


def test_token_of_an_account_opens_what_its_roles_open(kubectl: Kubectl) -> None:
    kubectl("create", "serviceaccount", "robot")
    token = kubectl("create", "token", "robot", "--duration=20m").strip()
    pods = f"/api/v1/namespaces/{kubectl.namespace}/pods"
    assert get_with_token(kubectl, pods, token) == 403
    account = f"{kubectl.namespace}:robot"
    kubectl("create", "rolebinding", "robot", "--clusterrole=view", f"--serviceaccount={account}")
    assert get_with_token(kubectl, pods, token)["kind"] == "PodList"
    assert get_with_token(kubectl, pods.replace("pods", "secrets"), token) == 403
    kubectl("delete", "serviceaccount", "robot")
    assert get_with_token(kubectl, pods, token) == 401


def test_whoami_tells_the_administrator(kubectl: Kubectl) -> None:
    if kubectl.binary.name.endswith(".27"):
        pytest.skip("kubectl 1.27 has no stable whoami")
    assert kubectl.json("auth", "whoami")["status"]["userInfo"]["groups"] == ["system:masters", "system:authenticated"]
