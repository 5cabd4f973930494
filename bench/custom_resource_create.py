"""What does creating a custom resource cost in the registry, next to creating a built-in object of the same document?

The document is a Deployment's; the custom kind has a schema for all of it and three validation rules. In process, over
a store in memory: decoding, defaulting, pruning, validation and the commit, without HTTP and disk. Once with documents
that all differ, once with ones that are alike but for their names, of which less is looked at twice.
(goal: 1.3 times the built-in's)
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from bench.serving import report
from kcore.api.apiextensions_v1 import CustomResourceDefinition
from kcore.api.apps_v1 import Deployment
from kcore.api.core_v1 import Namespace
from kcore.api.documents import Expected, decode_document
from kcore.api.kind import Kind
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import CustomResource
from kcore.api.scheme import Scheme
from kcore.registry.codec import StoreCodec
from kcore.registry.request import Request, User
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog
from kcore.store.store import Record

CREATES = 200
ROUNDS = 20
ADMIN = User("admin", groups=("system:masters",))
TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def texts(**more: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": TEXT, **more}


def of(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def listed(items: Any, *keys: str) -> dict[str, Any]:
    return {"type": "array", "items": items, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


RESOURCES = {"type": "object", "additionalProperties": {"x-kubernetes-int-or-string": True}}
PORT = of(
    "containerPort", containerPort={**NUMBER, "minimum": 1, "maximum": 65535}, protocol={**TEXT, "default": "TCP"}
)
CONTAINER = of(
    "name",
    name={**TEXT, "pattern": "^[a-z0-9-]+$", "maxLength": 63},
    image=TEXT,
    args={"type": "array", "items": TEXT},
    env=listed(of("name", name=TEXT, value=TEXT), "name"),
    ports=listed(PORT, "containerPort", "protocol"),
    resources=of(requests=RESOURCES, limits=RESOURCES),
    imagePullPolicy={**TEXT, "enum": ["Always", "IfNotPresent", "Never"], "default": "IfNotPresent"},
)
SPEC = {
    **of(
        "selector",
        "template",
        replicas={**NUMBER, "minimum": 0, "default": 1},
        selector=of(matchLabels=texts()),
        strategy=of(type={**TEXT, "default": "RollingUpdate"}),
        template=of(
            "spec",
            metadata=of(labels=texts()),
            spec=of(
                containers={**listed(CONTAINER, "name"), "maxItems": 8}, restartPolicy={**TEXT, "default": "Always"}
            ),
        ),
    ),
    "x-kubernetes-validations": [
        {"rule": "self.replicas <= 1000", "message": "too many"},
        {"rule": "self.template.spec.containers.all(c, c.image != '')", "message": "without image"},
        {"rule": "self.selector == oldSelf.selector", "message": "immutable"},
    ],
}
NAMES = {"plural": "webs", "singular": "web", "kind": "Web", "listKind": "WebList"}
DEFINITION = {
    "metadata": {"name": "webs.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": NAMES,
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC}}},
            }
        ],
    },
    "status": {
        "acceptedNames": NAMES,
        "conditions": [{"type": "Established", "status": "True", "lastTransitionTime": None}],
        "storedVersions": ["v1"],
    },
}


def document(name: str, setting: str) -> dict[str, Any]:
    container = {
        "name": "web",
        "image": "registry.example.com/team/web:1.2.3",
        "args": ["--listen=:8080", "--verbose"],
        "env": [{"name": f"SETTING_{i}", "value": f"{setting}-{i}"} for i in range(6)],
        "ports": [{"containerPort": 8080}, {"containerPort": 9090}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
    }
    labels = {"app": "web", "tier": "front"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 3, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


class Bench:
    def __init__(self) -> None:
        self.scheme = Scheme()
        self.registry = Registry(EmbeddedStore(StoreCodec(self.scheme, STRATEGIES), MemoryLog()), self.scheme)
        self.count = 0

    async def prepare(self) -> tuple[Kind, Kind]:
        """The built-in and the custom kind."""
        request = Request("create", self.scheme.of(Namespace), "", "", ADMIN)
        await self.registry.create(request, Namespace(metadata=ObjectMeta(name="ns")))
        self.registry.serve_definitions()
        kind = self.scheme.of(CustomResourceDefinition)
        definition = msgspec.convert(DEFINITION, CustomResourceDefinition)
        stored = await self.registry.create(Request("create", kind, "", "", ADMIN), definition)
        assert isinstance(stored, Record)
        standing = msgspec.convert(DEFINITION, CustomResourceDefinition)
        accepted = msgspec.structs.replace(stored.obj, status=standing.status)
        update = Request("update", kind, "", stored.obj.metadata.name, ADMIN, subresource="status")
        await self.registry.update(update, accepted)
        for _ in range(3):
            await asyncio.sleep(0)
        custom = self.scheme.find("example.com", "v1", "webs")
        assert custom is not None
        return self.scheme.of(Deployment), custom

    def bodies(self, kind: Kind, alike: bool) -> list[bytes]:
        self.count += 1
        head = {"apiVersion": kind.api_version, "kind": kind.name}
        names = [f"w{self.count}-{i}" for i in range(CREATES)]
        return [msgspec.json.encode({**head, **document(name, "value" if alike else name)}) for name in names]

    async def microseconds(self, kind: Kind, alike: bool) -> float:
        """The time for one create."""
        expected = Expected.of(kind)
        bodies = self.bodies(kind, alike)
        start = time.perf_counter()
        for body in bodies:
            obj = decode_document(body, expected, self.scheme)
            await self.registry.create(Request("create", kind, "ns", "", ADMIN), obj)
        return (time.perf_counter() - start) / CREATES * 1e6


async def main() -> None:
    bench = Bench()
    built_in, custom = await bench.prepare()
    assert custom.type is CustomResource
    figures: dict[str, float] = {}
    for label, alike in (("", False), ("alike_", True)):
        rounds = [[await bench.microseconds(kind, alike) for kind in (custom, built_in)] for _ in range(ROUNDS)]
        create, reference = (min(times) for times in zip(*rounds, strict=True))
        figures |= {
            f"{label}create_us": round(create, 1),
            f"{label}built_in_us": round(reference, 1),
            f"{label}ratio": round(create / reference, 2),
        }
    report("custom_resource_create", **figures)


if __name__ == "__main__":
    asyncio.run(main())
