"""Each group and version that is served here has an APIService that says so, and goes when it goes (autoregister).

Those of built-in groups are made at start and then left to their owner: who deletes or changes one had a reason. Those
of definitions are kept as they should be.
"""

from __future__ import annotations

from msgspec.structs import replace

from kcore.api.apiregistration_v1 import APIService, APIServiceSpec
from kcore.api.errors import AlreadyExists, NotFound
from kcore.api.kind import GroupVersion, Kind
from kcore.api.meta_v1 import ObjectMeta
from kcore.client.runner import Controller
from kcore.controllers.context import Context
from kcore.registry.group_priorities import priority_of

__all__ = ["APIServiceRegistration"]

_MANAGED = "kube-aggregator.kubernetes.io/automanaged"
_AT_START = "onstart"
_ALWAYS = "true"

# Upstream's registry of registries serves itself, so nothing stands for it.
_UNREGISTERED = frozenset(("apiregistration.k8s.io",))


class APIServiceRegistration(Controller):
    name = "autoregister"
    root = APIService

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._standing = context.informers.of(APIService)
        self._scheme = context.client.scheme
        self._synced: set[str] = set()
        self._scheme.subscribe(self._served)
        for kind in self._scheme:
            self._served(kind, True)

    def _served(self, kind: Kind, served: bool) -> None:
        if kind.group not in _UNREGISTERED:
            self.queue.add(_name(kind.group_version))

    async def reconcile(self, key: str) -> None:
        wanted, standing = self._wanted(key), self._standing.get(key)
        managed = _management(standing)
        at_start = key not in self._synced
        if wanted is not None and _management(wanted) == _AT_START and not at_start:
            return
        if standing is None:
            if wanted is not None:
                await self._create(wanted)
        elif managed == _ALWAYS or (managed == _AT_START and at_start):
            await self._settle(standing, wanted)
        self._synced.add(key)

    async def _create(self, wanted: APIService) -> None:
        try:
            await self._client.create(wanted)
        except AlreadyExists:
            return

    async def _settle(self, standing: APIService, wanted: APIService | None) -> None:
        if wanted is None:
            try:
                await self._client.delete(APIService, standing.metadata.name)
            except NotFound:
                return
        elif standing.spec != wanted.spec:
            await self._client.update(replace(standing, spec=wanted.spec))

    def _wanted(self, name: str) -> APIService | None:
        kind = next((kind for kind in self._scheme if _name(kind.group_version) == name), None)
        if kind is None:
            return None
        priority = priority_of(kind.group_version)
        managed = _AT_START if kind.definition is None else _ALWAYS
        return APIService(
            metadata=ObjectMeta(name=name, labels={_MANAGED: managed}),
            spec=APIServiceSpec(
                group=kind.group,
                version=kind.version,
                group_priority_minimum=priority.group,
                version_priority=priority.version,
            ),
        )


def _management(service: APIService | None) -> str:
    return service.metadata.labels.get(_MANAGED, "") if service is not None else ""


def _name(version: GroupVersion) -> str:
    return f"{version.version}.{version.group}"
