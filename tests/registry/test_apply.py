"""Server-side apply, and who owns what after each kind of write."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.api.core_v1 import ConfigMap
from kcore.api.errors import BadRequest, Conflict, Invalid, NotFound
from kcore.registry.managed_fields.entries import APPLY, UPDATE, Manager, Owned, Ownership
from kcore.registry.managed_fields.field_sets import encode
from kcore.registry.managed_fields.schemas import schema_of
from kcore.registry.managed_fields.scopes import SCALE_KIND, scope_of
from kcore.registry.managed_fields.updater import Scope, applied
from kcore.registry.request import PatchType
from tests.registry.conftest import Api


async def apply(api: Api, manager: str, resource: str, document: dict[str, Any], **more: Any) -> Any:
    kind = api.kind(resource)
    body = {"apiVersion": kind.api_version, "kind": kind.name, **document}
    name = document["metadata"]["name"]
    return await api.patch(resource, name, body, PatchType.APPLY, field_manager=manager, **more)


def config(data: dict[str, str], **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "c", **metadata}, "data": data}


def owners(answer: Any) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in answer["metadata"].get("managedFields", [])}


async def test_apply_creates_and_owns_what_it_says(api: Api) -> None:
    made = await apply(api, "alpha", "configmaps", config({"a": "1"}))
    assert made["data"] == {"a": "1"}
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "alpha",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": "2023-11-14T22:13:20Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:a": {}}},
        }
    ]


async def test_same_apply_again_changes_nothing(api: Api) -> None:
    made = await apply(api, "alpha", "configmaps", config({"a": "1"}))
    api.clock.time += 60
    assert await apply(api, "alpha", "configmaps", config({"a": "1"})) == made


async def test_what_is_no_longer_applied_goes(api: Api) -> None:
    await apply(api, "alpha", "configmaps", config({"a": "1", "b": "2"}))
    answer = await apply(api, "alpha", "configmaps", config({"a": "1"}))
    assert answer["data"] == {"a": "1"}


async def test_what_another_still_owns_stays(api: Api) -> None:
    await apply(api, "alpha", "configmaps", config({"a": "1", "b": "2"}))
    await apply(api, "beta", "configmaps", config({"b": "2"}))
    answer = await apply(api, "alpha", "configmaps", config({"a": "1"}))
    assert answer["data"] == {"a": "1", "b": "2"}
    assert owners(answer) == {"alpha": {"f:data": {"f:a": {}}}, "beta": {"f:data": {"f:b": {}}}}


async def test_fields_of_others_are_a_conflict_with_a_cause_each(api: Api) -> None:
    await apply(api, "alpha", "configmaps", config({"a": "1", "b": "2"}))
    await api.patch("configmaps", "c", {"data": {"b": "3"}}, field_manager="editor")
    with pytest.raises(Conflict) as caught:
        await apply(api, "beta", "configmaps", config({"a": "x", "b": "x"}))
    assert caught.value.message == (
        'Apply failed with 2 conflicts: conflicts with "alpha":\n- .data.a\n'
        'conflicts with "editor" using v1:\n- .data.b'
    )
    assert caught.value.details is not None
    assert [(c.reason, c.message, c.field) for c in caught.value.details.causes] == [
        ("FieldManagerConflict", 'conflict with "alpha"', ".data.a"),
        ("FieldManagerConflict", 'conflict with "editor" using v1', ".data.b"),
    ]


async def test_force_takes_the_fields_over(api: Api) -> None:
    await apply(api, "alpha", "configmaps", config({"a": "1"}))
    answer = await apply(api, "beta", "configmaps", config({"a": "2"}), force=True)
    assert answer["data"] == {"a": "2"}
    assert list(owners(answer)) == ["beta"]


async def test_agreement_shares_a_field(api: Api) -> None:
    await apply(api, "alpha", "configmaps", config({"a": "1"}))
    answer = await apply(api, "beta", "configmaps", config({"a": "1"}))
    assert owners(answer) == {"alpha": {"f:data": {"f:a": {}}}, "beta": {"f:data": {"f:a": {}}}}


async def test_update_takes_what_it_changes(api: Api) -> None:
    await apply(api, "alpha", "configmaps", config({"a": "1", "b": "1"}))
    answer = await api.patch("configmaps", "c", {"data": {"a": "2"}}, field_manager="editor")
    assert owners(answer) == {"alpha": {"f:data": {"f:b": {}}}, "editor": {"f:data": {"f:a": {}}}}


async def test_put_without_managed_fields_keeps_them(api: Api) -> None:
    await apply(api, "alpha", "configmaps", config({"a": "1"}))
    request = api.request("update", "configmaps", "c", field_manager="putter")
    answer = await api.update("configmaps", config({"a": "1", "b": "2"}), request)
    assert owners(answer) == {"alpha": {"f:data": {"f:a": {}}}, "putter": {"f:data": {"f:b": {}}}}


async def test_one_empty_entry_resets_and_the_next_apply_meets_the_unknown_author(api: Api) -> None:
    await apply(api, "alpha", "configmaps", config({"a": "1"}))
    answer = await api.patch("configmaps", "c", {"metadata": {"managedFields": [{}]}})
    assert owners(answer) == {}
    with pytest.raises(Conflict, match=r'conflict with "before-first-apply" using v1: \.data\.a'):
        await apply(api, "alpha", "configmaps", config({"a": "2"}))


@pytest.mark.parametrize("managed", [[], None, [{"manager": "x", "operation": "Delete"}]])
async def test_other_ways_to_clear_managed_fields_do_nothing(api: Api, managed: Any) -> None:
    made = await apply(api, "alpha", "configmaps", config({"a": "1"}))
    answer = await api.patch("configmaps", "c", {"metadata": {"managedFields": managed}})
    assert owners(answer) == owners(made)


async def test_clients_may_write_entries_themselves(api: Api) -> None:
    made = await apply(api, "alpha", "configmaps", config({"a": "1"}))
    entry = {**made["metadata"]["managedFields"][0], "manager": "heir"}
    answer = await api.patch("configmaps", "c", {"metadata": {"managedFields": [entry]}})
    assert list(owners(answer)) == ["heir"]


async def test_updaters_beyond_ten_become_one(api: Api) -> None:
    await api.create("configmaps", config({"a": "1"}), api.request("create", "configmaps", field_manager="maker"))
    for n in range(12):
        api.clock.time += 1
        answer = await api.patch("configmaps", "c", {"data": {f"k{n}": "v"}}, field_manager=f"m{n:02}")
    entries = answer["metadata"]["managedFields"]
    assert len(entries) == 10
    assert entries[0]["manager"] == "ancient-changes"


async def test_status_and_main_own_apart(api: Api) -> None:
    port = {"port": 80}
    await apply(
        api, "alpha", "services", {"metadata": {"name": "s"}, "spec": {"type": "LoadBalancer", "ports": [port]}}
    )
    ingress = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}
    answer = await apply(
        api,
        "lb",
        "services",
        {"metadata": {"name": "s"}, "spec": {"selector": {"z": "z"}}, "status": ingress},
        subresource="status",
    )
    assert "selector" not in answer["spec"]
    assert owners(answer)["lb"] == {"f:status": {"f:loadBalancer": {"f:ingress": {}}}}
    assert [e.get("subresource") for e in answer["metadata"]["managedFields"]] == [None, "status"]


async def test_absent_object_has_no_status_to_apply(api: Api) -> None:
    with pytest.raises(NotFound):
        await apply(api, "alpha", "pods", {"metadata": {"name": "p"}, "status": {}}, subresource="status")


DEPLOYMENT: dict[str, Any] = {
    "metadata": {"name": "d"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "x", "image": "i"}]}},
    },
}


def replica_owners(answer: Any) -> list[tuple[str, str]]:
    entries = answer["metadata"]["managedFields"]
    return [
        (e["manager"], e.get("subresource", "")) for e in entries if "f:replicas" in e["fieldsV1"].get("f:spec", {})
    ]


async def test_scale_takes_the_replicas_of_the_parent(api: Api) -> None:
    await apply(api, "alpha", "deployments", DEPLOYMENT)
    await api.patch("deployments", "d", {"spec": {"replicas": 3}}, field_manager="scaler", subresource="scale")
    answer = api.get("deployments", "d")
    assert replica_owners(answer) == [("scaler", "scale")]
    assert answer["metadata"]["managedFields"][1]["apiVersion"] == "apps/v1"


async def test_scale_is_applied_against_the_owner_of_the_replicas(api: Api) -> None:
    await apply(api, "alpha", "deployments", DEPLOYMENT)
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}, "spec": {"replicas": 5}}

    async def attempt(force: bool) -> Any:
        more = {"field_manager": "hpa", "subresource": "scale", "force": force}
        return await api.patch("deployments", "d", scale, PatchType.APPLY, **more)

    with pytest.raises(Conflict, match=r'conflict with "alpha": \.spec\.replicas'):
        await attempt(False)
    assert (await attempt(True))["spec"] == {"replicas": 5}
    assert replica_owners(api.get("deployments", "d")) == [("hpa", "scale")]


async def test_list_elements_are_owned_by_their_keys(api: Api) -> None:
    await apply(api, "alpha", "deployments", DEPLOYMENT)
    side = {"containers": [{"name": "side", "image": "s"}]}
    answer = await apply(api, "beta", "deployments", {"metadata": {"name": "d"}, "spec": {"template": {"spec": side}}})
    assert [c["name"] for c in answer["spec"]["template"]["spec"]["containers"]] == ["x", "side"]
    without = {"metadata": {"name": "d"}, "spec": {"paused": True}}
    answer = await apply(api, "beta", "deployments", without)
    assert [c["name"] for c in answer["spec"]["template"]["spec"]["containers"]] == ["x"]


async def test_kubectl_takes_over_what_it_applied_from_the_client(api: Api) -> None:
    last = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"1"}}'
    key = "kubectl.kubernetes.io/last-applied-configuration"
    request = api.request("create", "configmaps", field_manager="kubectl-client-side-apply")
    await api.create("configmaps", config({"a": "1", "b": "1"}, annotations={key: last}), request)
    with pytest.raises(Conflict):
        await apply(api, "other", "configmaps", config({"a": "2"}))
    answer = await apply(api, "kubectl", "configmaps", config({"a": "2"}))
    assert answer["data"] == {"a": "2", "b": "1"}
    expected = '{"apiVersion":"v1","data":{"a":"2"},"kind":"ConfigMap","metadata":{"name":"c"}}\n'
    assert answer["metadata"]["annotations"][key] == expected
    with pytest.raises(Conflict, match=r"\.data\.b"):
        await apply(api, "kubectl", "configmaps", config({"b": "2"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "Secret"}, "invalid object type: /v1, Kind=Secret"),
        ({"apiVersion": ""}, "invalid object type: /, Kind=ConfigMap"),
        ({"metadata": {"name": "d"}}, "the name of the object (d) does not match the name on the URL (c)"),
        ({"metadata": {"name": "c", "managedFields": []}}, "metadata.managedFields must be nil"),
        (
            {"bogus": 1},
            "failed to create typed patch object (/c; /v1, Kind=ConfigMap): .bogus: field not declared in schema",
        ),
        (
            {"data": {"z": 1}},
            "failed to create typed patch object (/c; /v1, Kind=ConfigMap): "
            ".data.z: expected string, got &value.valueUnstructured{Value:1}",
        ),
        (
            {"metadata": {"name": "c", "finalizers": ["a/b", "a/b"]}},
            "failed to create typed patch object (/c; /v1, Kind=ConfigMap): "
            '.metadata.finalizers: duplicate entries for key [="a/b"]',
        ),
    ],
)
async def test_what_cannot_be_applied_is_refused(api: Api, change: dict[str, Any], message: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, **change}
    with pytest.raises(BadRequest) as caught:
        await api.patch("configmaps", "c", body, PatchType.APPLY, field_manager="alpha")
    assert caught.value.message == message


async def test_yaml_is_read_and_its_repeated_keys_are_told(api: Api) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  k: a\n  k: b\n"
    request = api.request("patch", "configmaps", "c", field_manager="alpha")
    await api.registry.patch(request, PatchType.APPLY, body)
    assert request.warnings == ['line 6: key "k" already set in map']
    strict = api.request("patch", "configmaps", "c", field_manager="alpha", field_validation="Strict")
    with pytest.raises(BadRequest, match="error strict decoding YAML"):
        await api.registry.patch(strict, PatchType.APPLY, body)


async def test_dry_run_tells_the_owners_and_stores_nothing(api: Api) -> None:
    made = await apply(api, "alpha", "configmaps", config({"a": "1"}))
    answer = await apply(api, "beta", "configmaps", config({"b": "1"}), dry_run=True)
    assert set(owners(answer)) == {"alpha", "beta"}
    assert api.get("configmaps", "c") == made


async def test_rules_hold_for_what_is_applied(api: Api) -> None:
    await apply(api, "alpha", "deployments", DEPLOYMENT)
    selector = {"selector": {"matchLabels": {"q": "r"}}}
    with pytest.raises(Invalid, match="field is immutable"):
        await apply(api, "beta", "deployments", {"metadata": {"name": "d"}, "spec": selector}, force=True)


async def test_equal_pods_share_the_bytes_of_their_fields(api: Api) -> None:
    spec = {"containers": [{"name": "c", "image": "i"}]}
    for name in ("p", "q"):
        request = api.request("create", "pods", field_manager="kubectl")
        await api.create("pods", {"metadata": {"name": name, "labels": {"a": name}}, "spec": spec}, request)
    p, q = (api.store.get(f"pods/ns/{name}").obj.metadata.managed_fields[0] for name in ("p", "q"))  # type: ignore[union-attr]
    assert p.fields_v1 is q.fields_v1


# --- laws ---

VALUES = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["1", "2"]), max_size=3)
CONFIGS = st.builds(
    lambda data, labels, finalizers: {"metadata": {"labels": labels, "finalizers": finalizers}, "data": data},
    VALUES,
    VALUES,
    st.lists(st.sampled_from(["a/x", "a/y"]), unique=True),
)
SCOPE = Scope(schema_of(ConfigMap), "v1")


def apply_tree(live: Any, ownership: Ownership, name: str, config: Any, time: str) -> tuple[Any, Ownership]:
    return applied(SCOPE, ownership, Manager(name, APPLY), live, config, force=True, time=time)


@given(CONFIGS, CONFIGS, CONFIGS)
def test_apply_twice_is_apply_once(live: Any, first: Any, second: Any) -> None:
    tree, ownership = apply_tree(live, {}, "a", first, "1")
    tree, ownership = apply_tree(tree, ownership, "b", second, "2")
    again, owned_again = apply_tree(tree, ownership, "b", second, "3")
    assert again == tree
    assert owned_again == ownership


@given(CONFIGS, CONFIGS)
def test_what_was_applied_is_there_and_is_owned(live: Any, config: Any) -> None:
    tree, ownership = apply_tree(live, {}, "a", config, "1")
    assert {**(tree["data"] or {}), **config["data"]} == (tree["data"] or {})
    assert set(config["metadata"]["finalizers"]) <= set(tree["metadata"]["finalizers"] or ())
    assert encode(ownership[Manager("a", APPLY)].fields).count(b"f:data") == 1


@given(CONFIGS, CONFIGS)
def test_giving_up_everything_leaves_what_was_there_before(live: Any, config: Any) -> None:
    """As far as nothing was overwritten."""
    before = Owned({"f:data": {f"f:{k}": {} for k in live["data"]}}, "v1", "0")
    theirs = {Manager("maker", UPDATE, "v1"): before} if live["data"] else {}
    data = {k: v for k, v in config["data"].items() if k not in live["data"]}
    tree, ownership = apply_tree({"data": live["data"]}, theirs, "a", {"data": data}, "1")
    tree, ownership = apply_tree(tree, ownership, "a", {}, "2")
    assert ((tree or {}).get("data") or {}) == live["data"]
    assert Manager("a", APPLY) not in ownership


def test_scale_is_written_by_its_own_kind() -> None:
    scope = scope_of(SCALE_KIND, "scale")
    assert scope.api_version == "autoscaling/v1"
    assert scope.of({"f:spec": {"f:replicas": {}}, "f:status": {}}) == {"f:spec": {"f:replicas": {}}}


async def test_who_applies_to_an_object_that_is_gone_does_not_make_another(api: Api) -> None:
    with pytest.raises(Conflict, match="uid mismatch: the provided object specified uid u, and no existing object"):
        await apply(api, "alpha", "configmaps", config({"a": "1"}, uid="u"))
