"""The EndpointSlice controller: the addresses behind each Service with a selector, in slices of a hundred."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

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
from kcore.controllers.topologyhints import NoHints, allocate, cpu_shares, wants_proportional_hints, zone_and_cpus

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
        self._recorder = context.events.recorder("endpoint-slice-controller")
        self._hinted: dict[str, dict[str, bool]] = {}
        """Of each service that wants hints by CPUs, whether each address family has them."""
        self._slices = SliceWriter(context.client, context.informers, MANAGER)
        self._trigger_times = TriggerTimes()

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Pod: self._pods.changed, EndpointSlice: self._slices.changed, Node: self._node_changed}

    def _node_changed(self, old: Node | None, new: Node | None) -> Iterator[str]:
        """Only hints by CPUs depend on nodes on which there is no endpoint."""
        if self._hinted and (old and zone_and_cpus(old)) != (new and zone_and_cpus(new)):
            yield from self._hinted

    async def reconcile(self, key: str) -> None:
        service = self._pods.services.get(key)
        if service is None:
            # Its slices name it as their owner: they are the garbage collector's.
            self._trigger_times.forget(key)
            self._slices.forget(key)
            self._hinted.pop(key, None)
            return
        if not service.spec.selector or service.spec.type == "ExternalName" or not self._slices.is_fresh(key):
            return
        pods = self._pods.of(service)
        metadata = self._metadata(service, self._trigger_times.since(key, service, pods))
        families = service.spec.ip_families or ("IPv4",)
        for family in families:
            endpoints = self._endpoints(service, pods, family)
            if wants_proportional_hints(service):
                endpoints = self._share_out(key, service, family, endpoints)
            await self._slices.write(key, family, endpoints, metadata)
        if not wants_proportional_hints(service):
            self._hinted.pop(key, None)
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

    def _share_out(
        self, key: str, service: Service, family: str, endpoints: dict[Ports, list[Endpoint]]
    ) -> dict[Ports, list[Endpoint]]:
        """With hints by the CPUs of zones, or without any."""
        ready = [e for each in endpoints.values() for e in each if e.conditions.ready]
        why = ""
        try:
            zones = iter(allocate([e.zone or "" for e in ready], cpu_shares(self._nodes.values())))
        except NoHints as error:
            zones, why = iter(()), str(error)
        hinted = self._hinted.setdefault(key, {})
        if hinted.get(family) is not (not why):
            self._tell_of_hints(service, family, why)
        hinted[family] = not why
        if why:
            return {ports: [replace(e, hints=None) for e in each] for ports, each in endpoints.items()}
        return {
            ports: [replace(e, hints=_for_zone(next(zones)) if e.conditions.ready else None) for e in each]
            for ports, each in endpoints.items()
        }

    def _tell_of_hints(self, service: Service, family: str, why: str) -> None:
        if why:
            message = f"Topology Aware Hints has been disabled, addressType: {family}: {why}"
            self._recorder.event(service, "Warning", "TopologyAwareHintsDisabled", message)
        else:
            message = f"Topology Aware Hints has been enabled, addressType: {family}"
            self._recorder.event(service, "Normal", "TopologyAwareHintsEnabled", message)

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
    if wish not in ("PreferClose", "PreferSameZone", "PreferSameNode"):
        return None
    zones = (ForZone(name=zone),) if zone else ()
    nodes = (ForNode(name=pod.spec.node_name),) if wish == "PreferSameNode" and pod.spec.node_name else ()
    return EndpointHints(for_zones=zones, for_nodes=nodes) if zones or nodes else None


def _for_zone(zone: str) -> EndpointHints:
    return EndpointHints(for_zones=(ForZone(name=zone),))


def _addresses(pod: Pod, family: str) -> tuple[str, ...]:
    ips = [entry.ip for entry in pod.status.pod_ips] or [pod.status.pod_ip]
    return tuple(ip for ip in ips if (":" in ip) is (family == "IPv6"))


def _ports(service: Service, pod: Pod) -> Ports:
    return tuple(
        EndpointPort(name=port.name, port=number, protocol=port.protocol or "TCP", app_protocol=port.app_protocol)
        for port in service.spec.ports
        if (number := port_number(pod, port)) is not None
    )
