"""Whatever is asked, the server answers: no 5xx, nothing stored that cannot be read, and the loop is never held up.

A failure names its seed; `attempt(Random(seed))` is the request again.
"""

from __future__ import annotations

import json
from random import Random

import pytest

from kcore.api.kind import Kind
from tests.fuzz.mutations import Attempt, attempt
from tests.registry.conftest import Api, HandClock
from tests.registry.widgets import define, version
from tests.server.serving import CONFIGMAPS, Answer, Door, serving
from tests.server.turns import TURN_SECONDS_MAX, watched_loop

SCHEMA = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "minimum": 1, "default": 3},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


async def judge(door: Door, request: Attempt, answer: Answer) -> None:
    future = answer.code == 504 and b"ResourceVersionTooLarge" in answer.body
    assert answer.code < 500 or future, answer.body
    if request.method == "GET" or answer.code not in (200, 201):
        return
    if request.method in ("POST", "PUT") or (
        request.method == "PATCH" and answer.headers["Content-Type"].endswith("json")
    ):
        found = json.loads(answer.body)
        if "dryRun" not in request.path and found.get("kind") not in ("Status", "Scale", "Table"):
            if "deletionTimestamp" in found["metadata"]:
                return  # the request may have been what it waited for
            stored = await door.ask("GET", f"{request.collection}/{found['metadata']['name']}")
            assert (stored.code, json.loads(stored.body)) == (200, found)


async def rounds(count: int, start: int, turn_max: float) -> None:
    async with serving() as door:
        await widgets(door)
        await door.ask("POST", CONFIGMAPS, b"a: b", Content_Type="application/yaml")  # loads the parser
        with watched_loop() as turns:
            for seed in range(start, start + count):
                request = attempt(Random(seed))
                turns.take()
                try:
                    headers = {"Content_Type": request.content_type} if request.content_type else {}
                    answer = await door.ask(request.method, request.path, request.body, **headers)
                    await judge(door, request, answer)
                    assert turns.take() < turn_max, "the loop was held up"
                except Exception as error:
                    raise AssertionError(f"seed {seed}: {request}") from error
        for collection in {attempt(Random(seed)).collection for seed in range(200)}:
            assert (await door.ask("GET", collection)).code == 200


async def widgets(door: Door) -> Kind:
    return await define(Api(door.registry, HandClock()), version(spec=SCHEMA, selectableFields=[]))


async def test_some_mutated_requests() -> None:
    await rounds(400, 0, 1.0)


@pytest.mark.soak
async def test_many_mutated_requests() -> None:
    await rounds(100_000, 1_000_000, TURN_SECONDS_MAX)
