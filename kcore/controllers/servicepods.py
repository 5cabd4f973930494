"""What Endpoints and EndpointSlices have in common: the pods of a Service, their ports, and when it all changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kcore.api.core_v1 import ObjectReference, Pod, Service, ServicePort
from kcore.api.timestamp import parse
from kcore.client.informer import Informer, key_of
from kcore.controllers.context import Context
from kcore.controllers.pods import condition, is_finished, is_ready

__all__ = ["LAST_CHANGE", "ServicePods", "TriggerTimes", "hostname_in", "port_number", "reference"]

LAST_CHANGE = "endpoints.kubernetes.io/last-change-trigger-time"
BY_LABEL = "label"


class ServicePods:
    """Finds the pods of services, and the services of pods."""

    def __init__(self, context: Context) -> None:
        self.services: Informer[Service] = context.informers.of(Service)
        self.services.add_index("namespace", lambda service: (service.metadata.namespace,))
        self._pods: Informer[Pod] = context.informers.of(Pod)
        self._pods.add_index(BY_LABEL, _labels)

    def of(self, service: Service) -> list[Pod]:
        """The pods that the selector matches and that have an address."""
        wanted = service.spec.selector.items()
        label, value = next(iter(wanted))
        candidates = self._pods.by_index(BY_LABEL, f"{service.metadata.namespace}/{label}={value}")
        return [
            pod
            for pod in candidates
            if pod.status.pod_ip and not is_finished(pod) and wanted <= pod.metadata.labels.items()
        ]

    def changed(self, old: Pod | None, new: Pod | None) -> Iterator[str]:
        """The services that a pod's change concerns."""
        if old is not None and new is not None and not _matters(old, new):
            return
        some = new if new is not None else old
        assert some is not None
        for service in self.services.by_index("namespace", some.metadata.namespace):
            wanted = service.spec.selector.items()
            if not wanted:
                continue
            if any(pod is not None and wanted <= pod.metadata.labels.items() for pod in (old, new)):
                yield key_of(service)


def _labels(pod: Pod) -> Iterable[str]:
    namespace = pod.metadata.namespace
    return [f"{namespace}/{key}={value}" for key, value in pod.metadata.labels.items()]


def _matters(old: Pod, new: Pod) -> bool:
    """Whether endpoints can look different after the change."""
    return (
        old.status.pod_ips != new.status.pod_ips
        or old.status.pod_ip != new.status.pod_ip
        or old.metadata.deletion_timestamp != new.metadata.deletion_timestamp
        or is_ready(old) != is_ready(new)
        or is_finished(old) != is_finished(new)
        or old.metadata.labels != new.metadata.labels
        or old.spec.node_name != new.spec.node_name
    )


def port_number(pod: Pod, port: ServicePort) -> int | None:
    """The port of the pod that a service port leads to; a named one is looked up in the containers."""
    target = port.target_port
    if isinstance(target, str):
        containers = (*pod.spec.containers, *(c for c in pod.spec.init_containers if c.restart_policy == "Always"))
        for container in containers:
            for found in container.ports:
                if found.name == target and (found.protocol or "TCP") == (port.protocol or "TCP"):
                    return found.container_port
        return None
    return target or port.port


def hostname_in(pod: Pod, service: Service) -> str:
    """The name that DNS knows the pod by, below the name of its headless service."""
    return pod.spec.hostname if pod.spec.hostname and pod.spec.subdomain == service.metadata.name else ""


def reference(pod: Pod) -> ObjectReference:
    metadata = pod.metadata
    return ObjectReference(kind="Pod", namespace=metadata.namespace, name=metadata.name, uid=metadata.uid)


class TriggerTimes:
    """When what led to a change of endpoints happened: the earliest time among what changed since the last look.

    Upstream measures programming latency by it (`endpoints.kubernetes.io/last-change-trigger-time`).
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Sight] = {}

    def since(self, key: str, service: Service, pods: Iterable[Pod]) -> str:
        """The time to annotate with what is written now; "" for none."""
        before = self._seen.get(key, {})
        changed = [sight[0] for what, sight in _sight(service, pods).items() if sight[0] and sight != before.get(what)]
        return min(changed, key=parse, default="")

    def seen(self, key: str, service: Service, pods: Iterable[Pod]) -> None:
        """It has been written."""
        self._seen[key] = _sight(service, pods)

    def forget(self, key: str) -> None:
        self._seen.pop(key, None)


_Sight = Mapping[str, tuple[str, bool, bool]]
"""By uid: when it changed, and what endpoints show of it (changes within one second are changes, too)."""


def _sight(service: Service, pods: Iterable[Pod]) -> _Sight:
    sight = {"": (service.metadata.creation_timestamp or "", True, False)}
    for pod in pods:
        sight[pod.metadata.uid] = (_changed_at(pod), is_ready(pod), pod.metadata.deletion_timestamp is not None)
    return sight


def _changed_at(pod: Pod) -> str:
    ready = condition(pod, "Ready")
    if ready is not None and ready.last_transition_time:
        return ready.last_transition_time
    return pod.metadata.creation_timestamp or ""
