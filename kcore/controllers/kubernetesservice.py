"""Keeps the Service `default/kubernetes`, by which pods reach the API server, and its endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from kcore.api.core_v1 import (
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
    Service,
    ServicePort,
    ServiceSpec,
)
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.client.client import Client
from kcore.client.ensure import ensure
from kcore.client.runner import Controller, MapFunction

__all__ = ["KubernetesServiceController"]

KEY = "default/kubernetes"
NAMESPACE, NAME = KEY.split("/")


class KubernetesServiceController(Controller):
    """Upstream runs the same inside kube-apiserver.

    `address` is where the API server listens; "" where only this machine can reach it, as no Endpoints may name a
    loopback address: then the Service has none.
    """

    name = "kubernetes-service-controller"
    root = Service
    workers = 1

    def __init__(self, client: Client, *, cluster_ip: str, address: str, port: int) -> None:
        super().__init__()
        self._client = client
        self._cluster_ip = cluster_ip
        self._address = address
        self._port = port
        self.queue.add(KEY)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Service: self._concerned, Endpoints: self._concerned}

    def _concerned(self, old: Any, new: Any) -> Iterable[str]:
        metadata = (new or old).metadata
        if metadata.namespace == NAMESPACE and metadata.name == NAME:
            yield KEY

    async def reconcile(self, key: str) -> None:
        await ensure(self._client, self._service())
        if not self._address:
            return
        wanted = self._endpoints()
        await ensure(self._client, wanted)
        standing = await self._client.get(Endpoints, NAME, NAMESPACE)
        if standing.subsets != wanted.subsets:  # written by another life of this server, on another port perhaps
            await self._client.update(replace(standing, subsets=wanted.subsets))

    def _metadata(self) -> ObjectMeta:
        labels = {"component": "apiserver", "provider": "kubernetes"}
        return ObjectMeta(name=NAME, namespace=NAMESPACE, labels=labels)

    def _service(self) -> Service:
        port = ServicePort(name="https", protocol="TCP", port=443, target_port=self._port)
        spec = ServiceSpec(
            cluster_ip=self._cluster_ip, cluster_ips=(self._cluster_ip,), ports=(port,), type="ClusterIP"
        )
        return Service(metadata=self._metadata(), spec=spec)

    def _endpoints(self) -> Endpoints:
        port = EndpointPort(name="https", port=self._port, protocol="TCP")
        subset = EndpointSubset(addresses=(EndpointAddress(ip=self._address),), ports=(port,))
        # Its slice is the mirroring controller's work here; upstream's API server writes that one too.
        return Endpoints(metadata=self._metadata(), subsets=(subset,))
