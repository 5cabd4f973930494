"""Mirrors Endpoints that users write for services without a selector, for those who read EndpointSlices only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kcore.api.core_v1 import EndpointAddress, Endpoints, EndpointSubset, Service
from kcore.api.discovery_v1 import SERVICE_NAME, Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.adoption import controller_reference
from kcore.controllers.context import Context
from kcore.controllers.slices import Ports
from kcore.controllers.slicewriter import MANAGED_BY, SliceWriter

__all__ = ["EndpointSliceMirroringController"]

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
FAMILIES = ("IPv4", "IPv6")
CAPACITY = 1000
"""The most addresses of a subset that are mirrored."""


class EndpointSliceMirroringController(Controller):
    """Follows Endpoints and the services they belong to."""

    name = "endpointslice-mirroring-controller"
    root = Endpoints

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._kind = context.client.scheme.of(Endpoints)
        self._endpoints = context.informers.of(Endpoints)
        self._services = context.informers.of(Service)
        self._slices = SliceWriter(context.client, context.informers, MANAGER)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Service: self._service_changed, EndpointSlice: self._slices.changed}

    def _service_changed(self, old: Service | None, new: Service | None) -> Iterator[str]:
        if old is not None and new is not None and bool(old.spec.selector) == bool(new.spec.selector):
            return
        service = new or old
        if service is not None:
            yield f"{service.metadata.namespace}/{service.metadata.name}"

    async def reconcile(self, key: str) -> None:
        if not self._slices.is_fresh(key):
            return
        endpoints, service = self._endpoints.get(key), self._services.get(key)
        if endpoints is None or service is None or service.spec.selector or not _is_mirrored(endpoints):
            for slice_ in self._slices.of(key):
                await self._slices.delete(key, slice_)
            return
        for family in FAMILIES:
            wanted = _wanted(endpoints, family)
            if wanted:
                await self._slices.write(key, family, wanted, self._metadata(endpoints))
                continue
            for slice_ in self._slices.of(key):
                if slice_.address_type == family:
                    await self._slices.delete(key, slice_)

    def _metadata(self, endpoints: Endpoints) -> ObjectMeta:
        metadata = endpoints.metadata
        return ObjectMeta(
            generate_name=f"{metadata.name}-",
            namespace=metadata.namespace,
            labels={**metadata.labels, SERVICE_NAME: metadata.name, MANAGED_BY: MANAGER},
            annotations={k: v for k, v in metadata.annotations.items() if k != LAST_APPLIED},
            owner_references=(controller_reference(endpoints, self._kind),),
        )


def _is_mirrored(endpoints: Endpoints) -> bool:
    metadata = endpoints.metadata
    return metadata.labels.get(SKIP) != "true" and LEADER not in metadata.annotations


def _wanted(endpoints: Endpoints, family: str) -> dict[Ports, list[Endpoint]]:
    wanted: dict[Ports, list[Endpoint]] = {}
    for subset in endpoints.subsets:
        found = [
            _endpoint(address, ready)
            for addresses, ready in ((subset.addresses, True), (subset.not_ready_addresses, False))
            for address in addresses
            if (":" in address.ip) is (family == "IPv6")
        ]
        if found:
            wanted.setdefault(_ports(subset), []).extend(found[:CAPACITY])
    return wanted


def _endpoint(address: EndpointAddress, ready: bool) -> Endpoint:
    return Endpoint(
        addresses=(address.ip,),
        conditions=EndpointConditions(ready=ready),
        hostname=address.hostname or None,
        node_name=address.node_name,
        target_ref=address.target_ref,
    )


def _ports(subset: EndpointSubset) -> Ports:
    return tuple(
        EndpointPort(name=port.name, port=port.port, protocol=port.protocol or "TCP", app_protocol=port.app_protocol)
        for port in subset.ports
    )
