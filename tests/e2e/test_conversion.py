"""A conversion webhook over HTTPS: what was written stays in its version, also over a restart."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import anyio.to_thread
from aiohttp import web

from tests.e2e.serving import Served, eventually, start
from tests.registry.test_conversion import SPLIT, WHOLE, split_or_join
from tests.registry.widgets import version
from tests.webhook_server import Hook, hooking, issue

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAMES = {"plural": "people", "kind": "Person"}


def definition(hook: Hook, stored: str) -> Any:
    webhook = {"clientConfig": hook.client_config(), "conversionReviewVersions": ["v1"]}
    versions = [
        version(name, spec, storage=name == stored, selectableFields=[])
        for name, spec in (("v1", WHOLE), ("v2", SPLIT))
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "people.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": NAMES,
            "versions": versions,
            "conversion": {"strategy": "Webhook", "webhook": webhook},
        },
    }


def person(kind_version: str, name: str, **spec: str) -> Any:
    return {"apiVersion": f"example.com/{kind_version}", "kind": "Person", "metadata": {"name": name}, "spec": spec}


def people(kind_version: str, name: str = "") -> str:
    return f"/apis/example.com/{kind_version}/namespaces/default/people/{name}".rstrip("/")


def watched(server: Served, path: str) -> list[Any]:
    with urllib.request.urlopen(server.url + path, context=server.tls, timeout=30) as answer:
        return [json.loads(line) for line in answer]


def first_life(server: Served, hook: Hook) -> None:
    server.request("POST", DEFINITIONS, definition(hook, "v1"))
    eventually(lambda: "example.com" in str(server.request("GET", "/apis")))
    server.request("POST", people("v1"), person("v1", "ada", full="Ada Lovelace"))
    assert server.request("GET", people("v2", "ada"))["spec"] == {"first": "Ada", "last": "Lovelace"}
    since = server.request("GET", people("v2"))["metadata"]["resourceVersion"]
    server.request("POST", people("v1"), person("v1", "bob", full="Bob Byron"))
    path = f"{people('v2')}?watch=true&resourceVersion={since}&timeoutSeconds=1"
    (event,) = watched(server, path)
    assert (event["type"], event["object"]["apiVersion"]) == ("ADDED", "example.com/v2")
    assert event["object"]["spec"] == {"first": "Bob", "last": "Byron"}


def second_life(server: Served, hook: Hook) -> None:
    patch = {"spec": {"versions": definition(hook, "v2")["spec"]["versions"]}}
    server.request("PATCH", f"{DEFINITIONS}/people.example.com", patch, "application/merge-patch+json")
    server.request("POST", people("v2"), person("v2", "eve", first="Eve", last="Online"))
    found = {obj["metadata"]["name"]: obj["spec"] for obj in server.request("GET", people("v2"))["items"]}
    assert found["ada"] == {"first": "Ada", "last": "Lovelace"}
    assert found["eve"] == {"first": "Eve", "last": "Online"}
    assert server.request("GET", people("v1", "ada"))["spec"] == {"full": "Ada Lovelace"}


async def test_objects_keep_their_version_over_a_restart(tmp_path: Path) -> None:
    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        asked = json.loads(await request.read())["request"]
        objects = [split_or_join(obj, asked["desiredAPIVersion"]) for obj in asked["objects"]]
        answer = {"uid": asked["uid"], "convertedObjects": objects, "result": {"status": "Success"}}
        review = {"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1", "response": answer}
        return web.json_response(review)

    options = ("--nodes", "0", "--data-dir", str(tmp_path / "data"))
    async with hooking(issue(tmp_path / "pki", "127.0.0.1"), respond) as hook:
        for live in (first_life, second_life):
            server = await anyio.to_thread.run_sync(start, tmp_path, *options)
            try:
                await anyio.to_thread.run_sync(live, server, hook)
            finally:
                await anyio.to_thread.run_sync(server.stop)
