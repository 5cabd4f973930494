"""Bodies and queries meant to bring the server down: each is refused as a request that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.serving import CONFIGMAPS, serving

DEPTH = 100_000
REVISIONS = "/apis/apps/v1/namespaces/default/controllerrevisions"
REVISION = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 1}
JSON = "application/json"
YAML = "application/yaml"
PATCHES = (
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/json-patch+json",
    "application/apply-patch+yaml",
)
HEAD = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},'


def nested(opening: str, closing: str) -> str:
    return opening * DEPTH + "1" + closing * DEPTH


DEEP = {
    "array": nested("[", "]"),
    "object": nested('{"a":', "}"),
    "unclosed": "[" * DEPTH,
    "data": HEAD + '"data":' + nested('{"a":', "}") + "}",
    "unknown": HEAD + '"nobody":' + nested("[", "]") + "}",
    "labels": HEAD.replace('"x"', '"x","labels":' + nested('{"a":', "}")) + '"data":{}}',
}
NUMBERS = {
    "long": HEAD + '"immutable":' + "9" * 100_000 + "}",
    "large": HEAD + '"immutable":1e99999}',
    "generation": HEAD.replace('"x"', '"x","generation":' + "9" * 5000) + '"data":{}}',
}
WRONG = {**DEEP, **NUMBERS}


@pytest.mark.parametrize("kind_of_body", [JSON, YAML])
async def test_deep_bodies_and_huge_numbers_are_wrong(kind_of_body: str) -> None:
    async with serving() as door:
        for name, body in WRONG.items():
            answer = await door.ask("POST", CONFIGMAPS, body.encode(), Content_Type=kind_of_body)
            assert answer.code == 400, (name, answer.body[:300])


@pytest.mark.parametrize("kind_of_patch", PATCHES)
async def test_deep_patches_and_huge_numbers_are_wrong(kind_of_patch: str) -> None:
    async with serving() as door:
        await door.ask("POST", CONFIGMAPS, {"metadata": {"name": "x"}})
        for name, body in WRONG.items():
            path = f"{CONFIGMAPS}/x?fieldManager=m"
            answer = await door.ask("PATCH", path, body.encode(), Content_Type=kind_of_patch)
            assert answer.code in (400, 422), (name, answer.body[:300])


async def test_what_is_taken_can_be_read_however_deep_it_is() -> None:
    async with serving() as door:
        for depth in range(200, 800, 40):
            value: Any = 1
            for _ in range(depth):
                value = {"a": value}
            body = {**REVISION, "metadata": {"name": f"r{depth}"}, "data": value}
            answer = await door.ask("POST", REVISIONS, body)
            assert answer.code == (201 if depth < 250 else 400), (depth, answer.body[:300])
            if answer.code == 201:
                assert (await door.ask("GET", f"{REVISIONS}/r{depth}", Accept=YAML)).code == 200, depth
                assert (await door.ask("GET", f"{REVISIONS}/r{depth}")).json["data"] == value
        deepen = [{"op": "copy", "from": "/data", "path": "/data" + "/a" * 200}]
        answer = await door.ask("PATCH", f"{REVISIONS}/r200", deepen, Content_Type=PATCHES[2])
        assert answer.code == 422, answer.body[:300]


async def test_operations_do_not_nest_without_end() -> None:
    paths = ["/metadata/annotations" + "/a" * level for level in range(900)]
    operations = [{"op": "add", "path": path, "value": {}} for path in paths]
    copy = {"op": "copy", "from": paths[0], "path": "/data"}
    async with serving() as door:
        await door.ask("POST", CONFIGMAPS, {"metadata": {"name": "x"}})
        for patch in (operations, [*operations, copy]):
            answer = await door.ask("PATCH", f"{CONFIGMAPS}/x", patch, Content_Type=PATCHES[2])
            assert answer.code == 422, answer.body[:300]


async def test_aliases_do_not_nest_without_end() -> None:
    lines = ["a0: &a0 [1]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 900))]
    async with serving() as door:
        answer = await door.ask("POST", CONFIGMAPS, "\n".join(lines).encode(), Content_Type=YAML)
        assert answer.code == 400, answer.body[:300]
        assert "yaml: exceeded max depth" in answer.json["message"]


async def test_yaml_that_multiplies_is_wrong() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{b}: &{b} [{','.join(['*' + a] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    async with serving() as door:
        answer = await door.ask("POST", CONFIGMAPS, "\n".join(lines).encode(), Content_Type=YAML)
        assert answer.code == 400, answer.body[:300]


async def test_bodies_over_three_mebibytes_are_too_large() -> None:
    body = HEAD + '"data":{"a":"' + "x" * (3 << 20) + '"}}'
    async with serving() as door:
        await door.ask("POST", CONFIGMAPS, {"metadata": {"name": "x"}})
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            path = CONFIGMAPS if method == "POST" else f"{CONFIGMAPS}/x"
            kind_of_body = PATCHES[0] if method == "PATCH" else JSON
            answer = await door.ask(method, path, body.encode(), Content_Type=kind_of_body)
            assert answer.code == 413, (method, answer.body[:300])


async def test_queries_that_no_client_makes_are_wrong() -> None:
    queries = [
        "resourceVersion=" + "9" * 5000,
        "limit=" + "9" * 5000,
        "continue=" + "A" * 5000,
        "labelSelector=" + "(" * 3000,
        "labelSelector=%00",
        "fieldSelector=%00",
        "timeoutSeconds=1e9",
    ]
    async with serving() as door:
        for query in queries:
            assert (await door.ask("GET", f"{CONFIGMAPS}?{query}")).code == 400, query[:40]
        for name in ("limit", "resourceVersion"):
            assert (await door.ask("GET", f"{CONFIGMAPS}?{name}={'0' * 5000}")).code == 200, name


async def test_warning_that_no_header_can_carry_is_left_out() -> None:
    body = b'{"metadata":{"name":"x"},"no\\nbody":1,"somebody":2}'
    async with serving() as door:
        answer = await door.ask("POST", CONFIGMAPS, body, Content_Type=JSON)
        assert answer.code == 201
        assert answer.headers["Warning"] == '299 - "unknown field \\"somebody\\""'
