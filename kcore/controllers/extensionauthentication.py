"""Keeps the ConfigMap from which aggregated API servers learn whom to believe (extension-apiserver-authentication)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from kcore.api.core_v1 import ConfigMap, Namespace
from kcore.api.errors import AlreadyExists
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.client.client import Client
from kcore.client.informer import Informers
from kcore.client.runner import Controller, MapFunction

__all__ = ["ExtensionAuthenticationController"]

KEY = NAMESPACE, NAME = "kube-system", "extension-apiserver-authentication"


class ExtensionAuthenticationController(Controller):
    """Upstream runs the same inside kube-apiserver. What others add to the ConfigMap stays."""

    name = "cluster-authentication-trust"
    root = Namespace
    workers = 1

    def __init__(self, client: Client, informers: Informers, data: Mapping[str, str]) -> None:
        super().__init__()
        self._client = client
        self._namespaces = informers.of(Namespace)
        self._config_maps = informers.of(ConfigMap)
        self._data = data

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {ConfigMap: self._changed}

    def _changed(self, old: ConfigMap | None, new: ConfigMap | None) -> Iterator[str]:
        config_map = new or old
        if config_map is not None and (config_map.metadata.namespace, config_map.metadata.name) == KEY:
            yield NAMESPACE

    async def reconcile(self, key: str) -> None:
        namespace = self._namespaces.get(key)
        if key != NAMESPACE or namespace is None or namespace.metadata.deletion_timestamp is not None:
            return
        standing = self._config_maps.get_object(*KEY)
        if standing is None:
            try:
                metadata = ObjectMeta(name=NAME, namespace=NAMESPACE)
                await self._client.create(ConfigMap(metadata=metadata, data=dict(self._data)))
            except AlreadyExists:
                return
        elif any(standing.data.get(wire) != text for wire, text in self._data.items()):
            await self._client.update(replace(standing, data={**standing.data, **self._data}))
