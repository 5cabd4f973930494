"""Keeps the namespaces that every cluster has: made at start, made again when deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kcore.api.core_v1 import Namespace
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.client.client import Client
from kcore.client.ensure import ensure
from kcore.client.runner import Controller, MapFunction

__all__ = ["SYSTEM_NAMESPACES", "SystemNamespacesController", "ensure_namespace"]

SYSTEM_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


async def ensure_namespace(client: Client, name: str) -> None:
    """Create a namespace where it is absent."""
    await ensure(client, Namespace(metadata=ObjectMeta(name=name)))


class SystemNamespacesController(Controller):
    """Upstream runs the same inside kube-apiserver."""

    name = "system-namespaces-controller"
    root = Namespace
    workers = 1

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Namespace: self._gone}

    def _gone(self, old: Any, new: Any) -> Iterable[str]:
        if new is None and old.metadata.name in SYSTEM_NAMESPACES:
            yield old.metadata.name

    async def reconcile(self, key: str) -> None:
        await ensure_namespace(self._client, key)
