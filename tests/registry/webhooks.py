"""A registry whose webhooks are functions of the test: what they are sent is kept, what they answer is theirs."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from kcore.api.scheme import Scheme
from kcore.kit.clock import Chance
from kcore.registry.admission import STANDALONE_PLUGINS, MakePlugin
from kcore.registry.codec import StoreCodec
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.registry.webhook_client import CallFailed, Target
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog
from tests.registry.conftest import Api, HandClock

__all__ = ["HookedApi", "Switchboard", "allow", "deny", "hooked_api", "patch"]

Answer = dict[str, Any]
Respond = Callable[[Any], Answer | Awaitable[Answer]]

EVERYTHING = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}
CONFIGMAPS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}


def allow(request: Any) -> Answer:
    return {"allowed": True}


def deny(**status: Any) -> Respond:
    return lambda request: {"allowed": False, "status": status}


def patch(*operations: Any) -> Respond:
    document = base64.b64encode(json.dumps(operations).encode()).decode()
    return lambda request: {"allowed": True, "patchType": "JSONPatch", "patch": document}


class Switchboard:
    """The `WebhookClient`: connects calls to functions by URL."""

    def __init__(self) -> None:
        self.lines: dict[str, Respond | str] = {}
        self.calls: list[tuple[str, Any]] = []

    async def call(self, target: Target, document: bytes, *, seconds: float) -> bytes:
        review = json.loads(document)
        request = review["request"]
        self.calls.append((target.url, request))
        line = self.lines[target.url]
        if isinstance(line, str):
            raise CallFailed(f'Post "{target.url}?timeout={seconds:.0f}s": {line}')
        answer = line(request)
        if isinstance(answer, Awaitable):
            answer = await answer
        response = {"uid": request["uid"], **answer}
        return json.dumps({**review, "response": response}).encode()

    @property
    def called(self) -> list[str]:
        """The last label of the host of each call, in order."""
        return [url.removeprefix("https://").partition(".")[0] for url, _ in self.calls]


class HookedApi(Api):
    def __init__(self, registry: Registry, clock: HandClock, board: Switchboard) -> None:
        super().__init__(registry, clock)
        self.board = board

    async def hook(self, name: str, respond: Respond | str, *, mutating: bool = False, **more: Any) -> None:
        """A configuration of one webhook, about writes of ConfigMaps unless told otherwise."""
        url = f"https://{name}.example/"
        self.board.lines[url] = respond
        webhook = {
            "name": f"{name}.example.com",
            "clientConfig": {"url": url},
            "rules": [CONFIGMAPS],
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            **more,
        }
        resource = f"{'mutating' if mutating else 'validating'}webhookconfigurations"
        await self.create(resource, {"metadata": {"name": name}, "webhooks": [webhook]})


async def hooked_api(clock: HandClock, plugins: Sequence[MakePlugin] = STANDALONE_PLUGINS) -> HookedApi:
    scheme, board = Scheme(), Switchboard()
    store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog())
    registry = Registry(store, scheme, STRATEGIES, clock, Chance(7), plugins=plugins, webhooks=board)
    api = HookedApi(registry, clock, board)
    await api.create("namespaces", {"metadata": {"name": "ns", "labels": {"team": "blue"}}})
    return api
