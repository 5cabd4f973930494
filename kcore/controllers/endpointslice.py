"""The EndpointSlice controller: the addresses behind each Service with a selector, in slices of a hundred."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from kcore.api.core_v1 import Node, Pod, Service
from kcore.api.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.adoption import controller_reference
from kcore.controllers.context import Context
from kcore.controllers.freshness import Freshness
from kcore.controllers.pods import is_ready
from kcore.controllers.servicepods import LAST_CHANGE, ServicePods, TriggerTimes, hostname_in, port_number, reference
from kcore.controllers.slices import Ports, plan

__all__ = ["EndpointSliceController"]

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
ZONE = "topology.kubernetes.io/zone"


class EndpointSliceController(Controller):
    """Follows services and their pods."""

    name = "endpointslice-controller"
    root = Service

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._kind = context.client.scheme.of(Service)
        self._pods = ServicePods(context)
        self._nodes = context.informers.of(Node)
        self._slices = context.informers.of(EndpointSlice)
        self._slices.add_index("service", _service_of)
        self._trigger_times = TriggerTimes()
        self._freshness = Freshness(self._slices)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Pod: self._pods.changed, EndpointSlice: self._slice_changed}

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> Iterator[str]:
        slice_ = new or old
        if slice_ is not None:
            yield from _service_of(slice_)

    async def reconcile(self, key: str) -> None:
        service = self._pods.services.get(key)
        if service is None:
            # Its slices name it as their owner: they are the garbage collector's.
            self._trigger_times.forget(key)
            self._freshness.forget(key)
            return
        if not service.spec.selector or service.spec.type == "ExternalName":
            return
        if not self._freshness.is_fresh(key):
            return  # what was written last will come by, and lead here again
        pods = self._pods.of(service)
        changed_at = self._trigger_times.update(key, service, pods)
        families = service.spec.ip_families or ("IPv4",)
        for family in families:
            await self._fit(key, service, pods, family, changed_at)
        for slice_ in self._slices.by_index("service", key):
            if slice_.address_type not in families:
                await self._delete(key, slice_)

    async def _fit(self, key: str, service: Service, pods: Sequence[Pod], family: str, changed_at: str) -> None:
        wanted: dict[Ports, list[Endpoint]] = {}
        for pod in pods:
            addresses = _addresses(pod, family)
            if addresses:
                ports = _ports(service, pod)
                wanted.setdefault(ports, []).append(self._endpoint(service, pod, addresses))
        standing = [s for s in self._slices.by_index("service", key) if s.address_type == family]
        steps = plan(wanted, standing)
        labels = _labels(service)
        updates = {s.metadata.name: s for s in steps.update}
        doomed = {s.metadata.name for s in steps.delete}
        for slice_ in standing:
            name = slice_.metadata.name
            if name not in doomed and name not in updates and slice_.metadata.labels != labels:
                updates[name] = slice_
        for slice_ in steps.delete:
            await self._delete(key, slice_)
        for slice_ in updates.values():
            await self._update(key, slice_, labels, changed_at)
        for ports_, endpoints in steps.create:
            metadata = self._metadata(service, labels, changed_at)
            new = EndpointSlice(metadata=metadata, address_type=family, endpoints=endpoints, ports=ports_)
            self._freshness.wrote(key, await self._client.create(new))

    def _metadata(self, service: Service, labels: Mapping[str, str], changed_at: str) -> ObjectMeta:
        return ObjectMeta(
            generate_name=f"{service.metadata.name}-",
            namespace=service.metadata.namespace,
            labels=labels,
            annotations={LAST_CHANGE: changed_at} if changed_at else {},
            owner_references=(controller_reference(service, self._kind),),
        )

    async def _update(self, key: str, slice_: EndpointSlice, labels: Mapping[str, str], changed_at: str) -> None:
        annotations = {k: v for k, v in slice_.metadata.annotations.items() if k != LAST_CHANGE}
        if changed_at:
            annotations[LAST_CHANGE] = changed_at
        metadata = replace(slice_.metadata, labels=labels, annotations=annotations)
        self._freshness.wrote(key, await self._client.update(replace(slice_, metadata=metadata)))

    async def _delete(self, key: str, slice_: EndpointSlice) -> None:
        try:
            await self._client.delete(EndpointSlice, slice_.metadata.name, slice_.metadata.namespace)
        except NotFound:
            return
        self._freshness.deleted(key, slice_)

    def _endpoint(self, service: Service, pod: Pod, addresses: tuple[str, ...]) -> Endpoint:
        serving, terminating = is_ready(pod), pod.metadata.deletion_timestamp is not None
        ready = service.spec.publish_not_ready_addresses or (serving and not terminating)
        node = self._nodes.get(pod.spec.node_name)
        return Endpoint(
            addresses=addresses,
            conditions=EndpointConditions(ready=ready, serving=serving, terminating=terminating),
            hostname=hostname_in(pod, service) or None,
            node_name=pod.spec.node_name or None,
            zone=node.metadata.labels.get(ZONE) if node is not None else None,
            target_ref=reference(pod),
        )


def _service_of(slice_: EndpointSlice) -> Iterator[str]:
    """The key of the service that a slice of this controller belongs to."""
    labels = slice_.metadata.labels
    if labels.get(MANAGED_BY) == MANAGER and SERVICE_NAME in labels:
        yield f"{slice_.metadata.namespace}/{labels[SERVICE_NAME]}"


def _addresses(pod: Pod, family: str) -> tuple[str, ...]:
    ips = [entry.ip for entry in pod.status.pod_ips] or [pod.status.pod_ip]
    return tuple(ip for ip in ips if (":" in ip) is (family == "IPv6"))


def _ports(service: Service, pod: Pod) -> Ports:
    return tuple(
        EndpointPort(name=port.name, port=number, protocol=port.protocol or "TCP", app_protocol=port.app_protocol)
        for port in service.spec.ports
        if (number := port_number(pod, port)) is not None
    )


def _labels(service: Service) -> dict[str, str]:
    labels = {k: v for k, v in service.metadata.labels.items() if k not in (SERVICE_NAME, MANAGED_BY, HEADLESS)}
    if service.spec.cluster_ip == "None":
        labels[HEADLESS] = ""
    return {**labels, SERVICE_NAME: service.metadata.name, MANAGED_BY: MANAGER}
