"""OpenAPI of what is served: complete, described, and cached for ever by its hash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from kcore.api.scheme import Scheme
from kcore.server.openapi import OpenApi
from kcore.server.openapi.descriptions import describe_field, describe_type
from kcore.server.openapi.operations import discovery_operations, operations
from tests.server.serving import serving


@pytest.fixture(scope="module")
def v2() -> Any:
    return OpenApi(Scheme(), "v1")._v2_tree()


def properties(definitions: Any) -> Iterator[tuple[str, str, Any]]:
    for name, schema in definitions.items():
        for wire, found in schema.get("properties", {}).items():
            yield name.rpartition(".")[2], wire, found


def test_every_type_and_field_is_described(v2: Any) -> None:
    assert [name for name, schema in v2["definitions"].items() if not schema.get("description")] == []
    bare = {f"{name}.{wire}" for name, wire, found in properties(v2["definitions"]) if not found.get("description")}
    assert {field for field in bare if not field.endswith("List.metadata")} == set()


def test_descriptions_are_one_sentence_or_two() -> None:
    told = [describe_field("", wire) for _, wire, _ in properties(OpenApi(Scheme(), "v1")._v2_tree()["definitions"])]
    assert all(re.fullmatch(r"[^\n]{2,140}", text) and text.endswith((".", "")) for text in told)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Pod", "Containers that run together on one node."),
        ("PodList", "A list of Pod objects."),
        ("DeploymentSpec", "What is wanted of Deployment."),
        ("WidgetHTTPThing", "Widget HTTP thing."),
    ],
)
def test_types_without_words_are_called_by_their_name(name: str, words: str) -> None:
    assert describe_type(name) == words


def test_a_field_may_mean_something_else_in_one_type() -> None:
    assert describe_field("Secret", "data") != describe_field("ConfigMap", "data") == describe_field("", "data")


def test_operations_have_names_of_their_own() -> None:
    scheme = Scheme()
    told = [*(each for kind in scheme for each in operations(kind)), *discovery_operations(scheme)]
    names = [operation.id for operation in told]
    assert len(names) == len({*names})
    assert len({(operation.path, operation.method) for operation in told}) == len(told)


@pytest.mark.parametrize(
    ("path", "method", "action"),
    [
        ("/api/v1/watch/namespaces/{namespace}/pods/{name}", "get", "watch"),
        ("/apis/apps/v1/watch/deployments", "get", "watchlist"),
        ("/api/v1/namespaces/{namespace}/pods/{name}/exec", "post", "connect"),
        ("/api/v1/nodes/{name}/proxy/{path}", "delete", "connect"),
        ("/api/v1/namespaces/{namespace}/pods/{name}/log", "get", "get"),
        ("/apis/apps/", "get", None),
        ("/apis/apps/v1/", "get", None),
        ("/version/", "get", None),
    ],
)
def test_paths_beyond_objects_are_told(v2: Any, path: str, method: str, action: str | None) -> None:
    assert v2["paths"][path][method].get("x-kubernetes-action") == action


async def test_third_version_says_choices_and_defaults() -> None:
    async with serving() as door:
        schemas = (await door.ask("GET", "/openapi/v3/api/v1")).json["components"]["schemas"]
        container = schemas["io.k8s.api.core.v1.Container"]["properties"]
        assert container["imagePullPolicy"]["enum"] == ["Always", "IfNotPresent", "Never"]
        assert schemas["io.k8s.api.core.v1.ContainerPort"]["properties"]["protocol"]["default"] == "TCP"
        assert container["name"]["default"] == ""
        assert container["resources"]["allOf"] == [
            {"$ref": "#/components/schemas/io.k8s.api.core.v1.ResourceRequirements"}
        ]


async def test_documents_asked_for_by_their_hash_may_be_kept_for_ever() -> None:
    async with serving() as door:
        index = (await door.ask("GET", "/openapi/v3")).json["paths"]
        assert {"api", "api/v1", "apis", "apis/apps", "apis/apps/v1", "version"} <= {*index}
        url = index["apis/apps/v1"]["serverRelativeURL"]
        answer = await door.ask("GET", url)
        assert answer.headers["Cache-Control"] == "public, immutable"
        assert answer.headers["ETag"].strip('"') == url.partition("=")[2]
        plain = await door.ask("GET", "/openapi/v3/apis/apps/v1")
        assert (plain.headers["Cache-Control"], plain.body) == ("no-cache, private", answer.body)


async def test_a_hash_that_is_out_of_date_leads_to_the_latest() -> None:
    async with serving() as door:
        url = (await door.ask("GET", "/openapi/v3")).json["paths"]["api"]["serverRelativeURL"]
        async with door.session.get(
            f"{door.server.url}/openapi/v3/api?hash=OLD",
            headers={"Authorization": "Bearer admin-token"},
            allow_redirects=False,
        ) as answer:
            assert (answer.status, answer.headers["Location"]) == (301, url)
