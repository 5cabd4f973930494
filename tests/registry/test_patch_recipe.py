from __future__ import annotations

from typing import Any

import pytest

from kcore.api.errors import BadRequest, Conflict, Invalid, NotFound
from kcore.registry.request import PatchType
from tests.registry.conftest import Api


async def make(api: Api, **metadata: Any) -> Any:
    return await api.create("configmaps", {"metadata": {"name": "cm", **metadata}, "data": {"a": "1", "b": "2"}})


@pytest.mark.parametrize(
    ("type_", "patch"),
    [
        (PatchType.MERGE, {"data": {"a": "9", "b": None}}),
        (PatchType.STRATEGIC, {"data": {"a": "9", "b": None}}),
        (PatchType.JSON, [{"op": "replace", "path": "/data/a", "value": "9"}, {"op": "remove", "path": "/data/b"}]),
    ],
)
async def test_patch_of_each_type(api: Api, type_: PatchType, patch: Any) -> None:
    made = await make(api)
    answer = await api.patch("configmaps", "cm", patch, type_)
    assert answer["data"] == {"a": "9"}
    assert answer["metadata"]["uid"] == made["metadata"]["uid"]
    assert api.get("configmaps", "cm") == answer


async def test_patch_with_a_stale_version_conflicts(api: Api) -> None:
    made = await make(api)
    await api.patch("configmaps", "cm", {"data": {"a": "2"}})
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"a": "3"}}
    with pytest.raises(Conflict):
        await api.patch("configmaps", "cm", stale)


async def test_patch_that_changes_nothing_keeps_the_version(api: Api) -> None:
    made = await make(api)
    assert await api.patch("configmaps", "cm", {"data": {"a": "1"}}) == made


async def test_patch_can_not_rename(api: Api) -> None:
    await make(api)
    with pytest.raises(BadRequest, match=r"the name of the object \(x\) does not match the name on the URL \(cm\)"):
        await api.patch("configmaps", "cm", {"metadata": {"name": "x"}})


async def test_patch_can_not_change_the_uid(api: Api) -> None:
    await make(api)
    with pytest.raises(Invalid, match=r'metadata\.uid: Invalid value: "other": field is immutable'):
        await api.patch("configmaps", "cm", {"metadata": {"uid": "other"}})


async def test_system_metadata_is_not_the_clients(api: Api) -> None:
    made = await make(api)
    meant = {"creationTimestamp": "2001-01-01T00:00:00Z", "generation": 9, "selfLink": "x"}
    assert await api.patch("configmaps", "cm", {"metadata": meant}) == made


async def test_patch_creates_nothing(api: Api) -> None:
    for resource in ("configmaps", "leases.coordination.k8s.io"):
        with pytest.raises(NotFound):
            await api.patch(resource, "none", {"metadata": {"labels": {"a": "b"}}})


async def test_dry_patch_changes_nothing(api: Api) -> None:
    made = await make(api)
    answer = await api.patch("configmaps", "cm", {"data": {"a": "9"}}, dry_run=True)
    assert answer["data"]["a"] == "9"
    assert api.get("configmaps", "cm") == made


async def test_last_finalizer_goes_by_patch(api: Api) -> None:
    await make(api, finalizers=["a.example/f"])
    await api.delete("configmaps", "cm")
    await api.patch("configmaps", "cm", {"metadata": {"finalizers": None}})
    assert not api.exists("configmaps", "cm")


async def test_scale_is_patched_as_a_scale(api: Api) -> None:
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    }
    await api.create("replicasets.apps", {"metadata": {"name": "rs"}, "spec": spec})
    for type_ in (PatchType.MERGE, PatchType.STRATEGIC):
        answer = await api.patch("replicasets.apps", "rs", {"spec": {"replicas": 4}}, type_, subresource="scale")
        assert answer["kind"] == "Scale"
    assert api.get("replicasets.apps", "rs")["spec"]["replicas"] == 4


async def test_unknown_fields_are_warned_of(api: Api) -> None:
    await make(api)
    request = api.request("patch", "configmaps", "cm")
    await api.registry.patch(request, PatchType.MERGE, b'{"bogus": 1}')
    assert request.warnings == ['unknown field "bogus"']
