"""The objects that pods name. Where a process has caches of them all anyway, they are taken from there."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from kcore.api.core_v1 import ConfigMap, Node, PersistentVolume, PersistentVolumeClaim, Pod, Secret, Service
from kcore.api.object import Object
from kcore.client.informer import Informer, Informers
from kcore.node.registration import internal_ip

__all__ = ["Lookup", "References", "SharedReferences", "Surroundings", "decoded"]


def decoded(data: str) -> bytes:
    """A value of a Secret."""
    return base64.b64decode(data)


class Lookup(Protocol):
    """The objects of a namespace that fill environments and files."""

    def config_map(self, namespace: str, name: str) -> ConfigMap | None: ...

    def secret(self, namespace: str, name: str) -> Secret | None: ...


class References(Lookup, Protocol):
    """What a kubelet needs to know beside its pods."""

    def follow(self, on_change: Callable[[str], None]) -> None:
        """Call `on_change` with the namespace in which something changed that a pod may wait for or show."""

    async def look_for(self, pod: Pod) -> None:
        """Know from now on whether what a pod names is there, and what it is."""

    def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None: ...

    def volume(self, name: str) -> PersistentVolume | None: ...

    def services(self) -> Iterable[Service]: ...

    def allocatable(self, pod: Pod) -> Mapping[str, str]:
        """What the pod's node has to give."""

    def host_ip(self, pod: Pod) -> str: ...


class Surroundings:
    """What every kubelet follows: Services, and its nodes."""

    def __init__(self, nodes: Informer[Node], services: Informer[Service]) -> None:
        self._nodes = nodes
        self._services = services

    def services(self) -> Iterable[Service]:
        return list(self._services.values())

    def allocatable(self, pod: Pod) -> Mapping[str, str]:
        node = self._nodes.get(pod.spec.node_name)
        return node.status.allocatable if node is not None else {}

    def host_ip(self, pod: Pod) -> str:
        node = self._nodes.get(pod.spec.node_name)
        return internal_ip(node) if node is not None else ""


class SharedReferences(Surroundings):
    """Out of the caches that the whole process shares."""

    def __init__(self, informers: Informers) -> None:
        super().__init__(informers.of(Node), informers.of(Service))
        self._config_maps = informers.of(ConfigMap)
        self._secrets = informers.of(Secret)
        self._claims = informers.of(PersistentVolumeClaim)
        self._volumes = informers.of(PersistentVolume)

    async def look_for(self, pod: Pod) -> None:
        pass

    def follow(self, on_change: Callable[[str], None]) -> None:
        def changed(old: Object | None, new: Object | None) -> None:
            one = new or old
            assert one is not None
            on_change(one.metadata.namespace)

        for informer in (self._config_maps, self._secrets, self._claims):
            informer.add_handler(changed)

    def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        return self._config_maps.get_object(namespace, name)

    def secret(self, namespace: str, name: str) -> Secret | None:
        return self._secrets.get_object(namespace, name)

    def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        return self._claims.get_object(namespace, name)

    def volume(self, name: str) -> PersistentVolume | None:
        return self._volumes.get(name)
