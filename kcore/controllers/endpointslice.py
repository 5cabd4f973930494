"""The EndpointSlice controller: the addresses behind each Service with a selector, in slices of a hundred."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kcore.api.core_v1 import Node, Pod, Service
from kcore.api.discovery_v1 import (
    SERVICE_NAME,
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    EndpointSlice,
    ForNode,
    ForZone,
)
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.adoption import controller_reference
from kcore.controllers.context import Context
from kcore.controllers.pods import is_ready
from kcore.controllers.servicepods import LAST_CHANGE, ServicePods, TriggerTimes, hostname_in, port_number, reference
from kcore.controllers.slices import Ports
from kcore.controllers.slicewriter import MANAGED_BY, SliceWriter

__all__ = ["EndpointSliceController"]

MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
ZONE = "topology.kubernetes.io/zone"


class EndpointSliceController(Controller):
    """Follows services and their pods."""

    name = "endpointslice-controller"
    root = Service

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._kind = context.client.scheme.of(Service)
        self._pods = ServicePods(context)
        self._nodes = context.informers.of(Node)
        self._slices = SliceWriter(context.client, context.informers, MANAGER)
        self._trigger_times = TriggerTimes()

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Pod: self._pods.changed, EndpointSlice: self._slices.changed}

    async def reconcile(self, key: str) -> None:
        service = self._pods.services.get(key)
        if service is None:
            # Its slices name it as their owner: they are the garbage collector's.
            self._trigger_times.forget(key)
            self._slices.forget(key)
            return
        if not service.spec.selector or service.spec.type == "ExternalName" or not self._slices.is_fresh(key):
            return
        pods = self._pods.of(service)
        metadata = self._metadata(service, self._trigger_times.since(key, service, pods))
        families = service.spec.ip_families or ("IPv4",)
        for family in families:
            await self._slices.write(key, family, self._endpoints(service, pods, family), metadata)
        for slice_ in self._slices.of(key):
            if slice_.address_type not in families:
                await self._slices.delete(key, slice_)
        self._trigger_times.seen(key, service, pods)

    def _endpoints(self, service: Service, pods: Sequence[Pod], family: str) -> dict[Ports, list[Endpoint]]:
        endpoints: dict[Ports, list[Endpoint]] = {}
        for pod in pods:
            addresses = _addresses(pod, family)
            if addresses:
                endpoints.setdefault(_ports(service, pod), []).append(self._endpoint(service, pod, addresses))
        return endpoints

    def _endpoint(self, service: Service, pod: Pod, addresses: tuple[str, ...]) -> Endpoint:
        serving, terminating = is_ready(pod), pod.metadata.deletion_timestamp is not None
        ready = service.spec.publish_not_ready_addresses or (serving and not terminating)
        node = self._nodes.get(pod.spec.node_name)
        zone = node.metadata.labels.get(ZONE) if node is not None else None
        return Endpoint(
            addresses=addresses,
            conditions=EndpointConditions(ready=ready, serving=serving, terminating=terminating),
            hostname=hostname_in(pod, service) or None,
            node_name=pod.spec.node_name or None,
            zone=zone,
            target_ref=reference(pod),
            hints=_hints(service, pod, zone) if ready else None,
        )

    def _metadata(self, service: Service, changed_at: str) -> ObjectMeta:
        """What every slice of the service is told by."""
        labels = {k: v for k, v in service.metadata.labels.items() if k not in (SERVICE_NAME, MANAGED_BY, HEADLESS)}
        if service.spec.cluster_ip == "None":
            labels[HEADLESS] = ""
        return ObjectMeta(
            generate_name=f"{service.metadata.name}-",
            namespace=service.metadata.namespace,
            labels={**labels, SERVICE_NAME: service.metadata.name, MANAGED_BY: MANAGER},
            annotations={LAST_CHANGE: changed_at} if changed_at else {},
            owner_references=(controller_reference(service, self._kind),),
        )


def _hints(service: Service, pod: Pod, zone: str | None) -> EndpointHints | None:
    """From where traffic should come to an endpoint (KEP-4444, KEP-3015): its own zone, and first of all its node."""
    wish = service.spec.traffic_distribution
    if wish not in ("PreferClose", "PreferSameZone", "PreferSameNode") or not zone:
        return None
    nodes = (ForNode(name=pod.spec.node_name),) if wish == "PreferSameNode" else ()
    return EndpointHints(for_zones=(ForZone(name=zone),), for_nodes=nodes)


def _addresses(pod: Pod, family: str) -> tuple[str, ...]:
    ips = [entry.ip for entry in pod.status.pod_ips] or [pod.status.pod_ip]
    return tuple(ip for ip in ips if (":" in ip) is (family == "IPv6"))


def _ports(service: Service, pod: Pod) -> Ports:
    return tuple(
        EndpointPort(name=port.name, port=number, protocol=port.protocol or "TCP", app_protocol=port.app_protocol)
        for port in service.spec.ports
        if (number := port_number(pod, port)) is not None
    )
