"""What somebody who may only look must not get at, over HTTP: each attempt with its refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.server.serving import Door, serving

RBAC = "/apis/rbac.authorization.k8s.io/v1"
CORE = "/api/v1/namespaces/default"
GROUP = "rbac.authorization.k8s.io"


def subject(name: str) -> dict[str, str]:
    return {"kind": "User", "name": name, "apiGroup": GROUP}


def binding(name: str, role: str, user: str, kind: str = "ClusterRole") -> dict[str, Any]:
    ref = {"kind": kind, "name": role, "apiGroup": GROUP}
    return {"metadata": {"name": name}, "roleRef": ref, "subjects": [subject(user)]}


@asynccontextmanager
async def policed() -> AsyncIterator[Door]:
    """vera has what the view role has, in the namespace default; there is a secret and a pod."""
    async with serving(policed=True) as door:
        container = {"name": "app", "image": "registry.example/app:1"}
        for path, body in (
            (f"{RBAC}/namespaces/default/rolebindings", binding("look", "system:aggregate-to-view", "vera")),
            (f"{CORE}/secrets", {"metadata": {"name": "s"}}),
            (f"{CORE}/serviceaccounts", {"metadata": {"name": "default"}}),
            (f"{CORE}/serviceaccounts", {"metadata": {"name": "robot"}}),
            (f"{CORE}/configmaps", {"metadata": {"name": "c"}}),
            (f"{CORE}/pods", {"metadata": {"name": "p"}, "spec": {"containers": [container]}}),
        ):
            assert (await door.ask("POST", path, body)).code == 201
        yield door


async def test_viewer_may_look() -> None:
    async with policed() as door:
        for path in ("/pods", "/pods/p", "/pods/p/status", "/configmaps/c"):
            assert (await door.ask("GET", CORE + path, token="view-token")).code == 200, path


ANY_ROLE = {"metadata": {"name": "x"}, "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}
STATUS = {"status": {"phase": "Failed"}}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{CORE}/secrets", None),
        ("GET", f"{CORE}/secrets/s", None),
        ("GET", f"{CORE}/secrets?watch=true", None),
        ("GET", f"{CORE}/secrets?fieldSelector=metadata.name=s", None),
        ("GET", "/api/v1/secrets", None),
        ("GET", "/api/v1/watch/secrets", None),
        ("GET", "/api/v1/watch/namespaces/default/secrets/s", None),
        ("GET", "/api/v1//secrets", None),
        ("GET", f"{CORE}/pods/../secrets", None),
        ("GET", f"{CORE}/pods%2f..%2fsecrets", None),
        ("GET", "/api/v1/namespaces/default%2fsecrets", None),
        ("GET", f"{CORE}/%73ecrets", None),
        ("GET", "/api/v1/pods", None),
        ("GET", "/api/v1/namespaces/kube-system/pods", None),
        ("GET", "/api/v1/nodes", None),
        ("GET", "/metrics", None),
        ("DELETE", f"{CORE}/pods/p", None),
        ("DELETE", f"{CORE}/pods", None),
        ("PUT", f"{CORE}/configmaps/c", {"metadata": {"name": "c"}}),
        ("PATCH", f"{CORE}/pods/p/status", STATUS),
        ("PUT", f"{CORE}/pods/p/status", STATUS),
        ("PATCH", f"{CORE}/namespaces/default", {"metadata": {"labels": {"a": "b"}}}),
        ("POST", f"{CORE}/pods/p/exec?command=sh", None),
        ("GET", f"{CORE}/pods/p/exec?command=sh", None),
        ("POST", f"{CORE}/pods/p/attach", None),
        ("POST", f"{CORE}/pods/p/portforward", None),
        ("GET", f"{CORE}/pods/p/proxy/", None),
        ("POST", f"{CORE}/pods/p/binding", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}),
        ("POST", f"{CORE}/pods/p/eviction", {"metadata": {"name": "p"}}),
        ("POST", f"{CORE}/serviceaccounts/robot/token", {"spec": {}}),
        ("POST", f"{RBAC}/namespaces/default/roles", ANY_ROLE),
        ("POST", f"{RBAC}/clusterroles", ANY_ROLE),
        ("POST", f"{RBAC}/namespaces/default/rolebindings", binding("x", "admin", "vera")),
        ("POST", f"{RBAC}/clusterrolebindings", binding("x", "cluster-admin", "vera")),
        ("GET", f"{RBAC}/clusterroles", None),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": "x"}}),
        ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": {"user": "admin"}}),
    ],
)
async def test_viewer_is_refused(method: str, path: str, body: Any) -> None:
    async with policed() as door:
        headers = {"Content_Type": "application/merge-patch+json"} if method == "PATCH" else {}
        answer = await door.ask(method, path, body, token="view-token", **headers)
        assert (answer.code, answer.json["reason"]) == (403, "Forbidden"), answer.body


@pytest.mark.parametrize(
    "headers",
    [
        {"Impersonate_User": "admin"},
        {"Impersonate_User": "vera", "Impersonate_Group": "system:masters"},
        {"Impersonate_User": "vera", "Impersonate_Uid": "1"},
        {"Impersonate_User": "vera", "Impersonate_Extra_Scopes": "all"},
        {"Impersonate_User": "system:serviceaccount:default:robot"},
        {"impersonate_user": "admin"},
    ],
)
async def test_viewer_does_not_become_somebody_else(headers: dict[str, str]) -> None:
    async with policed() as door:
        answer = await door.ask("GET", f"{CORE}/pods", token="view-token", **headers)
        assert answer.code == 403
        assert "cannot impersonate resource" in answer.json["message"]


@pytest.mark.parametrize(
    "headers",
    [{"Impersonate_Group": "system:masters"}, {"Impersonate_Uid": "1"}, {"impersonate_extra_scopes": "all"}],
)
async def test_identity_without_a_name_is_no_identity(headers: dict[str, str]) -> None:
    async with policed() as door:
        answer = await door.ask("GET", f"{CORE}/pods", **headers)
        assert answer.code == 400
        assert "without impersonating a user name" in answer.json["message"]


async def test_impersonation_is_held_to_the_names_granted() -> None:
    async with policed() as door:
        rules = [{"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": ["joe"]}]
        await door.ask("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "as-joe"}, "rules": rules})
        await door.ask("POST", f"{RBAC}/clusterrolebindings", binding("as-joe", "as-joe", "vera"))
        as_joe = await door.ask("GET", f"{CORE}/pods", token="view-token", Impersonate_User="joe")
        assert 'User "joe" cannot list' in as_joe.json["message"]
        as_admin = await door.ask("GET", f"{CORE}/pods", token="view-token", Impersonate_User="admin")
        assert 'users "admin" is forbidden: User "vera" cannot impersonate' in as_admin.json["message"]


async def test_names_of_a_field_selector_do_not_open_other_verbs() -> None:
    async with policed() as door:
        rules = [{"verbs": ["*"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["mine"]}]
        await door.ask("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "mine"}, "rules": rules})
        await door.ask("POST", f"{RBAC}/namespaces/default/rolebindings", binding("mine", "mine", "vera"))
        chosen = "?fieldSelector=metadata.name%3Dmine"
        assert (await door.ask("GET", f"{CORE}/secrets{chosen}", token="view-token")).json["items"] == []
        for method, path, body in (
            ("POST", f"{CORE}/secrets{chosen}", {"metadata": {"name": "mine"}}),
            ("GET", f"{CORE}/secrets/s{chosen}", None),
            ("GET", f"{CORE}/secrets{chosen},metadata.namespace!%3Dx&fieldSelector=", None),
            ("GET", f"{CORE}/secrets?fieldSelector=metadata.name!%3Dmine", None),
        ):
            answer = await door.ask(method, path, body, token="view-token")
            assert answer.code == 403 or answer.json["items"] == [], path


async def test_nobody_known_sees_health_and_version_alone() -> None:
    async with policed() as door:
        for path, code in (("/livez", 200), ("/version", 200), ("/api", 403), ("/openapi/v3", 403), (CORE, 403)):
            assert (await door.ask("GET", path, token=None)).code == code, path
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        assert (await door.ask("POST", path, review, token=None)).code == 403
        assert (await door.ask("POST", path, review, token="view-token")).code == 201
