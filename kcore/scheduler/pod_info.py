"""A pod as the scheduler sees it: what it asks of a node, worked out once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from kcore.api.core_v1 import Container, Pod, PodSpec
from kcore.api.pod_claims import claims_of
from kcore.api.quantity import int_value, milli_value
from kcore.api.timestamp import parse
from kcore.client.informer import key_of
from kcore.scheduler.affinity_term import terms_of

__all__ = ["DEFAULT_CPU", "DEFAULT_MEMORY", "HostPort", "Kin", "PodInfo", "amount", "kin_of", "requests_of"]

DEFAULT_CPU = 100
DEFAULT_MEMORY = 200 * 1024 * 1024
"""What scoring assumes of a container that requests nothing, so that such pods spread, too."""
DEFAULTS = {"cpu": DEFAULT_CPU, "memory": DEFAULT_MEMORY}


class HostPort(NamedTuple):
    """A port that a pod takes on its node; `ip` `0.0.0.0` is every address."""

    ip: str
    protocol: str
    port: int


class Kin(NamedTuple):
    """What selectors see of a pod. Pods that share it are counted together."""

    namespace: str
    labels: frozenset[tuple[str, str]]
    terminating: bool = False


@lru_cache(maxsize=65536)
def _kin(namespace: str, labels: frozenset[tuple[str, str]], terminating: bool) -> Kin:
    """One object for all pods of a kin."""
    return Kin(namespace, labels, terminating)


def kin_of(pod: Pod) -> Kin:
    metadata = pod.metadata
    return _kin(metadata.namespace, frozenset(metadata.labels.items()), metadata.deletion_timestamp is not None)


class PodInfo:
    """A pod and its demands. CPU counts in thousandths, everything else in whole units."""

    __slots__ = (
        "claims",
        "host_ports",
        "key",
        "kin",
        "nominated",
        "nonzero_cpu",
        "nonzero_memory",
        "pod",
        "priority",
        "requests",
        "started",
        "terms",
        "uid",
    )

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.started = _started(pod)
        """Since when the pod has run: of equals, preemption evicts who came last."""
        self.key = key_of(pod)
        self.uid = pod.metadata.uid
        self.priority = pod.spec.priority or 0
        self.nominated = pod.status.nominated_node_name
        """The node on which preemption makes room for the pod."""
        self.requests = _same(tuple(requests_of(pod.spec).items()))
        scored = self.requests if _says_all(pod.spec) else requests_of(pod.spec, DEFAULTS)
        self.nonzero_cpu = scored["cpu"]
        self.nonzero_memory = scored["memory"]
        self.host_ports = tuple(_host_ports(pod.spec))
        self.claims = tuple(claims_of(pod)) if pod.spec.volumes else ()
        """The keys of the PersistentVolumeClaims that the pod uses."""
        self.kin = kin_of(pod)
        self.terms = terms_of(pod)

    def renewed(self, pod: Pod) -> PodInfo:
        """The same demands in a newer object. What was handed out before stays as it was."""
        info = PodInfo.__new__(PodInfo)
        for name in PodInfo.__slots__:  # copy.copy takes ten times as long
            setattr(info, name, getattr(self, name))
        info.pod = pod
        info.started = _started(pod)
        return info

    def differs(self, pod: Pod) -> bool:
        """Whether a newer object of the pod counts otherwise: other demands, labels, or about to go."""
        known, metadata = self.pod.metadata, pod.metadata
        return (
            pod.spec.containers != self.pod.spec.containers
            or metadata.labels != known.labels
            or (metadata.deletion_timestamp is None) != (known.deletion_timestamp is None)
        )


@lru_cache(maxsize=4096)
def _same(requests: tuple[tuple[str, int], ...]) -> Mapping[str, int]:
    """One object for all pods that ask for the same."""
    return dict(requests)


def _started(pod: Pod) -> float:
    start = pod.status.start_time or pod.metadata.creation_timestamp
    return _moment(start) if start else float("inf")


@lru_cache(maxsize=16384)
def _moment(timestamp: str) -> float:
    return parse(timestamp)


@lru_cache(maxsize=16384)
def amount(resource: str, quantity: str) -> int:
    return milli_value(quantity) if resource == "cpu" else int_value(quantity)


def requests_of(spec: PodSpec, defaults: Mapping[str, int] | None = None) -> dict[str, int]:
    """What a pod needs of each resource: the sum of what runs side by side, or its init containers' peak where that
    is more, and the overhead; `spec.resources` comes before all of it (KEP-2837)."""
    defaults = defaults or {}
    running: dict[str, int] = {}
    for container in spec.containers:
        _add(running, _requests(container, defaults))
    if spec.init_containers:
        peak: dict[str, int] = {}
        sidecars: dict[str, int] = {}
        for container in spec.init_containers:
            wanted = _requests(container, defaults)
            if container.restart_policy == "Always":
                _add(running, wanted)
                _add(sidecars, wanted)
                wanted = sidecars
            else:
                _add(wanted, sidecars)
            for resource, value in wanted.items():
                peak[resource] = max(peak.get(resource, 0), value)
        for resource, value in peak.items():
            running[resource] = max(running.get(resource, 0), value)
    if spec.resources is not None:
        for resource, quantity in spec.resources.requests.items():
            running[resource] = amount(resource, quantity)
    for resource, quantity in spec.overhead.items():
        running[resource] = running.get(resource, 0) + amount(resource, quantity)
    return running


def _says_all(spec: PodSpec) -> bool:
    """Whether no container leaves it open what it takes of cpu and memory."""
    for container in (*spec.containers, *spec.init_containers):
        requests = container.resources.requests
        if "cpu" not in requests or "memory" not in requests:
            return False
    return True


def _requests(container: Container, defaults: Mapping[str, int]) -> dict[str, int]:
    wanted = dict(defaults)
    for resource, quantity in container.resources.requests.items():
        wanted[resource] = amount(resource, quantity)
    return wanted


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for resource, value in more.items():
        total[resource] = total.get(resource, 0) + value


def _host_ports(spec: PodSpec) -> Iterable[HostPort]:
    for container in (*spec.containers, *[c for c in spec.init_containers if c.restart_policy == "Always"]):
        for port in container.ports:
            if port.host_port > 0:
                yield HostPort(port.host_ip or "0.0.0.0", port.protocol or "TCP", port.host_port)
