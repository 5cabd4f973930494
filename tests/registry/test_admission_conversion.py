"""Webhooks and policies that know another version of a custom kind than the one that a client uses."""

from __future__ import annotations

from typing import Any

import pytest

from kcore.api.errors import ApiError
from kcore.api.kind import Kind
from tests.registry.conftest import HandClock, tree
from tests.registry.webhooks import HookedApi, allow, hooked_api, patch
from tests.registry.widgets import asking, define, version, widget

STRING = {"type": "string"}
WHOLE = {"type": "object", "properties": {"full": STRING}}
SPLIT = {"type": "object", "properties": {"first": STRING, "last": STRING}}
CONVERT = "https://convert.example/"
BY_WEBHOOK: Any = {
    "strategy": "Webhook",
    "webhook": {"clientConfig": {"url": CONVERT}, "conversionReviewVersions": ["v1"]},
}
RULE = {"apiGroups": ["example.com"], "apiVersions": ["v2"], "operations": ["*"], "resources": ["widgets"]}


def convert(request: Any) -> Any:
    """v1 has a full name, v2 has its halves."""
    wanted = request["desiredAPIVersion"]
    found = []
    for obj in request["objects"]:
        spec = obj["spec"]
        if wanted.endswith("/v2"):
            first, _, last = spec["full"].partition(" ")
            spec = {"first": first, "last": last}
        else:
            spec = {"full": f"{spec['first']} {spec['last']}"}
        found.append({**obj, "apiVersion": wanted, "spec": spec})
    return {"convertedObjects": found, "result": {"status": "Success"}}


@pytest.fixture
async def api(clock: HandClock) -> HookedApi:
    api = await hooked_api(clock)
    api.board.lines[CONVERT] = convert
    return api


async def by_webhook(api: HookedApi) -> Kind:
    versions = version("v1", WHOLE, selectableFields=[]), version("v2", SPLIT, selectableFields=[])
    return await define(api, *versions, conversion=BY_WEBHOOK)


async def create(api: HookedApi, kind: Kind, **spec: Any) -> Any:
    return tree(await api.registry.create(asking("create", kind), widget(**spec)))


@pytest.mark.parametrize("mutating", [False, True])
async def test_webhook_sees_the_version_that_its_rules_name(api: HookedApi, mutating: bool) -> None:
    kind = await by_webhook(api)
    await api.hook("see", allow, rules=[RULE], mutating=mutating)
    await create(api, kind, full="Ada Lovelace")
    [asked] = [request for url, request in api.board.calls if url != CONVERT]
    assert asked["object"]["apiVersion"] == "example.com/v2"
    assert asked["object"]["spec"] == {"first": "Ada", "last": "Lovelace"}
    assert (asked["kind"]["version"], asked["requestKind"]["version"]) == ("v2", "v1")


async def test_what_a_webhook_changes_comes_back_in_the_version_of_the_request(api: HookedApi) -> None:
    kind = await by_webhook(api)
    change = {"op": "replace", "path": "/spec/last", "value": "King"}
    await api.hook("marry", patch(change), rules=[RULE], mutating=True)
    await api.hook("see", allow, rules=[RULE], mutating=True)
    made = await create(api, kind, full="Ada Lovelace")
    assert (made["apiVersion"], made["spec"]) == ("example.com/v1", {"full": "Ada King"})
    asked = [request for url, request in api.board.calls if url != CONVERT]
    assert [request["object"]["spec"]["last"] for request in asked] == ["Lovelace", "King"]


async def test_policies_see_and_change_the_version_that_their_rules_name(api: HookedApi) -> None:
    kind = await by_webhook(api)
    constraints = {"resourceRules": [RULE]}
    mutation = {
        "patchType": "ApplyConfiguration",
        "applyConfiguration": {"expression": 'Object{spec: Object.spec{last: "of " + object.spec.last}}'},
    }
    spec: Any = {"matchConstraints": constraints, "mutations": [mutation], "reinvocationPolicy": "Never"}
    await api.create("mutatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": spec})
    await api.create("mutatingadmissionpolicybindings", {"metadata": {"name": "p"}, "spec": {"policyName": "p"}})
    spec = {"matchConstraints": constraints, "validations": [{"expression": "object.spec.first == 'Ada'"}]}
    await api.create("validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": spec})
    binding = {"policyName": "p", "validationActions": ["Deny"]}
    await api.create("validatingadmissionpolicybindings", {"metadata": {"name": "p"}, "spec": binding})
    assert (await create(api, kind, full="Ada Lovelace"))["spec"] == {"full": "Ada of Lovelace"}
    with pytest.raises(ApiError, match="denied request: failed expression"):
        await create(api, kind, full="Bob Lovelace")


def limits(**reference: Any) -> tuple[Any, Any]:
    """A policy about ConfigMaps whose params are widgets of v2, and its binding."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "paramKind": {"apiVersion": "example.com/v2", "kind": "Widget"},
    }
    binding = {"policyName": "p", "paramRef": {"parameterNotFoundAction": "Deny", **reference}}
    return spec, binding


@pytest.mark.parametrize("reference", [{"name": "w"}, {"selector": {}}])
async def test_params_are_seen_in_the_version_that_a_policy_names(api: HookedApi, reference: Any) -> None:
    kind = await by_webhook(api)
    await create(api, kind, full="Ada Lovelace")
    spec, binding = limits(**reference)
    spec["validations"] = [{"expression": "object.metadata.name != params.spec.first.lowerAscii()"}]
    await api.create("validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": spec})
    await api.create(
        "validatingadmissionpolicybindings",
        {"metadata": {"name": "p"}, "spec": {**binding, "validationActions": ["Deny"]}},
    )
    await api.create("configmaps", {"metadata": {"name": "bob"}})
    with pytest.raises(ApiError, match="denied request: failed expression"):
        await api.create("configmaps", {"metadata": {"name": "ada"}})


async def test_mutations_see_params_in_the_version_that_their_policy_names(api: HookedApi) -> None:
    kind = await by_webhook(api)
    await create(api, kind, full="Ada Lovelace")
    spec, binding = limits(name="w")
    expression = 'Object{data: {"by": params.spec.last}}'
    spec["mutations"] = [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}]
    spec["reinvocationPolicy"] = "Never"
    await api.create("mutatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": spec})
    await api.create("mutatingadmissionpolicybindings", {"metadata": {"name": "p"}, "spec": binding})
    made = await api.create("configmaps", {"metadata": {"name": "c"}})
    assert made["data"] == {"by": "Lovelace"}


@pytest.mark.parametrize("failure_policy", ["Fail", "Ignore"])
async def test_params_that_cannot_be_converted_fail_as_the_policy_says(api: HookedApi, failure_policy: str) -> None:
    kind = await by_webhook(api)
    await create(api, kind, full="Ada Lovelace")
    api.board.lines[CONVERT] = "connection refused"
    spec, binding = limits(name="w")
    spec |= {"validations": [{"expression": "params.spec.first == 'Ada'"}], "failurePolicy": failure_policy}
    await api.create("validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": spec})
    await api.create(
        "validatingadmissionpolicybindings",
        {"metadata": {"name": "p"}, "spec": {**binding, "validationActions": ["Deny"]}},
    )
    if failure_policy == "Ignore":
        await api.create("configmaps", {"metadata": {"name": "c"}})
        return
    with pytest.raises(ApiError, match="failed to configure policy: conversion webhook"):
        await api.create("configmaps", {"metadata": {"name": "c"}})


async def test_versions_without_a_webhook_are_converted_at_once(api: HookedApi) -> None:
    kind = await define(api, version("v1"), version("v2"))
    await api.hook("see", allow, rules=[RULE])
    await create(api, kind, size=2)
    [(_, asked)] = api.board.calls
    assert (asked["object"]["apiVersion"], asked["object"]["spec"]["size"]) == ("example.com/v2", 2)
