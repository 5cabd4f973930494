"""Every namespace has a ConfigMap with the certificate by which pods know the API server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from kcore.api.core_v1 import ConfigMap, Namespace
from kcore.api.errors import AlreadyExists
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.context import Context

__all__ = ["RootCAPublisher"]

NAME = "kube-root-ca.crt"
DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class RootCAPublisher(Controller):
    """Publishes it, and restores it when somebody changes or deletes it."""

    name = "root-ca-certificate-publisher-controller"
    root = Namespace
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._namespaces = context.informers.of(Namespace)
        self._config_maps = context.informers.of(ConfigMap)
        self._data = {"ca.crt": context.options.root_ca.decode()} if context.options.root_ca else {}

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {ConfigMap: self._changed}

    def _changed(self, old: ConfigMap | None, new: ConfigMap | None) -> Iterator[str]:
        config_map = new or old
        if config_map is not None and config_map.metadata.name == NAME and old is not None:
            yield config_map.metadata.namespace

    async def reconcile(self, key: str) -> None:
        namespace = self._namespaces.get(key)
        if not self._data or namespace is None or namespace.metadata.deletion_timestamp is not None:
            return
        standing = self._config_maps.get_object(key, NAME)
        if standing is not None:
            await self._restore(standing)
            return
        metadata = ObjectMeta(name=NAME, namespace=key, annotations={"kubernetes.io/description": DESCRIPTION})
        try:
            await self._client.create(ConfigMap(metadata=metadata, data=self._data))
        except AlreadyExists:
            return

    async def _restore(self, standing: ConfigMap) -> None:
        annotations = {**standing.metadata.annotations, "kubernetes.io/description": DESCRIPTION}
        if standing.data == self._data and annotations == standing.metadata.annotations:
            return
        metadata = replace(standing.metadata, annotations=annotations)
        await self._client.update(replace(standing, metadata=metadata, data=self._data))
