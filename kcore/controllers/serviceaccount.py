"""Every namespace has a ServiceAccount `default`, which pods use that name no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kcore.api.core_v1 import Namespace, ServiceAccount
from kcore.api.errors import AlreadyExists
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.context import Context

__all__ = ["ServiceAccountController"]

NAME = "default"


class ServiceAccountController(Controller):
    """Makes it, and makes it again when somebody deletes it."""

    name = "service-account-controller"
    root = Namespace
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._namespaces = context.informers.of(Namespace)
        self._accounts = context.informers.of(ServiceAccount)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {ServiceAccount: self._deleted}

    def _deleted(self, old: ServiceAccount | None, new: ServiceAccount | None) -> Iterator[str]:
        if new is None and old is not None and old.metadata.name == NAME:
            yield old.metadata.namespace

    async def reconcile(self, key: str) -> None:
        namespace = self._namespaces.get(key)
        if namespace is None or namespace.metadata.deletion_timestamp is not None:
            return
        if self._accounts.get_object(key, NAME) is not None:
            return
        try:
            await self._client.create(ServiceAccount(metadata=ObjectMeta(name=NAME, namespace=key)))
        except AlreadyExists:
            return
