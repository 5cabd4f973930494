from __future__ import annotations

from typing import Any

import pytest

from kcore.api.errors import BadRequest, Invalid
from kcore.registry.request import User
from tests.registry.conftest import Api, tree

PODS = {"namespace": "ns", "verb": "get", "resource": "pods"}


async def ask(api: Api, resource: str, document: dict[str, Any], user: User | None = None) -> Any:
    request = api.request("create", resource)
    if user is not None:
        request.user = user
    answer = tree(await api.registry.create(request, api.decode(resource, document)))
    assert request.code == 201
    return answer


@pytest.mark.parametrize(("user", "allowed"), [(User("root", groups=("system:masters",)), True), (User("jane"), False)])
async def test_who_asks_for_oneself(api: Api, user: User, allowed: bool) -> None:
    answer = await ask(api, "selfsubjectaccessreviews", {"spec": {"resourceAttributes": PODS}}, user)
    assert answer["kind"] == "SelfSubjectAccessReview"
    assert answer["status"] == {"allowed": allowed}


@pytest.mark.parametrize(
    ("spec", "allowed"),
    [
        ({"user": "x", "groups": ["system:masters"], "resourceAttributes": PODS}, True),
        ({"user": "x", "resourceAttributes": PODS}, False),
        ({"user": "x", "nonResourceAttributes": {"path": "/healthz", "verb": "get"}}, True),
        ({"user": "x", "nonResourceAttributes": {"path": "/api", "verb": "get"}}, False),
        (
            {"user": "x", "groups": ["system:authenticated"], "nonResourceAttributes": {"path": "/api", "verb": "get"}},
            True,
        ),
    ],
)
async def test_who_asks_for_others(api: Api, spec: dict[str, Any], allowed: bool) -> None:
    assert (await ask(api, "subjectaccessreviews", {"spec": spec}))["status"] == {"allowed": allowed}


@pytest.mark.parametrize(
    ("resource", "document", "message"),
    [
        (
            "subjectaccessreviews",
            {"spec": {"resourceAttributes": PODS}},
            'spec.user: Invalid value: "": at least one of user or group must be specified',
        ),
        (
            "subjectaccessreviews",
            {
                "spec": {
                    "user": "x",
                    "resourceAttributes": {
                        **PODS,
                        "fieldSelector": {
                            "rawSelector": "a=b",
                            "requirements": [{"key": "a", "operator": "In", "values": ["b"]}],
                        },
                    },
                }
            },
            'spec.resourceAttributes.fieldSelector.rawSelector: Invalid value: "a=b": '
            "may not specified at the same time as requirements",
        ),
        (
            "subjectaccessreviews",
            {"spec": {"user": "x"}},
            "spec.resourceAttributes: Invalid value: null: "
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
        (
            "subjectaccessreviews",
            {"spec": {"user": "x", "resourceAttributes": PODS, "nonResourceAttributes": {"path": "/x", "verb": "get"}}},
            'spec.nonResourceAttributes: Invalid value: {"Path":"/x","Verb":"get"}: '
            "cannot be specified in combination with resourceAttributes",
        ),
        (
            "selfsubjectaccessreviews",
            {"metadata": {"name": "x"}, "spec": {"resourceAttributes": PODS}},
            'metadata: Invalid value: {"name":"x"}: must be empty',
        ),
        (
            "localsubjectaccessreviews",
            {"metadata": {"namespace": "ns"}, "spec": {"user": "x", "resourceAttributes": {**PODS, "namespace": "o"}}},
            'spec.resourceAttributes.namespace: Invalid value: "o": must match metadata.namespace',
        ),
        (
            "localsubjectaccessreviews",
            {"spec": {"user": "x", "resourceAttributes": {"verb": "get", "resource": "pods"}}},
            'spec.resourceAttributes.namespace: Invalid value: "": must match metadata.namespace',
        ),
        (
            "selfsubjectaccessreviews",
            {"spec": {"resourceAttributes": {**PODS, "fieldSelector": {}}}},
            "spec.resourceAttributes.fieldSelector.requirements: Required value: "
            "when spec.resourceAttributes.fieldSelector is specified, requirements or rawSelector is required",
        ),
        (
            "selfsubjectaccessreviews",
            {
                "spec": {
                    "resourceAttributes": {
                        **PODS,
                        "fieldSelector": {"requirements": [{"key": "", "operator": "Newer"}]},
                        "labelSelector": {"requirements": [{"key": "a", "operator": "Exists", "values": ["b"]}]},
                    }
                }
            },
            "[spec.resourceAttributes.fieldSelector.requirements[0].key: Required value: must be specified, "
            "spec.resourceAttributes.labelSelector.requirements[0].values: Forbidden: "
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist']",
        ),
    ],
)
async def test_what_is_no_question(api: Api, resource: str, document: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await ask(api, resource, document)
    assert refusal.value.message == f'.authorization.k8s.io "" is invalid: {message}'


async def test_who_asks_where_they_are_need_not_name_the_place_twice(api: Api) -> None:
    answer = await ask(api, "localsubjectaccessreviews", {"spec": {"user": "x", "resourceAttributes": PODS}})
    assert answer["metadata"] == {"namespace": "ns"}


async def test_who_am_i(api: Api) -> None:
    user = User("jane", "u1", ("devs",), {"scope": ("a", "b")})
    answer = await ask(api, "selfsubjectreviews", {}, user)
    assert answer["status"]["userInfo"] == {
        "username": "jane",
        "uid": "u1",
        "groups": ["devs"],
        "extra": {"scope": ["a", "b"]},
    }


async def test_questions_are_not_stored(api: Api) -> None:
    revision = api.store.revision
    await ask(api, "selfsubjectreviews", {})
    with pytest.raises(BadRequest):
        await ask(api, "selfsubjectrulesreviews", {"spec": {"namespace": ""}})
    assert api.store.revision == revision


async def test_pods_are_bound_by_the_old_path_too(api: Api) -> None:
    containers = [{"name": "app", "image": "registry.example/app:1.0"}]
    await api.create("pods", {"metadata": {"name": "p"}, "spec": {"containers": containers}})
    await ask(api, "bindings", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "node-1"}})
    assert api.get("pods", "p")["spec"]["nodeName"] == "node-1"
