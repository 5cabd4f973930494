"""The ResourceQuota controller: the status of a quota says what is limited and how much of it is used.

Admission charges what is made; this controller sees what goes, and mends whatever drifted, by counting anew. It counts
what the server has, not what a cache shows, and writes only onto the very quota it read before it counted: a charge
that came between is a conflict, and the count is done again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from kcore.api import quantity
from kcore.api.core_v1 import PersistentVolumeClaim, Pod, ResourceQuota, ResourceQuotaStatus, Service
from kcore.api.kind import Kind
from kcore.api.object import Object
from kcore.api.pod_resources import add_resources
from kcore.api.scheme import Scheme
from kcore.client.client import Client, Listed
from kcore.client.informer import Informer
from kcore.client.runner import Controller, MapFunction, Result
from kcore.controllers.context import Context
from kcore.kit.clock import Clock
from kcore.registry.quota.scopes import in_scope
from kcore.registry.quota.usage import is_counted, is_live, tracked_resources, usage_of

__all__ = ["ResourceQuotaController"]

RESYNC = 300.0
# What goes together (a namespace, the pods of a ReplicaSet) is counted together.
PATIENCE = 0.05
BY_NAMESPACE = "namespace"


class ResourceQuotaController(Controller):
    name = "resourcequota-controller"
    root = ResourceQuota

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client: Client = context.client
        self._clock: Clock = context.clock
        self._quotas = context.informers.of(ResourceQuota)
        self._quotas.add_index(BY_NAMESPACE, lambda quota: (quota.metadata.namespace,))
        self._informers = context.informers
        self._followed: set[str] = set()

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {ResourceQuota: self._quota_changed}

    def _quota_changed(self, old: ResourceQuota | None, new: ResourceQuota | None) -> Iterable[str]:
        """What admission charges needs no second look; limits that changed do."""
        if new is not None and (old is None or old.spec != new.spec or new.status.hard != new.spec.hard):
            yield f"{new.metadata.namespace}/{new.metadata.name}"

    def _changed(self, kind: Kind, old: Object | None, new: Object | None) -> None:
        """Only what gives something back: admission has seen the rest."""
        if old is not None and (new is None or self._releases(kind, old, new)):
            self._recount(old.metadata.namespace, kind)

    def _releases(self, kind: Kind, old: Any, new: Any) -> bool:
        now = self._clock.now()
        if isinstance(old, Pod):
            return is_live(old, now) and not is_live(new, now)
        return isinstance(old, Service | PersistentVolumeClaim) and usage_of(kind, old, now) != usage_of(kind, new, now)

    def _recount(self, namespace: str, kind: Kind) -> None:
        for quota in self._quotas.by_index(BY_NAMESPACE, namespace):
            if tracked_resources(kind, quota.spec.hard):
                self.queue.add_after(f"{namespace}/{quota.metadata.name}", PATIENCE)

    async def reconcile(self, key: str) -> Result | None:
        if self._quotas.get(key) is None:
            return None
        namespace, _, name = key.partition("/")
        # Upstream lets this controller list, and nothing else.
        found = await self._client.list(ResourceQuota, namespace, field_selector=f"metadata.name={name}")
        if not found.items:
            return None
        quota = found.items[0]
        used = await self._count(quota)
        if quota.status.hard != quota.spec.hard or not _same(quota.status.used, used):
            status = ResourceQuotaStatus(hard=quota.spec.hard, used=used)
            await self._client.update(replace(quota, status=status), subresource="status")
            # What was on its way to disk while the objects were listed was not counted: it has arrived by now.
            return Result(PATIENCE)
        return Result(RESYNC)

    async def _count(self, quota: ResourceQuota) -> Mapping[str, str]:
        """What the objects of the namespace use of the quota's resources now."""
        hard = quota.spec.hard
        used: dict[str, str] = {}
        now = self._clock.now()
        for kind in _counted_kinds(self._client.scheme):
            tracked = tracked_resources(kind, hard)
            if not tracked:
                continue
            await self._follow(kind)
            used |= dict.fromkeys(tracked, "0")
            listed: Listed[Object] = await self._client.list(kind, quota.metadata.namespace)
            for obj in listed.items:
                if in_scope(quota, obj):
                    usage = usage_of(kind, obj, now)
                    used = add_resources(used, {name: usage[name] for name in tracked & usage.keys()})
        return used

    async def _follow(self, kind: Kind) -> None:
        """Be told from now on of what goes of a kind, which may be a custom one."""
        informer: Informer[Object] = self._informers.of(kind)
        await informer.wait_synced()
        if kind.group_resource not in self._followed:
            self._followed.add(kind.group_resource)
            informer.add_handler(partial(self._changed, kind))


def _counted_kinds(scheme: Scheme) -> Sequence[Kind]:
    """Each stored kind once, whatever views it has."""
    wanted = {"delete", "list", "watch"}
    kinds = {kind.group_resource: kind for kind in scheme if is_counted(kind) and wanted <= set(kind.verbs)}
    return tuple(kinds.values())


def _same(a: Mapping[str, str], b: Mapping[str, str]) -> bool:
    return a.keys() == b.keys() and all(quantity.compare(a[name], b[name]) == 0 for name in a)
