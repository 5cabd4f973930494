from __future__ import annotations

from typing import Any

import pytest

from kcore.api.errors import ApiError, BadRequest, Conflict, Invalid, NotFound
from tests.registry.conftest import Api


def config_map(value: str = "1", name: str = "cm", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}, "data": {"a": value}}


async def test_update_with_the_current_version(api: Api) -> None:
    made = await api.create("configmaps", config_map())
    changed = await api.update("configmaps", config_map("2", resourceVersion=made["metadata"]["resourceVersion"]))
    assert changed["data"] == {"a": "2"}
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert changed["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]


@pytest.mark.parametrize("version", ["", "0"])
async def test_update_without_a_version_overwrites(api: Api, version: str) -> None:
    await api.create("configmaps", config_map())
    await api.update("configmaps", config_map("2", resourceVersion=version))
    assert api.get("configmaps", "cm")["data"] == {"a": "2"}


async def test_update_with_a_stale_version_conflicts(api: Api) -> None:
    made = await api.create("configmaps", config_map())
    await api.update("configmaps", config_map("2"))
    with pytest.raises(Conflict, match="the object has been modified; please apply your changes to the latest"):
        await api.update("configmaps", config_map("3", resourceVersion=made["metadata"]["resourceVersion"]))
    assert api.get("configmaps", "cm")["data"] == {"a": "2"}


async def test_update_that_changes_nothing_keeps_the_version(api: Api) -> None:
    made = await api.create("configmaps", config_map())
    revision = api.store.revision
    assert await api.update("configmaps", config_map()) == made
    assert api.store.revision == revision


async def test_update_of_another_incarnation_conflicts(api: Api) -> None:
    made = await api.create("configmaps", config_map())
    with pytest.raises(Conflict) as refusal:
        await api.update("configmaps", config_map("2", uid="other"))
    assert refusal.value.message == (
        'Operation cannot be fulfilled on configmaps "cm": StorageError: invalid object, Code: 4, '
        "Key: /registry/configmaps/ns/cm, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: "
        f"UID in precondition: other, UID in object meta: {made['metadata']['uid']}"
    )


@pytest.mark.parametrize(
    ("name", "metadata", "message"),
    [
        ("cm", {"name": "other"}, "the name of the object (other) does not match the name on the URL (cm)"),
        ("cm", {}, "the name of the object (cm based on URL) was undeterminable: name must be provided"),
        (
            "cm",
            {"name": "cm", "namespace": "elsewhere"},
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        ("cm", {"name": "cm", "resourceVersion": "abc"}, 'strconv.ParseUint: parsing "abc": invalid syntax'),
    ],
)
async def test_body_must_fit_its_address(api: Api, name: str, metadata: dict[str, Any], message: str) -> None:
    await api.create("configmaps", config_map())
    with pytest.raises(BadRequest) as refusal:
        await api.update("configmaps", {"metadata": metadata}, api.request("update", "configmaps", name))
    assert refusal.value.message == message


@pytest.mark.parametrize(
    ("resource", "made"),
    [("configmaps", False), ("secrets", False), ("leases.coordination.k8s.io", True)],
)
async def test_update_of_what_is_absent_creates_it_for_some_kinds(api: Api, resource: str, made: bool) -> None:
    request = api.request("update", resource, "x")
    if made:
        await api.update(resource, {"metadata": {"name": "x", "resourceVersion": "77"}}, request)
        assert request.code == 201
    else:
        with pytest.raises(NotFound):
            await api.update(resource, {"metadata": {"name": "x"}}, request)
    assert api.exists(resource, "x") is made


async def test_dry_update_answers_but_stores_nothing(api: Api) -> None:
    made = await api.create("configmaps", config_map())
    answer = await api.update("configmaps", config_map("2"), api.request("update", "configmaps", "cm", dry_run=True))
    assert answer["data"] == {"a": "2"}
    assert answer["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert api.get("configmaps", "cm") == made


async def test_last_finalizer_completes_a_deletion(api: Api) -> None:
    await api.create("configmaps", config_map(finalizers=["a.example/f"]))
    await api.delete("configmaps", "cm")
    answer = await api.update("configmaps", config_map("2"))
    assert answer["data"] == {"a": "2"}
    assert not api.exists("configmaps", "cm")


async def test_no_finalizer_is_added_to_what_is_going(api: Api) -> None:
    await api.create("configmaps", config_map(finalizers=["a.example/f"]))
    await api.delete("configmaps", "cm")
    with pytest.raises(Invalid) as refusal:
        await api.update("configmaps", config_map(finalizers=["a.example/f", "b.example/g"]))
    assert refusal.value.message == (
        'ConfigMap "cm" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is '
        'being deleted, found new finalizers []string{"b.example/g"}'
    )
    assert refusal.value.details is not None
    assert len(refusal.value.details.causes) == 2  # upstream checks metadata twice


async def test_deletion_can_not_be_taken_back(api: Api) -> None:
    await api.create("configmaps", config_map(finalizers=["a.example/f"]))
    gone = await api.delete("configmaps", "cm")
    answer = await api.update("configmaps", config_map("2", finalizers=["a.example/f"]))
    assert answer["metadata"]["deletionTimestamp"] == gone["metadata"]["deletionTimestamp"]


async def test_clients_can_not_mark_for_deletion_by_update(api: Api) -> None:
    await api.create("configmaps", config_map())
    with pytest.raises(Invalid, match=r"metadata\.deletionTimestamp: .*field is immutable"):
        await api.update("configmaps", config_map(deletionTimestamp="2001-01-01T00:00:00Z"))


async def test_refused_update_leaves_no_trace(api: Api) -> None:
    made = await api.create("configmaps", config_map())
    revision = api.store.revision
    with pytest.raises(ApiError):
        await api.update("configmaps", config_map("2", labels={"bad key": "x"}))
    assert api.get("configmaps", "cm") == made
    assert api.store.revision == revision
