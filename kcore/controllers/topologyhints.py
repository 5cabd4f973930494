"""Hints by which zones get as large a part of a Service's endpoints as they have of the nodes' CPUs (KEP-2433).

Traffic stays in its zone only where that overloads nobody: each zone must get at least its share less a fifth. Where
that cannot be, there are no hints, and traffic goes anywhere.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from kcore.api.core_v1 import Node, Service
from kcore.api.quantity import milli_value
from kcore.controllers.nodes import is_ready

__all__ = ["NoHints", "allocate", "cpu_shares", "wants_proportional_hints", "zone_and_cpus"]

MODE = "service.kubernetes.io/topology-mode"
_OLD_MODE = "service.kubernetes.io/topology-aware-hints"
_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_ZONE = "topology.kubernetes.io/zone"
_OVERLOAD = 0.2


class NoHints(Exception):
    """Why there can be none."""


def wants_proportional_hints(service: Service) -> bool:
    annotations = service.metadata.annotations
    return annotations.get(MODE, annotations.get(_OLD_MODE)) in ("Auto", "auto")


def zone_and_cpus(node: Node) -> tuple[str, int] | None:
    """What a node brings into its zone, in thousandths of CPUs; None where no traffic comes from it."""
    labels = node.metadata.labels
    if not is_ready(node) or any(role in labels for role in _CONTROL_PLANE):
        return None
    return labels.get(_ZONE, ""), milli_value(node.status.allocatable.get("cpu", "0"))


def cpu_shares(nodes: Iterable[Node]) -> Mapping[str, float]:
    """Which part of the CPUs each zone has; nothing where a node does not tell its zone or CPUs."""
    held: Counter[str] = Counter()
    for zone, cpus in filter(None, map(zone_and_cpus, nodes)):
        if not zone or not cpus:
            return {}
        held[zone] += cpus
    return {zone: cpus / held.total() for zone, cpus in held.items()}


def allocate(zones: Sequence[str], shares: Mapping[str, float]) -> Sequence[str]:
    """From which zone each ready endpoint, given by its own zone, should get its traffic. Raises NoHints."""
    count = len(zones)
    if not shares:
        raise NoHints("a node does not tell its zone or its CPUs")
    if len(shares) < 2:
        raise NoHints("nodes are ready in one zone only")
    if not all(zones):
        raise NoHints("the zone of an endpoint is not known")
    if count < len(shares):
        raise NoHints(f"{count} endpoints are too few for {len(shares)} zones")
    least = {zone: math.ceil(share * count / (1 + _OVERLOAD)) for zone, share in shares.items()}
    spare = count - sum(least.values())
    if spare < 0:
        raise NoHints(f"{count} endpoints cannot be shared out without overloading a zone")
    given = _at_home(zones, {zone: least[zone] + spare for zone in shares})
    held = Counter(given)

    def surplus(zone: str) -> float:
        return held[zone] - shares[zone] * count

    for i, zone in enumerate(given):
        if not zone:
            given[i] = min(shares, key=surplus)
            held[given[i]] += 1
    while poor := [zone for zone in shares if held[zone] < least[zone]]:
        rich = max((zone for zone in shares if held[zone] > least[zone]), key=surplus)
        given[given.index(rich)] = poor[0]
        held[rich] -= 1
        held[poor[0]] += 1
    return given


def _at_home(zones: Sequence[str], most: Mapping[str, int]) -> list[str]:
    """Each endpoint for its own zone, as long as that may have more; the rest for none yet."""
    held: Counter[str] = Counter()
    given = []
    for zone in zones:
        stays = held[zone] < most.get(zone, 0)
        held[zone] += stays
        given.append(zone if stays else "")
    return given
