from __future__ import annotations

from typing import Any

import pytest

from kcore.api.errors import Conflict, Invalid, NotFound
from kcore.api.meta_v1 import DeleteOptions, Preconditions
from kcore.registry.request import ListOptions
from tests.registry.conftest import Api, seen


def config_map(name: str = "cm", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}}


async def test_delete_answers_a_status(api: Api) -> None:
    made = await api.create("configmaps", config_map())
    assert await api.delete("configmaps", "cm") == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "cm", "kind": "configmaps", "uid": made["metadata"]["uid"]},
    }
    with pytest.raises(NotFound):
        await api.delete("configmaps", "cm")


async def test_finalizer_holds_what_is_deleted(api: Api) -> None:
    await api.create("configmaps", config_map(finalizers=["a.example/f"]))
    answer = await api.delete("configmaps", "cm")
    assert answer["metadata"]["deletionTimestamp"] == "2023-11-14T22:13:20Z"
    assert answer["metadata"]["deletionGracePeriodSeconds"] == 0
    api.clock.time += 5
    assert await api.delete("configmaps", "cm") == answer


@pytest.mark.parametrize(
    ("options", "finalizers"),
    [
        ({"propagation_policy": "Orphan"}, ["hold.example/x", "orphan"]),
        ({"propagation_policy": "Foreground"}, ["hold.example/x", "foregroundDeletion"]),
        ({"propagation_policy": "Background"}, ["hold.example/x"]),
        ({"orphan_dependents": True}, ["hold.example/x", "orphan"]),
        ({"orphan_dependents": False}, ["hold.example/x"]),
        ({}, ["hold.example/x"]),
    ],
)
async def test_propagation_is_left_to_the_garbage_collector(
    api: Api, options: dict[str, Any], finalizers: list[str]
) -> None:
    await api.create("configmaps", config_map(finalizers=["hold.example/x"]))
    answer = await api.delete("configmaps", "cm", **options)
    assert answer["metadata"]["finalizers"] == finalizers


async def test_orphaning_holds_even_what_has_no_finalizers(api: Api) -> None:
    await api.create("configmaps", config_map())
    await api.delete("configmaps", "cm", propagation_policy="Orphan")
    assert api.get("configmaps", "cm")["metadata"]["finalizers"] == ["orphan"]


async def test_a_later_policy_replaces_the_earlier_one(api: Api) -> None:
    await api.create("configmaps", config_map())
    await api.delete("configmaps", "cm", propagation_policy="Orphan")
    await api.delete("configmaps", "cm", propagation_policy="Foreground")
    assert api.get("configmaps", "cm")["metadata"]["finalizers"] == ["foregroundDeletion"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"propagation_policy": "Sideways"},
            'propagationPolicy: Unsupported value: "Sideways": '
            'supported values: "Foreground", "Background", "Orphan", "nil"',
        ),
        (
            {"propagation_policy": "Orphan", "orphan_dependents": True},
            'propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set',
        ),
        ({"dry_run": ("Some",)}, 'dryRun: Unsupported value: ["Some"]: supported values: "All"'),
    ],
)
async def test_bad_options_are_refused(api: Api, options: dict[str, Any], message: str) -> None:
    await api.create("configmaps", config_map())
    with pytest.raises(Invalid) as refusal:
        await api.delete("configmaps", "cm", **options)
    assert refusal.value.message == f'DeleteOptions.meta.k8s.io "" is invalid: {message}'
    assert api.exists("configmaps", "cm")


async def test_preconditions(api: Api) -> None:
    made = await api.create("configmaps", config_map())
    uid, version = made["metadata"]["uid"], made["metadata"]["resourceVersion"]
    with pytest.raises(Conflict) as refusal:
        await api.delete("configmaps", "cm", preconditions=Preconditions(uid="other"))
    assert refusal.value.message == (
        f'Operation cannot be fulfilled on ConfigMap "cm": the UID in the precondition (other) does not match the UID '
        f"in record ({uid}). The object might have been deleted and then recreated"
    )
    with pytest.raises(Conflict, match=r"the ResourceVersion in the precondition \(1\) does not match"):
        await api.delete("configmaps", "cm", preconditions=Preconditions(resource_version="1"))
    await api.delete("configmaps", "cm", preconditions=Preconditions(uid=uid, resource_version=version))
    assert not api.exists("configmaps", "cm")


async def test_dry_deletion_leaves_everything(api: Api) -> None:
    await api.create("configmaps", config_map())
    answer = await api.delete("configmaps", "cm", dry_run=("All",))
    assert answer["status"] == "Success"
    assert api.exists("configmaps", "cm")


async def test_collection_is_answered_as_it_was(api: Api) -> None:
    for name, odd in (("c0", "0"), ("c1", "1"), ("c2", "0"), ("c3", "1")):
        finalizers = ["a.example/f"] if name == "c3" else []
        await api.create("configmaps", config_map(name, labels={"odd": odd}, finalizers=finalizers))
    page = await api.registry.delete_collection(
        api.request("deletecollection", "configmaps"), DeleteOptions(), ListOptions(label_selector="odd=1")
    )
    assert [r.obj.metadata.name for r in page.records] == ["c1", "c3"]
    assert all(r.obj.metadata.deletion_timestamp is None for r in page.records)
    assert api.names("configmaps") == ["c0", "c2", "c3"]


async def test_watchers_see_the_final_state(api: Api) -> None:
    await api.create("configmaps", config_map(finalizers=["a.example/f"]))
    watch = api.watch("configmaps", resource_version=str(api.store.revision))
    await api.delete("configmaps", "cm")
    await api.update("configmaps", config_map())
    assert seen(watch) == [("MODIFIED", "cm"), ("DELETED", "cm")]
