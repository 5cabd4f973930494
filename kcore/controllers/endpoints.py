"""The Endpoints controller: one object for each Service with a selector, listing the addresses behind it.

Superseded by EndpointSlices, but still what `kubectl get endpoints` and old clients read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from kcore.api.core_v1 import EndpointAddress, EndpointPort, Endpoints, EndpointSubset, Pod, Service
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import Object
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.context import Context
from kcore.controllers.pods import is_ready
from kcore.controllers.servicepods import LAST_CHANGE, ServicePods, TriggerTimes, hostname_in, port_number, reference

__all__ = ["EndpointsController"]

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
HEADLESS = "service.kubernetes.io/headless"
CAPACITY = 1000

Subsets = tuple[EndpointSubset, ...]


class EndpointsController(Controller):
    """Follows services and their pods."""

    name = "endpoint-controller"
    root = Service

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._pods = ServicePods(context)
        self._endpoints = context.informers.of(Endpoints)
        self._trigger_times = TriggerTimes()

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Pod: self._pods.changed, Endpoints: self._endpoints_changed}

    def _endpoints_changed(self, old: Endpoints | None, new: Endpoints | None) -> Iterator[str]:
        """Somebody deleted what has to be there, or left behind what has not."""
        endpoints = old or new
        if endpoints is not None and (old is None or new is None):
            yield f"{endpoints.metadata.namespace}/{endpoints.metadata.name}"

    async def reconcile(self, key: str) -> None:
        service = self._pods.services.get(key)
        standing = self._endpoints.get(key)
        if service is None:
            self._trigger_times.forget(key)
            if standing is not None and MANAGED_BY in standing.metadata.labels:
                await self._delete(standing)
            return
        if not service.spec.selector:
            return
        pods = self._pods.of(service)
        subsets, truncated = _subsets(service, pods)
        changed_at = self._trigger_times.since(key, service, pods)
        await self._write(service, standing, subsets, truncated, changed_at)
        self._trigger_times.seen(key, service, pods)

    async def _write(
        self, service: Service, standing: Endpoints | None, subsets: Subsets, truncated: bool, changed_at: str
    ) -> None:
        annotations = dict(standing.metadata.annotations) if standing is not None else {}
        annotations.pop(OVER_CAPACITY, None)
        if truncated:
            annotations[OVER_CAPACITY] = "truncated"
        labels = _labels(service)
        if standing is not None:
            capacity = OVER_CAPACITY in standing.metadata.annotations
            if (standing.subsets, standing.metadata.labels, capacity) == (subsets, labels, truncated):
                return
        annotations.pop(LAST_CHANGE, None)
        if changed_at:
            annotations[LAST_CHANGE] = changed_at
        if standing is None:
            metadata = ObjectMeta(
                name=service.metadata.name,
                namespace=service.metadata.namespace,
                labels=labels,
                annotations=annotations,
            )
            await self._client.create(Endpoints(metadata=metadata, subsets=subsets))
            return
        metadata = replace(standing.metadata, labels=labels, annotations=annotations)
        await self._client.update(replace(standing, metadata=metadata, subsets=subsets))

    async def _delete(self, endpoints: Endpoints) -> None:
        try:
            await self._client.delete(Endpoints, endpoints.metadata.name, endpoints.metadata.namespace)
        except NotFound:
            return


def _labels(service: Service) -> dict[str, str]:
    labels = {**service.metadata.labels, MANAGED_BY: "endpoint-controller"}
    labels.pop(HEADLESS, None)
    if service.spec.cluster_ip == "None":
        labels[HEADLESS] = ""
    return labels


def _subsets(service: Service, pods: Sequence[Pod]) -> tuple[Subsets, bool]:
    """The addresses by the ports that they have, in a steady order; and whether some had to be left out."""
    groups: dict[tuple[EndpointPort, ...], tuple[list[EndpointAddress], list[EndpointAddress]]] = {}
    all_ready = service.spec.publish_not_ready_addresses
    candidates = [pod for pod in pods if all_ready or pod.metadata.deletion_timestamp is None]
    # Ready ones first, so that they are the ones that stay within the capacity.
    candidates.sort(key=lambda pod: (not (all_ready or is_ready(pod)), pod.status.pod_ip, pod.metadata.uid))
    for pod in candidates[:CAPACITY]:
        ports = _ports(service, pod)
        if not ports and service.spec.ports:
            continue
        ready, not_ready = groups.setdefault(ports, ([], []))
        (ready if all_ready or is_ready(pod) else not_ready).append(_address(service, pod))
    subsets = (
        EndpointSubset(addresses=tuple(ready), not_ready_addresses=tuple(not_ready), ports=ports)
        for ports, (ready, not_ready) in groups.items()
    )
    ordered = sorted(subsets, key=lambda subset: [(p.port, p.name, p.protocol) for p in subset.ports])
    return tuple(ordered), len(candidates) > CAPACITY


def _ports(service: Service, pod: Pod) -> tuple[EndpointPort, ...]:
    return tuple(
        EndpointPort(name=port.name, port=number, protocol=port.protocol, app_protocol=port.app_protocol)
        for port in service.spec.ports
        if (number := port_number(pod, port)) is not None
    )


def _address(service: Service, pod: Pod) -> EndpointAddress:
    return EndpointAddress(
        ip=pod.status.pod_ip,
        hostname=hostname_in(pod, service),
        node_name=pod.spec.node_name or None,
        target_ref=reference(pod),
    )
