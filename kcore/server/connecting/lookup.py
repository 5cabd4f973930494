"""The objects that passing a request on needs, by name."""

from __future__ import annotations

from typing import TypeVar

from kcore.api.core_v1 import Endpoints, Node, Pod, Service
from kcore.api.object import Object
from kcore.registry.request import Request, User
from kcore.registry.verbs import Registry
from kcore.store.store import Record

__all__ = ["Lookup"]

T = TypeVar("T", bound=Object)


class Lookup:
    """As `user`, who has been found to be allowed what it asks. Raises NotFound for what is not there."""

    def __init__(self, registry: Registry, user: User) -> None:
        self._registry = registry
        self._user = user

    def pod(self, namespace: str, name: str) -> Pod:
        return self._get(Pod, namespace, name)

    def node(self, name: str) -> Node:
        return self._get(Node, "", name)

    def service(self, namespace: str, name: str) -> Service:
        return self._get(Service, namespace, name)

    def endpoints(self, namespace: str, name: str) -> Endpoints:
        return self._get(Endpoints, namespace, name)

    def _get(self, type_: type[T], namespace: str, name: str) -> T:
        kind = self._registry.scheme.of(type_)
        record = self._registry.get(Request("get", kind, namespace, name, self._user))
        assert isinstance(record, Record)
        return record.obj  # type: ignore[no-any-return]
