"""Bodies and queries meant to bring the server down: each is refused as a request that is wrong."""

from __future__ import annotations

import pytest

from tests.server.serving import CONFIGMAPS, serving

DEPTH = 100_000
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
