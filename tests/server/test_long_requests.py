"""Requests that are much work: whoever makes them waits, and nobody else does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.registry.conftest import Api, HandClock
from tests.registry.widgets import define, version
from tests.server.serving import CONFIGMAPS, Door, serving
from tests.server.turns import TURN_SECONDS_MAX, watched_loop

PODS = "/api/v1/namespaces/default/pods"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
REGISTRATION = "/apis/admissionregistration.k8s.io/v1"
APPLY = "application/apply-patch+yaml"
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"

DEAR = "range.all(a, range.all(b, a != b || a == b))".replace("range", "{range}")
"""For 300 numbers some 0.9 million units, close to what one evaluation may cost."""


def document(kind: str, api_version: str = "v1", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, **fields}


def config_map(name: str = "big", **metadata: Any) -> dict[str, Any]:
    return document("ConfigMap", metadata={"name": name, **metadata}, data={f"key-{i}": "value" for i in range(8000)})


def pod(variables: int = 4000) -> dict[str, Any]:
    env = [{"name": f"NAME_{i}", "value": "v"} for i in range(variables)]
    spec = {"containers": [{"name": "app", "image": "app", "env": env}]}
    return document("Pod", metadata={"name": "big"}, spec=spec)


def network_policy() -> dict[str, Any]:
    ingress = [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}] * 5000}]
    spec = {"podSelector": {}, "ingress": ingress}
    return document("NetworkPolicy", "networking.k8s.io/v1", metadata={"name": "big"}, spec=spec)


async def ask(door: Door, method: str, path: str, body: Any, content_type: str = "application/json") -> Any:
    """The answer to a request during which the loop had its turns."""
    with watched_loop() as turns:
        answer = await door.ask(method, path, json.dumps(body).encode(), Content_Type=content_type)
        assert turns.take() < TURN_SECONDS_MAX, f"the loop was held up by {method} {path}"
    return answer


@pytest.mark.parametrize(
    ("collection", "body"), [(CONFIGMAPS, config_map()), (PODS, pod()), (POLICIES, network_policy())]
)
async def test_large_objects_are_written_without_holding_the_loop_up(collection: str, body: dict[str, Any]) -> None:
    async with serving() as door:
        assert (await ask(door, "POST", collection, body)).code == 201
        path = f"{collection}/big"
        labelled = {**body, "metadata": {"name": "big", "labels": {"a": "b"}}}
        assert (await ask(door, "PUT", path, labelled)).code == 200
        assert (await ask(door, "PATCH", path, {"metadata": {"labels": {"a": "c"}}}, MERGE)).code == 200
        assert (await ask(door, "PATCH", path, labelled, STRATEGIC)).code == 200
        applied = await ask(door, "PATCH", f"{path}?fieldManager=me&force=true", labelled, APPLY)
        assert applied.code == 200
        assert (await door.ask("GET", path)).json == applied.json
        assert applied.json["metadata"]["managedFields"][0]["manager"] == "me"


async def test_large_objects_are_refused_without_holding_the_loop_up() -> None:
    body = pod(12_000)
    for variable in body["spec"]["containers"][0]["env"]:
        variable["name"] = f"={variable['name']}"
    async with serving() as door:
        answer = await ask(door, "POST", PODS, body)
        assert answer.code == 422
        assert len(answer.json["details"]["causes"]) == len(body["spec"]["containers"][0]["env"])


async def test_long_lists_are_merged_in_one_go() -> None:
    """It once took a minute of everybody's time: each element was looked for among all others."""
    owners = [{"apiVersion": "v1", "kind": "Pod", "name": f"p{i}", "uid": f"u{i}"} for i in range(4000)]
    body = config_map(ownerReferences=owners)
    async with serving() as door:
        assert (await door.ask("POST", CONFIGMAPS, json.dumps(body).encode())).code == 201
        body["metadata"]["ownerReferences"] = list(reversed(owners))
        merged = await ask(door, "PATCH", f"{CONFIGMAPS}/big", body, STRATEGIC)
        assert [o["name"] for o in merged.json["metadata"]["ownerReferences"]] == [o["name"] for o in reversed(owners)]


async def test_dear_rules_of_custom_resources_hold_nobody_up() -> None:
    rule = DEAR.format(range="self.numbers")
    numbers = {"type": "array", "maxItems": 400, "items": {"type": "integer"}}
    schema = {
        "type": "object",
        "properties": {"numbers": numbers},
        "x-kubernetes-validations": [*[{"rule": rule}] * 5, {"rule": "self.numbers.size() < 250"}],
    }
    async with serving() as door:
        await define(Api(door.registry, HandClock()), version(spec=schema, selectableFields=[]))
        body = document("Widget", "example.com/v1", metadata={"name": "w"}, spec={"numbers": list(range(200))})
        assert (await ask(door, "POST", WIDGETS, body)).code == 201
        refused = await ask(door, "PATCH", f"{WIDGETS}/w", {"spec": {"numbers": list(range(300))}}, MERGE)
        assert refused.code == 422
        assert [cause["message"] for cause in refused.json["details"]["causes"]] == [
            "Invalid value: failed rule: self.numbers.size() < 250"
        ]


def dear(*further: str) -> Sequence[dict[str, str]]:
    numbers = str(list(range(250)))
    return [{"expression": each} for each in (*[DEAR.format(range=numbers)] * 2, *further)]


RESOURCES = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}]


async def test_dear_policies_hold_nobody_up() -> None:
    questions = "authorizer.group('').resource('pods').check('get').allowed() && object.metadata.name != 'no'"
    spec = {"matchConstraints": {"resourceRules": RESOURCES}, "validations": dear(questions)}
    binding = {"policyName": "dear", "validationActions": ["Deny"]}
    async with serving() as door:
        for plural, each in (("validatingadmissionpolicies", spec), ("validatingadmissionpolicybindings", binding)):
            made = {"metadata": {"name": "dear"}, "spec": each}
            assert (await door.ask("POST", f"{REGISTRATION}/{plural}", json.dumps(made).encode())).code == 201
        assert (await ask(door, "POST", CONFIGMAPS, document("ConfigMap", metadata={"name": "yes"}))).code == 201
        refused = await ask(door, "POST", CONFIGMAPS, document("ConfigMap", metadata={"name": "no"}))
        assert refused.code == 422
        assert refused.json["message"].endswith(f"denied request: failed expression: {questions}")


async def test_dear_conditions_of_webhooks_hold_nobody_up() -> None:
    conditions = [{"name": f"c{i}", **each} for i, each in enumerate(dear("object.metadata.name != 'yes'"))]
    webhook = {
        "name": "dear.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": RESOURCES,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "matchConditions": conditions,
    }
    async with serving() as door:
        for plural in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
            made = {"metadata": {"name": "dear"}, "webhooks": [webhook]}
            assert (await door.ask("POST", f"{REGISTRATION}/{plural}", json.dumps(made).encode())).code == 201
        assert (await ask(door, "POST", CONFIGMAPS, document("ConfigMap", metadata={"name": "yes"}))).code == 201
        called = await ask(door, "POST", CONFIGMAPS, document("ConfigMap", metadata={"name": "no"}))
        assert called.code == 500
        assert 'failed calling webhook "dear.example.com"' in called.json["message"]
