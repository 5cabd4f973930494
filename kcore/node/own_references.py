"""The objects that the pods of one node name, each looked up by itself: more, the identity of a node may not read.

ConfigMaps and Secrets are followed for as long as a pod names them; claims and their volumes are looked at when a pod
is about to use them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio
import structlog

from kcore.api.core_v1 import ConfigMap, Node, PersistentVolume, PersistentVolumeClaim, Pod, Secret, Service
from kcore.api.errors import ApiError, NotFound
from kcore.api.object import Object
from kcore.api.pod_references import Reference, pod_references
from kcore.client.client import Client
from kcore.client.informer import Informer, Informers
from kcore.node.references import Surroundings

__all__ = ["OwnReferences"]

PATIENCE = 10.0
"""How many seconds a pod waits for what it names to be looked up, before it says that it is not there."""
_FOLLOWED: Mapping[str, type[Object]] = {"configmaps": ConfigMap, "secrets": Secret}

log = structlog.get_logger(__name__)


class OwnReferences(Surroundings):
    """`References` for a kubelet that has its process to itself."""

    def __init__(self, client: Client, informers: Informers, node: str) -> None:
        super().__init__(informers.of(Node, field_selector=f"metadata.name={node}"), informers.of(Service))
        self._client = client
        self._informers = informers
        self._pods = informers.of(Pod, field_selector=f"spec.nodeName={node}")
        self._followed: dict[Reference, Informer[Any]] = {}
        self._claims: dict[Reference, PersistentVolumeClaim] = {}
        self._volumes: dict[str, PersistentVolume] = {}
        self._on_change: Callable[[str], None] = lambda namespace: None

    def follow(self, on_change: Callable[[str], None]) -> None:
        self._on_change = on_change
        self._pods.add_handler(self._pod_changed)

    async def look_for(self, pod: Pod) -> None:
        with anyio.move_on_after(PATIENCE):
            for reference in dict.fromkeys(pod_references(pod)):
                if reference.resource in _FOLLOWED:
                    await self._follow(reference).wait_synced()
                elif reference.resource == "persistentvolumeclaims":
                    await self._look_at_claim(reference)

    def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        found: ConfigMap | None = self._find(Reference("configmaps", namespace, name))
        return found

    def secret(self, namespace: str, name: str) -> Secret | None:
        found: Secret | None = self._find(Reference("secrets", namespace, name))
        return found

    def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        return self._claims.get(Reference("persistentvolumeclaims", namespace, name))

    def volume(self, name: str) -> PersistentVolume | None:
        return self._volumes.get(name)

    def _find(self, reference: Reference) -> Any:
        informer = self._followed.get(reference)
        return informer.get_object(reference.namespace, reference.name) if informer is not None else None

    def _follow(self, reference: Reference) -> Informer[Any]:
        informer = self._followed.get(reference)
        if informer is None:
            kind, only = _FOLLOWED[reference.resource], f"metadata.name={reference.name}"
            informer = self._informers.of(kind, field_selector=only, namespace=reference.namespace)
            informer.add_handler(self._changed)
            self._followed[reference] = informer
        return informer

    async def _look_at_claim(self, reference: Reference) -> None:
        self._claims.pop(reference, None)
        try:
            claim = await self._client.get(PersistentVolumeClaim, reference.name, reference.namespace)
            self._claims[reference] = claim
            if name := claim.spec.volume_name:
                self._volumes[name] = await self._client.get(PersistentVolume, name)
        except NotFound:
            return
        except ApiError as error:
            log.warning("claim not read", claim=reference.name, why=error.message)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        one = new or old
        assert one is not None
        self._on_change(one.metadata.namespace)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        """Follow no more what the last pod named that is gone."""
        if old is None or new is not None:
            return
        named = {reference for pod in self._pods.values() for reference in pod_references(pod)}
        for reference in set(pod_references(old)) - named:
            if (informer := self._followed.pop(reference, None)) is not None:
                self._informers.drop(informer)
            if (claim := self._claims.pop(reference, None)) is not None:
                self._volumes.pop(claim.spec.volume_name, None)
