"""How much of which quota resource an object uses, and which resources its kind is counted under.

Every kind is counted as `count/<resource>.<group>`; pods, Services and claims use more than their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from kcore.api import quantity
from kcore.api.core_v1 import Container, PersistentVolumeClaim, Pod, PodSpec, Service
from kcore.api.kind import Kind
from kcore.api.pod_resources import ResourceList, is_pod_level, pod_limits, pod_requests
from kcore.api.timestamp import parse
from kcore.registry.validation.resources import is_extended_resource

__all__ = ["is_counted", "is_live", "tracked_resources", "unspecified_resources", "usage_of"]

_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_HUGE_PAGES = "hugepages-"
_REQUESTS = "requests."
_CLASS_STORAGE = ".storageclass.storage.k8s.io/requests.storage"
_CLASS_CLAIMS = ".storageclass.storage.k8s.io/persistentvolumeclaims"
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"

# The plain names of before `count/`.
_PLAIN = frozenset(("replicationcontrollers", "secrets", "configmaps", "resourcequotas"))
_UNCOUNTED = frozenset(("events", "bindings"))

_POD = frozenset(
    ("count/pods", "pods", *_COMPUTE, *(f"requests.{r}" for r in _COMPUTE), *(f"limits.{r}" for r in _COMPUTE))
)
_SERVICE = frozenset(("count/services", "services", "services.nodeports", "services.loadbalancers"))
_CLAIM = frozenset(("count/persistentvolumeclaims", "persistentvolumeclaims", "requests.storage"))
# What each container must say, where a quota limits it: a habit of old that upstream keeps.
_SPECIFIED = frozenset(("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"))


def is_counted(kind: Kind) -> bool:
    return kind.namespaced and kind.plural not in _UNCOUNTED and "create" in kind.verbs


def tracked_resources(kind: Kind, names: Iterable[str]) -> set[str]:
    """Those of the names that objects of a kind may use."""
    tracks = _TRACKS.get(kind.type)
    if tracks is None:
        return {n for n in names if n == f"count/{kind.group_resource}" or (n in _PLAIN and n == kind.group_resource)}
    return {n for n in names if tracks(n)}


def _tracks_pods(name: str) -> bool:
    if name in _POD or name.startswith((_HUGE_PAGES, _REQUESTS + _HUGE_PAGES)):
        return True
    return name.startswith(_REQUESTS) and is_extended_resource(name.removeprefix(_REQUESTS))


def _tracks_claims(name: str) -> bool:
    return name in _CLAIM or name.endswith((_CLASS_STORAGE, _CLASS_CLAIMS))


_TRACKS: Mapping[type[Any], Callable[[str], bool]] = {
    Pod: _tracks_pods,
    Service: _SERVICE.__contains__,
    PersistentVolumeClaim: _tracks_claims,
}


def usage_of(kind: Kind, obj: Any, now: float) -> dict[str, str]:
    """What an object uses."""
    used = {f"count/{kind.group_resource}": "1"}
    if isinstance(obj, Pod):
        if is_live(obj, now):
            used["pods"] = "1"
            used |= _compute(pod_requests(obj.spec), pod_limits(obj.spec))
    elif isinstance(obj, Service):
        used |= _service(obj)
    elif isinstance(obj, PersistentVolumeClaim):
        used |= _claim(obj)
    elif kind.group_resource in _PLAIN:
        used[kind.group_resource] = "1"
    return used


def is_live(pod: Pod, now: float) -> bool:
    """Whether a pod still uses what it asks for: it has not ended, nor is its deletion overdue."""
    if pod.status.phase in ("Succeeded", "Failed"):
        return False
    metadata = pod.metadata
    if metadata.deletion_timestamp is None or metadata.deletion_grace_period_seconds is None:
        return True
    return now <= parse(metadata.deletion_timestamp) + metadata.deletion_grace_period_seconds


def _compute(requests: ResourceList, limits: ResourceList) -> dict[str, str]:
    used: dict[str, str] = {}
    for name, amount in requests.items():
        if name in _COMPUTE or name.startswith(_HUGE_PAGES):
            used[name] = used[_REQUESTS + name] = amount
        elif is_extended_resource(name):
            used[_REQUESTS + name] = amount
    used.update((f"limits.{name}", limits[name]) for name in _COMPUTE if name in limits)
    return used


def _service(service: Service) -> dict[str, str]:
    spec = service.spec
    balancers = node_ports = 0
    if spec.type == "NodePort":
        node_ports = len(spec.ports)
    elif spec.type == "LoadBalancer":
        balancers = 1
        allocated = spec.allocate_load_balancer_node_ports is not False
        node_ports = len(spec.ports) if allocated else sum(bool(p.node_port) for p in spec.ports)
    return {"services": "1", "services.nodeports": str(node_ports), "services.loadbalancers": str(balancers)}


def _claim(claim: PersistentVolumeClaim) -> dict[str, str]:
    used = {"persistentvolumeclaims": "1"}
    class_name = claim.metadata.annotations.get(_CLASS_ANNOTATION) or claim.spec.storage_class_name or ""
    if class_name:
        used[class_name + _CLASS_CLAIMS] = "1"
    size = claim.spec.resources.requests.get("storage")
    if size is not None:
        allocated = claim.status.allocated_resources.get("storage")
        if allocated is not None and quantity.compare(allocated, size) > 0:
            size = allocated  # an expansion that failed and was taken back still counts (KEP-1790)
        used["requests.storage"] = size
        if class_name:
            used[class_name + _CLASS_STORAGE] = size
    return used


def unspecified_resources(spec: PodSpec, required: Iterable[str]) -> dict[str, list[str]]:
    """Which containers leave out which of the required resources, by resource; none, where the pod speaks for them."""
    whole = spec.resources
    if whole is not None and any(is_pod_level(name) for name in (*whole.requests, *whole.limits)):
        return {}
    wanted = _SPECIFIED.intersection(required)
    missing: dict[str, list[str]] = {}
    for resource, container in _missing(wanted, (*spec.containers, *spec.init_containers)):
        missing.setdefault(resource, []).append(container)
    return {resource: sorted(set(containers)) for resource, containers in sorted(missing.items())}


def _missing(wanted: frozenset[str], containers: Iterable[Container]) -> Iterator[tuple[str, str]]:
    for container in containers:
        for resource in wanted - _compute(container.resources.requests, container.resources.limits).keys():
            yield resource, container.name
