"""Widgets: a custom kind for tests, defined as if the controller had accepted its names."""

from __future__ import annotations

import asyncio
from typing import Any

from kcore.api.kind import Kind
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import CustomResource
from kcore.registry.request import Request
from tests.registry.conftest import ADMIN, Api

__all__ = ["asking", "define", "turn", "version", "widget"]

ESTABLISHED = {"type": "Established", "status": "True", "lastTransitionTime": None}
SPEC = {
    "type": "object",
    "properties": {
        "size": {"type": "integer", "minimum": 1, "default": 3},
        "color": {"type": "string"},
        "replicas": {"type": "integer"},
    },
}


def version(name: str = "v1", spec: Any = None, **more: Any) -> dict[str, Any]:
    status = {"type": "object", "properties": {"replicas": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"spec": spec or SPEC, "status": status}}
    whole = {"name": name, "served": True, "storage": name == "v1", "schema": {"openAPIV3Schema": schema}}
    return {
        **whole,
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
        "selectableFields": [{"jsonPath": ".spec.color"}],
        **more,
    }


async def define(api: Api, *versions: dict[str, Any], **spec: Any) -> Kind:
    """Define widgets, as if the controller had accepted their names."""
    names = {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"}
    definition = {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": names,
            "versions": list(versions) or [version()],
            **spec,
        },
    }
    api.registry.serve_definitions()
    stored = await api.create("customresourcedefinitions", definition)
    status = {"acceptedNames": names, "conditions": [ESTABLISHED], "storedVersions": ["v1"]}
    request = api.request("update", "customresourcedefinitions", "widgets.example.com", subresource="status")
    await api.update("customresourcedefinitions", {**stored, "status": status}, request)
    await turn()
    kind = api.registry.scheme.find("example.com", "v1", "widgets")
    assert kind is not None
    return kind


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def widget(name: str = "w", **spec: Any) -> CustomResource:
    return CustomResource(metadata=ObjectMeta(name=name), content={"spec": spec})


def asking(verb: str, kind: Kind, name: str = "w", **more: Any) -> Request:
    return Request(verb, kind, "ns", name, ADMIN, **more)
