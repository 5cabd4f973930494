"""Who owns what of custom resources: the field sets follow the schema of their definition."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kcore.api.autoscaling_v1 import Scale, ScaleSpec
from kcore.api.errors import BadRequest, Conflict, Invalid, NotFound
from kcore.api.kind import Kind
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import CustomResource
from kcore.registry.request import PatchType
from tests.registry.conftest import Api, tree
from tests.registry.widgets import asking, define, turn, version, widget

STRING = {"type": "string"}
PARTS = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name", "side"],
    "items": {
        "type": "object",
        "required": ["name"],
        "properties": {"name": STRING, "side": {"type": "string", "default": "left"}, "size": {"type": "integer"}},
    },
}
SPEC: dict[str, Any] = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "default": 3},
        "color": STRING,
        "replicas": {"type": "integer"},
        "parts": PARTS,
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": STRING},
        "steps": {"type": "array", "items": STRING},
        "labels": {"type": "object", "additionalProperties": STRING},
        "point": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"x": STRING, "y": STRING}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


@pytest.fixture
async def kind(api: Api) -> Kind:
    return await define(api, version(spec=SPEC))


async def apply(api: Api, kind: Kind, manager: str, spec: Any, **more: Any) -> Any:
    body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": "w"}, "spec": spec}
    return await send(api, kind, manager, body, **more)


async def send(api: Api, kind: Kind, manager: str, body: Any, **more: Any) -> Any:
    request = asking("patch", kind, field_manager=manager, **more)
    return tree(await api.registry.patch(request, PatchType.APPLY, msgspec.json.encode(body)))


def owners(answer: Any) -> dict[tuple[str, str, str], Any]:
    entries = answer["metadata"].get("managedFields", [])
    return {(e["manager"], e["operation"], e.get("subresource", "")): e["fieldsV1"] for e in entries}


async def test_author_owns_what_was_sent_and_what_defaults_filled_in(api: Api, kind: Kind) -> None:
    made = tree(await api.registry.create(asking("create", kind, field_manager="maker"), widget(color="red")))
    assert owners(made) == {("maker", "Update", ""): {"f:spec": {".": {}, "f:color": {}, "f:size": {}}}}


async def test_update_takes_what_it_changes(api: Api, kind: Kind) -> None:
    await api.registry.create(asking("create", kind, field_manager="maker"), widget(color="red"))
    patch = msgspec.json.encode({"spec": {"color": "blue"}})
    answer = tree(
        await api.registry.patch(asking("patch", kind, field_manager="painter"), PatchType.MERGE, patch),
    )
    assert owners(answer)["painter", "Update", ""] == {"f:spec": {"f:color": {}}}
    assert owners(answer)["maker", "Update", ""] == {"f:spec": {".": {}, "f:size": {}}}


async def test_apply_creates_what_is_absent_and_owns_no_defaults(api: Api, kind: Kind) -> None:
    request = asking("patch", kind, field_manager="alpha")
    body = b"apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: w\nspec:\n  color: red\n"
    answer = tree(await api.registry.patch(request, PatchType.APPLY, body))
    assert (request.code, answer["spec"]) == (201, {"color": "red", "size": 3})
    assert owners(answer) == {("alpha", "Apply", ""): {"f:spec": {"f:color": {}}}}


async def test_other_managers_fields_are_a_conflict_until_forced(api: Api, kind: Kind) -> None:
    await apply(api, kind, "alpha", {"color": "red"})
    with pytest.raises(Conflict) as refused:
        await apply(api, kind, "beta", {"color": "blue"})
    assert refused.value.message == 'Apply failed with 1 conflict: conflict with "alpha": .spec.color'
    answer = await apply(api, kind, "beta", {"color": "blue"}, force=True)
    assert owners(answer) == {("beta", "Apply", ""): {"f:spec": {"f:color": {}}}}


@pytest.mark.parametrize(
    ("ours", "theirs", "merged", "owned"),
    [
        pytest.param(
            {"parts": [{"name": "a", "size": 1}]},
            {"parts": [{"name": "b"}]},
            {"parts": [{"name": "a", "size": 1, "side": "left"}, {"name": "b", "side": "left"}]},
            {"f:parts": {'k:{"name":"b","side":"left"}': {".": {}, "f:name": {}}}},
            id="a map list merges by its keys, left out ones by their default",
        ),
        pytest.param(
            {"tags": ["x"]},
            {"tags": ["y", "x"]},
            {"tags": ["y", "x"]},
            {"f:tags": {'v:"x"': {}, 'v:"y"': {}}},
            id="a set",
        ),
        pytest.param({"labels": {"a": "1"}}, {"labels": {"b": "2"}}, None, {"f:labels": {"f:b": {}}}, id="a map"),
        pytest.param(
            {"free": {"a": {"b": 1}}},
            {"free": {"a": {"c": [1]}}},
            None,
            {"f:free": {"f:a": {".": {}, "f:c": {}}}},
            id="anything",
        ),
    ],
)
async def test_lists_and_maps_are_owned_in_parts(
    api: Api, kind: Kind, ours: Any, theirs: Any, merged: Any, owned: Any
) -> None:
    await apply(api, kind, "alpha", ours)
    answer = await apply(api, kind, "beta", theirs)
    assert owners(answer)["beta", "Apply", ""] == {"f:spec": owned}
    assert merged is None or answer["spec"] == {**merged, "size": 3}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param({"steps": ["a"]}, {"steps": ["a", "b"]}, id="a list without a type"),
        pytest.param({"point": {"x": "1"}}, {"point": {"y": "2"}}, id="an atomic map"),
    ],
)
async def test_atomic_parts_are_owned_whole(api: Api, kind: Kind, ours: Any, theirs: Any) -> None:
    await apply(api, kind, "alpha", ours)
    with pytest.raises(Conflict):
        await apply(api, kind, "beta", theirs)
    assert (await apply(api, kind, "beta", theirs, force=True))["spec"] == {**theirs, "size": 3}


async def test_what_the_schema_does_not_know_cannot_be_applied(api: Api, kind: Kind) -> None:
    with pytest.raises(BadRequest) as refused:
        await apply(api, kind, "alpha", {"bogus": 1})
    assert refused.value.message == (
        "failed to create typed patch object (/w; example.com/v1, Kind=Widget): "
        ".spec.bogus: field not declared in schema"
    )


async def test_status_is_owned_apart(api: Api, kind: Kind) -> None:
    await apply(api, kind, "alpha", {"color": "red"})
    body = {"apiVersion": kind.api_version, "kind": "Widget", "metadata": {"name": "w"}, "status": {"replicas": 2}}
    answer = await send(api, kind, "beta", body, subresource="status")
    assert (answer["status"], answer["spec"]["color"]) == ({"replicas": 2}, "red")
    assert owners(answer)["beta", "Apply", "status"] == {"f:status": {"f:replicas": {}}}


async def test_status_of_what_is_absent_is_not_applied(api: Api, kind: Kind) -> None:
    body = {"apiVersion": kind.api_version, "kind": "Widget", "metadata": {"name": "w"}, "status": {"replicas": 2}}
    with pytest.raises(NotFound):
        await send(api, kind, "beta", body, subresource="status")


async def test_scaling_takes_the_replicas_that_the_definition_names(api: Api, kind: Kind) -> None:
    await apply(api, kind, "alpha", {"color": "red", "replicas": 1})
    scale = Scale(metadata=ObjectMeta(name="w", namespace="ns"), spec=ScaleSpec(replicas=7))
    await api.registry.update(asking("update", kind, subresource="scale", field_manager="scaler"), scale)
    found = owners(tree(api.registry.get(asking("get", kind))))
    assert found == {
        ("alpha", "Apply", ""): {"f:spec": {"f:color": {}}},
        ("scaler", "Update", "scale"): {"f:spec": {"f:replicas": {}}},
    }


async def test_a_changed_schema_changes_what_is_owned_next(api: Api, kind: Kind) -> None:
    tags = {**SPEC["properties"], "steps": {**SPEC["properties"]["steps"], "x-kubernetes-list-type": "set"}}
    patch = {"spec": {"versions": [version(spec={**SPEC, "properties": tags})]}}
    await api.patch("customresourcedefinitions", "widgets.example.com", patch)
    await turn()
    answer = await apply(api, kind, "alpha", {"steps": ["a"]})
    assert owners(answer) == {("alpha", "Apply", ""): {"f:spec": {"f:steps": {'v:"a"': {}}}}}


@pytest.mark.parametrize(
    "spec",
    [
        {"parts": "text"},
        {"parts": [1]},
        {"parts": {"a": 1}},
        {"labels": ["a"]},
        {"labels": 1},
        {"tags": [{}]},
        {"point": 1},
        {"free": 1},
        "text",
        [],
    ],
)
async def test_what_does_not_fit_is_invalid_whoever_owns_it(api: Api, kind: Kind, spec: Any) -> None:
    wrong = CustomResource(metadata=ObjectMeta(name="x"), content={"spec": spec})
    with pytest.raises(Invalid):
        await api.registry.create(asking("create", kind, "x"), wrong)
    await api.registry.create(asking("create", kind), widget(color="red"))
    with pytest.raises(Invalid):
        await api.registry.patch(asking("patch", kind), PatchType.MERGE, msgspec.json.encode({"spec": spec}))
    with pytest.raises(BadRequest):
        await apply(api, kind, "alpha", spec)


async def test_nothing_is_applied_to_what_no_longer_fits(api: Api, kind: Kind) -> None:
    await api.registry.create(asking("create", kind, field_manager="maker"), widget(labels={"a": "1"}))
    listed = {**SPEC["properties"], "labels": SPEC["properties"]["tags"]}
    patch = {"spec": {"versions": [version(spec={**SPEC, "properties": listed})]}}
    await api.patch("customresourcedefinitions", "widgets.example.com", patch)
    await turn()
    with pytest.raises(BadRequest, match="failed to create typed live object"):
        await apply(api, kind, "alpha", {"labels": ["a"]})
