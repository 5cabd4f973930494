"""What a pod as a whole asks for: the sums over its containers, as upstream's component-helpers compute them.

Containers run together; init containers run one after the other before them, each beside the sidecars (init
containers that restart always) that were started before it. So a pod needs the larger of the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from kcore.api import quantity
from kcore.api.core_v1 import PodSpec

__all__ = [
    "ResourceList",
    "add_resources",
    "container_limits",
    "container_requests",
    "is_pod_level",
    "pod_limits",
    "pod_requests",
]

ResourceList = Mapping[str, str]
"""Quantities by the name of the resource."""

_Which = Literal["requests", "limits"]

_POD_LEVEL = ("cpu", "memory")
_HUGE_PAGES = "hugepages-"


def pod_requests(spec: PodSpec) -> dict[str, str]:
    """What the scheduler sets aside for a pod, with its overhead."""
    return _total(spec, "requests")


def pod_limits(spec: PodSpec) -> dict[str, str]:
    """The most that a pod may use. The overhead is added only to what is limited."""
    return _total(spec, "limits")


def container_requests(spec: PodSpec) -> dict[str, str]:
    """What the containers ask for together, whatever is said of the pod as a whole."""
    return _together(spec, "requests")


def container_limits(spec: PodSpec) -> dict[str, str]:
    return _together(spec, "limits")


def is_pod_level(name: str) -> bool:
    """Whether a resource may be asked for by a pod as a whole."""
    return name in _POD_LEVEL or name.startswith(_HUGE_PAGES)


def add_resources(a: ResourceList, b: ResourceList) -> dict[str, str]:
    """The sum, by name."""
    total = dict(a)
    for name, amount in b.items():
        total[name] = quantity.add(total[name], amount) if name in total else amount
    return total


def _total(spec: PodSpec, which: _Which) -> dict[str, str]:
    total = _together(spec, which)
    if spec.resources is not None:
        whole: ResourceList = getattr(spec.resources, which)
        total |= {name: whole[name] for name in whole if is_pod_level(name)}
    for name, amount in spec.overhead.items():
        if which == "requests":
            total[name] = quantity.add(total.get(name, "0"), amount)
        elif name in total and quantity.compare(total[name], "0"):
            total[name] = quantity.add(total[name], amount)
    return total


def _together(spec: PodSpec, which: _Which) -> dict[str, str]:
    running: dict[str, str] = {}
    for container in spec.containers:
        running = add_resources(running, getattr(container.resources, which))
    return _beside_starting(running, spec, which) if spec.init_containers else running


def _beside_starting(running: dict[str, str], spec: PodSpec, which: _Which) -> dict[str, str]:
    """The larger of what runs together, sidecars with it, and what any step of starting needs."""
    sidecars: dict[str, str] = {}
    starting: dict[str, str] = {}
    for container in spec.init_containers:
        own = getattr(container.resources, which)
        if container.restart_policy == "Always":
            running = add_resources(running, own)
            sidecars = add_resources(sidecars, own)
            own = sidecars
        else:
            own = add_resources(own, sidecars)
        starting = _most((starting, own))
    return _most((running, starting))


def _most(lists: Iterable[ResourceList]) -> dict[str, str]:
    """The largest amount of each resource."""
    most: dict[str, str] = {}
    for amounts in lists:
        for name, amount in amounts.items():
            if name not in most or quantity.compare(amount, most[name]) > 0:
                most[name] = amount
    return most
