"""Quality of service classes: which pods go first when a node runs out of memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter

from kcore.api import quantity
from kcore.api.core_v1 import PodSpec, ResourceRequirements

__all__ = ["qos_class"]

_COMPUTE = ("cpu", "memory")


def qos_class(spec: PodSpec) -> str:
    """Guaranteed: cpu and memory limited everywhere and requested in full. BestEffort: neither mentioned at all.

    Resources of the pod as a whole, where given, decide alone (KEP-2837).
    """
    if spec.resources is not None and (spec.resources.requests or spec.resources.limits):
        return _class_of((spec.resources,))
    return _class_of(map(_resources, (*spec.containers, *spec.init_containers)))


_resources = attrgetter("resources")


def _class_of(requirements: Iterable[ResourceRequirements]) -> str:
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    guaranteed = True
    for required in requirements:
        if not required.limits and not required.requests:
            guaranteed = False
            continue
        _add(requests, required.requests)
        guaranteed = _add(limits, required.limits) and guaranteed
    if not requests and not limits:
        return "BestEffort"
    if guaranteed and all(_equal(requests.get(name, "0"), limit) for name, limit in limits.items()):
        return "Guaranteed"
    return "Burstable"


def _equal(a: str, b: str) -> bool:
    return a == b or quantity.compare(a, b) == 0


def _add(total: dict[str, str], amounts: Mapping[str, str]) -> bool:
    """Whether all compute resources are among the amounts."""
    found = 0
    for name in _COMPUTE:
        amount = amounts.get(name)
        if amount is not None and quantity.parse(amount).nanos > 0:
            found += 1
            total[name] = quantity.add(total[name], amount) if name in total else amount
    return found == len(_COMPUTE)
