"""Writes the EndpointSlices of one controller: what `slices.plan` says, and never twice."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from kcore.api.discovery_v1 import SERVICE_NAME, Endpoint, EndpointSlice
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.client.client import Client
from kcore.client.informer import Informers
from kcore.controllers.freshness import Freshness
from kcore.controllers.slices import Ports, plan

__all__ = ["MANAGED_BY", "SliceWriter"]

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"


class SliceWriter:
    """Of all slices, those that `manager` manages. A key is that of the service they belong to."""

    def __init__(self, client: Client, informers: Informers, manager: str) -> None:
        self._client = client
        self._manager = manager
        self._slices = informers.of(EndpointSlice)
        self._slices.add_index(manager, self.keys)
        self._freshness = Freshness(self._slices)

    def keys(self, slice_: EndpointSlice) -> Iterator[str]:
        """The key of the service that a slice of this manager belongs to."""
        labels = slice_.metadata.labels
        if labels.get(MANAGED_BY) == self._manager and SERVICE_NAME in labels:
            yield f"{slice_.metadata.namespace}/{labels[SERVICE_NAME]}"

    def changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> Iterator[str]:
        """From changes to keys."""
        slice_ = new or old
        return self.keys(slice_) if slice_ is not None else iter(())

    def is_fresh(self, key: str) -> bool:
        """Whether the cache shows what was written last. If not, it soon will, and that is a change of its own."""
        return self._freshness.is_fresh(key)

    def forget(self, key: str) -> None:
        self._freshness.forget(key)

    def of(self, key: str) -> list[EndpointSlice]:
        return self._slices.by_index(self._manager, key)

    async def write(self, key: str, family: str, wanted: dict[Ports, list[Endpoint]], metadata: ObjectMeta) -> None:
        """Make the slices of an address family show `wanted`. New ones get `metadata`; changed ones its labels and
        annotations; others are touched only where their labels differ."""
        standing = [slice_ for slice_ in self.of(key) if slice_.address_type == family]
        steps = plan(wanted, standing)
        updates = {s.metadata.name: s for s in steps.update}
        doomed = {s.metadata.name for s in steps.delete}
        for slice_ in standing:
            name = slice_.metadata.name
            if name not in doomed and name not in updates and slice_.metadata.labels != metadata.labels:
                updates[name] = slice_
        for slice_ in steps.delete:
            await self.delete(key, slice_)
        for slice_ in updates.values():
            changed = replace(slice_.metadata, labels=metadata.labels, annotations=metadata.annotations)
            self._freshness.wrote(key, await self._client.update(replace(slice_, metadata=changed)))
        for ports, endpoints in steps.create:
            new = EndpointSlice(metadata=metadata, address_type=family, endpoints=endpoints, ports=ports)
            self._freshness.wrote(key, await self._client.create(new))

    async def delete(self, key: str, slice_: EndpointSlice) -> None:
        try:
            await self._client.delete(EndpointSlice, slice_.metadata.name, slice_.metadata.namespace)
        except NotFound:
            return
        self._freshness.deleted(key, slice_)
