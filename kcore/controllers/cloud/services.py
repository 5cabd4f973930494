"""The service controller: a load balancer of the cloud for each Service that wants one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from kcore.api.core_v1 import LoadBalancerIngress, LoadBalancerStatus, Node, Service
from kcore.api.object import Object
from kcore.client.informer import key_of
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.cloud.provider import CloudError, LoadBalancers, MemoryLoadBalancers
from kcore.controllers.context import Context
from kcore.controllers.nodes import is_ready

__all__ = ["ServiceController"]

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
GOING = "ToBeDeletedByClusterAutoscaler"


class ServiceController(Controller):
    """Without a cloud it leaves Services alone."""

    name = "service-lb-controller"
    root = Service
    workers = 1

    def __init__(self, context: Context, cloud: LoadBalancers | None = None) -> None:
        super().__init__()
        self._client = context.client
        self._recorder = context.events.recorder("service-controller")
        self._services = context.informers.of(Service)
        self._nodes = context.informers.of(Node)
        cidr = context.options.load_balancer_cidr
        self._cloud = cloud or (MemoryLoadBalancers(cidr) if cidr else None)
        self._served: dict[str, tuple[object, tuple[str, ...]]] = {}

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Service: self._service_changed, Node: self._node_changed}

    def _service_changed(self, old: Service | None, new: Service | None) -> Iterator[str]:
        """Services known at the start pass here before the first is looked at."""
        if new is None:
            assert old is not None
            self._served.pop(key_of(old), None)
            return
        if old is None and self._cloud is not None:
            self._cloud.remember((new,))
        if _wants(new) or FINALIZER in new.metadata.finalizers:
            yield key_of(new)

    def _node_changed(self, old: Node | None, new: Node | None) -> Iterator[str]:
        if (old is not None and _is_eligible(old)) != (new is not None and _is_eligible(new)):
            yield from self._served

    async def reconcile(self, key: str) -> None:
        service = self._services.get(key)
        if service is None or self._cloud is None:
            return
        if _wants(service):
            await self._provide(self._cloud, key, service)
        elif FINALIZER in service.metadata.finalizers:
            await self._take_down(self._cloud, key, service)

    async def _provide(self, cloud: LoadBalancers, key: str, service: Service) -> None:
        nodes = tuple(sorted(n.metadata.name for n in self._nodes.values() if _is_eligible(n)))
        wish, shown = _wish(service), service.status.load_balancer.ingress
        served = self._served.get(key)
        if served == (wish, nodes) and shown:
            return
        if served is not None and served[0] == wish and shown:
            await cloud.update(service, nodes)
            self._recorder.event(service, "Normal", "UpdatedLoadBalancer", "Updated load balancer with new hosts")
        else:
            await self._ensure(cloud, service, nodes)
        self._served[key] = wish, nodes

    async def _ensure(self, cloud: LoadBalancers, service: Service, nodes: Sequence[str]) -> None:
        self._recorder.event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer")
        if FINALIZER not in service.metadata.finalizers:
            finalizers = (*service.metadata.finalizers, FINALIZER)
            metadata = replace(service.metadata, finalizers=finalizers)
            service = await self._client.update(replace(service, metadata=metadata), subresource="status")
        try:
            addresses = await cloud.ensure(service, nodes)
        except CloudError as error:
            message = f"Error syncing load balancer: failed to ensure load balancer: {error}"
            self._recorder.event(service, "Warning", "SyncLoadBalancerFailed", message)
            raise
        ingress = tuple(LoadBalancerIngress(ip=address, ip_mode="VIP") for address in addresses)
        await self._show(service, ingress)
        self._recorder.event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")

    async def _take_down(self, cloud: LoadBalancers, key: str, service: Service) -> None:
        self._recorder.event(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer")
        await cloud.delete(service)
        self._served.pop(key, None)
        service = await self._show(service, ())
        finalizers = tuple(f for f in service.metadata.finalizers if f != FINALIZER)
        metadata = replace(service.metadata, finalizers=finalizers)
        await self._client.update(replace(service, metadata=metadata), subresource="status")
        self._recorder.event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer")

    async def _show(self, service: Service, ingress: tuple[LoadBalancerIngress, ...]) -> Service:
        if service.status.load_balancer.ingress == ingress:
            return service
        status = replace(service.status, load_balancer=LoadBalancerStatus(ingress=ingress))
        return await self._client.update(replace(service, status=status), subresource="status")


def _wants(service: Service) -> bool:
    """Load balancers of a class are somebody else's."""
    return (
        service.metadata.deletion_timestamp is None
        and service.spec.type == "LoadBalancer"
        and service.spec.load_balancer_class is None
    )


def _wish(service: Service) -> object:
    """All that a load balancer is made by."""
    spec, metadata = service.spec, service.metadata
    return (
        metadata.uid,
        spec.ports,
        spec.session_affinity,
        spec.load_balancer_ip,
        spec.load_balancer_source_ranges,
        spec.external_traffic_policy,
        spec.health_check_node_port,
        metadata.annotations,
    )


def _is_eligible(node: Node) -> bool:
    """Whether a load balancer may send anything to the node."""
    return (
        is_ready(node)
        and node.metadata.deletion_timestamp is None
        and EXCLUDED not in node.metadata.labels
        and not any(taint.key == GOING for taint in node.spec.taints)
    )
