from __future__ import annotations

from typing import Any

import pytest

from kcore.api.errors import AlreadyExists, ApiError, BadRequest, Forbidden, Invalid, NotFound
from tests.registry.conftest import Api


def config_map(name: str = "cm", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}}


async def test_create_fills_what_the_server_knows(api: Api) -> None:
    made = await api.create("configmaps", config_map(uid="mine", deletionTimestamp="2001-01-01T00:00:00Z"))
    metadata = made["metadata"]
    assert metadata.pop("uid") not in ("", "mine")
    assert [entry["operation"] for entry in metadata.pop("managedFields")] == ["Update"]
    assert metadata == {
        "name": "cm",
        "namespace": "ns",
        "creationTimestamp": "2023-11-14T22:13:20Z",
        "resourceVersion": str(api.store.revision),
    }


async def test_create_generates_a_name(api: Api) -> None:
    made = await api.create("configmaps", {"metadata": {"generateName": "web-"}})
    assert made["metadata"]["name"].startswith("web-")
    assert len(made["metadata"]["name"]) == len("web-") + 5


async def test_long_generate_name_is_cut_to_fit_a_label(api: Api) -> None:
    made = await api.create("configmaps", {"metadata": {"generateName": "g" * 200}})
    assert len(made["metadata"]["name"]) == 63


async def test_create_of_what_exists(api: Api) -> None:
    await api.create("configmaps", config_map())
    with pytest.raises(AlreadyExists, match='configmaps "cm" already exists'):
        await api.create("configmaps", config_map())


async def test_create_is_invisible_when_dry(api: Api) -> None:
    revision = api.store.revision
    request = api.request("create", "configmaps", dry_run=True)
    made = await api.create("configmaps", config_map(), request)
    assert made["metadata"]["uid"]
    assert "resourceVersion" not in made["metadata"]
    assert api.store.revision == revision
    assert not api.exists("configmaps", "cm")


async def test_create_tells_that_something_new_stands(api: Api) -> None:
    request = api.request("create", "configmaps")
    await api.create("configmaps", config_map(), request)
    assert request.code == 201


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        ({}, Invalid, 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'),
        (
            {"name": "x", "namespace": "elsewhere"},
            BadRequest,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            {"name": "x", "resourceVersion": "5"},
            BadRequest,
            "resourceVersion should not be set on objects to be created",
        ),
        (
            {"name": "x", "generation": -1},
            Invalid,
            'ConfigMap "x" is invalid: metadata.generation: Invalid value: -1: must be greater than or equal to 0',
        ),
        (
            {"name": "x", "finalizers": ["noslash"]},
            Invalid,
            'ConfigMap "x" is invalid: metadata.finalizers[0]: Invalid value: "noslash": '
            "name is neither a standard finalizer name nor is it fully qualified",
        ),
        (
            {"name": "x", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""}]},
            Invalid,
            'ConfigMap "x" is invalid: metadata.ownerReferences.uid: Invalid value: "": must not be empty',
        ),
        (
            {"name": "x", "annotations": {"a": "v" * 262144}},
            Invalid,
            'ConfigMap "x" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes',
        ),
    ],
)
async def test_bad_metadata_is_refused(api: Api, metadata: dict[str, Any], error: type[ApiError], message: str) -> None:
    with pytest.raises(error) as refusal:
        await api.create("configmaps", {"metadata": metadata})
    assert refusal.value.message == message
    assert not api.names("configmaps")


async def test_two_controllers_are_refused(api: Api) -> None:
    owners = [{"apiVersion": "v1", "kind": "Pod", "name": name, "uid": name, "controller": True} for name in ("p", "q")]
    with pytest.raises(Invalid, match='Found "true" in references for Pod/p and Pod/q'):
        await api.create("configmaps", config_map(ownerReferences=owners))


async def test_create_in_an_absent_namespace(api: Api) -> None:
    request = api.request("create", "configmaps", namespace="gone")
    with pytest.raises(NotFound) as refusal:
        await api.create("configmaps", config_map(), request)
    assert refusal.value.message == 'namespaces "gone" not found'


async def test_nothing_is_created_in_a_terminating_namespace(api: Api) -> None:
    await api.create("namespaces", {"metadata": {"name": "going", "finalizers": ["a.example/f"]}})
    await api.delete("namespaces", "going")
    with pytest.raises(Forbidden) as refusal:
        await api.create("configmaps", config_map(), api.request("create", "configmaps", namespace="going"))
    assert refusal.value.message == (
        'configmaps "cm" is forbidden: unable to create new content in namespace going because it is being terminated'
    )
    assert refusal.value.details is not None
    assert refusal.value.details.causes[0].reason == "NamespaceTerminating"


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
async def test_immortal_namespaces(api: Api, name: str) -> None:
    await api.create("namespaces", {"metadata": {"name": name}})
    with pytest.raises(Forbidden, match="this namespace may not be deleted"):
        await api.delete("namespaces", name)


def pod(name: str, image: str = "registry.example/app:1.0") -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "app", "image": image}]}}


async def test_known_shapes_excuse_no_other_fault(api: Api) -> None:
    await api.create("pods", pod("p1"))
    with pytest.raises(Invalid, match=r"metadata\.labels"):
        await api.create("pods", pod("p2") | {"metadata": {"name": "p2", "labels": {"a": "b c"}}})
    for _ in range(2):  # what was found bad is found bad again
        with pytest.raises(Invalid, match=r"spec\.containers\[0\]\.image: Required value"):
            await api.create("pods", pod("p3", image=""))


async def test_advice_is_given_each_time(api: Api) -> None:
    for name in ("a.b", "c.d"):
        request = api.request("create", "pods")
        await api.create("pods", pod(name), request)
        assert request.warnings


async def test_some_names_need_only_be_fit_for_a_path(api: Api) -> None:
    await api.create("poddisruptionbudgets", {"metadata": {"name": "Not_DNS"}, "spec": {"minAvailable": 1}})
    about = {"kind": "Pod", "namespace": "ns", "name": "p"}
    await api.create("events", {"metadata": {"name": "Not_DNS"}, "involvedObject": about})
    with pytest.raises(Invalid, match="may not contain '/'"):
        await api.create("events", {"metadata": {"name": "a/b"}, "involvedObject": about})


async def test_sources_of_claims_are_of_their_namespace(api: Api) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    source = {"kind": "PersistentVolumeClaim", "name": "b"}
    elsewhere = {**spec, "dataSourceRef": {**source, "namespace": "other"}}
    made = await api.create("persistentvolumeclaims", {"metadata": {"name": "a"}, "spec": elsewhere})
    assert "dataSourceRef" not in made["spec"]
    here = {**spec, "dataSourceRef": source}
    made = await api.create("persistentvolumeclaims", {"metadata": {"name": "b"}, "spec": here})
    given = {**source, "apiGroup": None}
    assert (made["spec"]["dataSource"], made["spec"]["dataSourceRef"]) == (given, given)


async def test_slices_count_changes_of_labels_and_take_no_topology(api: Api) -> None:
    endpoint = {"addresses": ["192.0.2.1"], "deprecatedTopology": {"a": "b"}}
    made = await api.create(
        "endpointslices.discovery.k8s.io",
        {"metadata": {"name": "s"}, "addressType": "IPv4", "endpoints": [endpoint], "ports": None},
    )
    assert "deprecatedTopology" not in made["endpoints"][0]
    labelled = await api.patch("endpointslices.discovery.k8s.io", "s", {"metadata": {"labels": {"a": "b"}}})
    noted = await api.patch("endpointslices.discovery.k8s.io", "s", {"metadata": {"annotations": {"a": "b"}}})
    assert [o["metadata"]["generation"] for o in (made, labelled, noted)] == [1, 2, 2]
