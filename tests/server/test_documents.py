"""Discovery, OpenAPI and health."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kcore.api.kind import Kind
from kcore.api.scheme import BUILT_IN
from tests.server.serving import Door, serving

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.group_resource)
async def test_every_kind_is_discovered_where_it_is_served(kind: Kind) -> None:
    async with serving() as door:
        path = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        document = (await door.ask("GET", path)).json
        row = next(row for row in document["resources"] if row["name"] == kind.plural)
        assert (row["kind"], row["namespaced"], row["verbs"]) == (kind.name, kind.namespaced, list(kind.verbs))


async def test_aggregated_discovery_says_the_same_and_is_cached_by_its_tag() -> None:
    async with serving() as door:
        found = set()
        for path in ("/api", "/apis"):
            answer = await door.ask("GET", path, Accept=AGGREGATED)
            assert answer.headers["Content-Type"] == AGGREGATED
            again = await door.ask("GET", path, Accept=AGGREGATED, If_None_Match=answer.headers["ETag"])
            assert (again.code, again.body) == (304, b"")
            for item in answer.json["items"]:
                for version in item["versions"]:
                    group = item["metadata"].get("name", "")
                    found |= {(group, version["version"], row["resource"]) for row in version["resources"]}
        assert found == {(kind.group, kind.version, kind.plural) for kind in BUILT_IN}


async def test_all_paths_are_listed_at_the_root() -> None:
    async with serving() as door:
        for path in ("/", "/index.html"):
            listed = (await door.ask("GET", path)).json["paths"]
            assert listed == sorted(set(listed))
        assert {"/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/livez/ping", "/version"} <= set(listed)
        assert not [path for path in listed if "kcore.dev" in path]
        for path in listed:
            assert (await door.ask("GET", path)).code == 200 or path.startswith(("/.well-known", "/openid")), path


async def test_discovery_changes_with_the_scheme() -> None:
    async with serving() as door:
        before = await door.ask("GET", "/apis", Accept=AGGREGATED)
        gone = next(kind for kind in door.registry.scheme if kind.plural == "leases")
        door.registry.scheme.remove(gone)
        after = await door.ask("GET", "/apis", Accept=AGGREGATED)
        assert before.headers["ETag"] != after.headers["ETag"]
        assert (await door.ask("GET", "/apis/coordination.k8s.io")).code == 404


def references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if isinstance(tree.get("$ref"), str):
            yield tree["$ref"]
        for value in tree.values():
            yield from references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from references(value)


async def test_discovery_says_where_the_server_listens() -> None:
    async with serving() as door:
        answer = await door.ask("GET", "/api")
        address = answer.json["serverAddressByClientCIDRs"][0]["serverAddress"]
        assert address == door.server.url.removeprefix("http://")


async def test_openapi_v3_leaves_no_reference_open() -> None:
    async with serving() as door:
        index = (await door.ask("GET", "/openapi/v3")).json["paths"]
        assert {f"api{'s' * bool(kind.group)}/{kind.api_version}" for kind in BUILT_IN} <= set(index)
        for entry in index.values():
            document = (await door.ask("GET", entry["serverRelativeURL"])).json
            schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
            assert set(references(document)) <= schemas


async def test_openapi_tells_clients_that_fields_are_validated_here() -> None:
    async with serving() as door:
        document = (await door.ask("GET", "/openapi/v3/apis/apps/v1")).json
        patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
        assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
        assert "fieldValidation" in {parameter["name"] for parameter in patch["parameters"]}


async def test_openapi_v2_in_protobuf_holds_every_definition() -> None:
    async with serving() as door:
        document = (await door.ask("GET", "/openapi/v2")).json
        wanted = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
        answer = await door.ask("GET", "/openapi/v2", Accept=wanted)
        top = list(fields(answer.body))
        definitions = next(value for number, value in top if number == 9)
        assert [dict(fields(entry))[1].decode() for _, entry in fields(definitions)] == list(document["definitions"])
        paths = next(value for number, value in top if number == 8)
        assert [dict(fields(entry))[1].decode() for _, entry in fields(paths)] == list(document["paths"])
        assert {ref.removeprefix("#/definitions/") for ref in references(document)} <= set(document["definitions"])


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a protobuf message."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = varint()
        assert tag & 7 == 2
        size = varint()
        yield tag >> 3, message[at : at + size]
        at += size


async def report(door: Door, path: str) -> tuple[int, str]:
    answer = await door.ask("GET", path)
    return answer.code, answer.body.decode()


async def test_readiness_names_the_check_that_fails() -> None:
    async with serving() as door:
        assert await report(door, "/readyz") == (200, "ok")
        door.server.health.add("store", lambda: "the disk is full")
        assert await report(door, "/readyz") == (
            500,
            "[+]ping ok\n[+]log ok\n[-]store failed: reason withheld\nreadyz check failed\n",
        )
        assert await report(door, "/livez?verbose") == (200, "[+]ping ok\n[+]log ok\nlivez check passed\n")
        assert (await report(door, "/readyz?exclude=store"))[0] == 200
        assert (await report(door, "/readyz/store"))[0] == 500
        assert await report(door, "/livez/none") == (404, "404 page not found\n")
