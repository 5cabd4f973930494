"""How fast the pods of unhealthy nodes are evicted: one node after the other in each zone; slower or not at all where
so many are unhealthy that the fault is rather in the network, or in ourselves.

* A zone is normal while less than a part of its nodes (55%) is unhealthy.
* Beyond, it is partially disrupted: large zones evict slowly, small ones not at all.
* With no healthy node at all it is fully disrupted, and evicts as a normal one does; but if all zones are so, nothing
  is evicted anywhere, and what was begun is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from kcore.api.core_v1 import Node
from kcore.controllers.options import ControllerOptions

__all__ = ["ZoneState", "Zones", "zone_of"]


class ZoneState(Enum):
    NORMAL = "Normal"
    PARTIAL = "PartialDisruption"
    FULL = "FullDisruption"


def zone_of(node: Node) -> str:
    labels = node.metadata.labels
    region, zone = (labels.get(f"topology.kubernetes.io/{part}", "") for part in ("region", "zone"))
    return f"{region}/{zone}" if region or zone else ""


@dataclass(slots=True)
class _Zone:
    ready: set[str] = field(default_factory=set)
    unready: set[str] = field(default_factory=set)
    state: ZoneState = ZoneState.NORMAL
    waiting: dict[str, None] = field(default_factory=dict)
    """The unhealthy nodes whose turn is still to come, the next one first."""
    served: set[str] = field(default_factory=set)
    """Those that have had theirs."""
    next_turn: float = float("-inf")


class Zones:
    """Knows of each node's health, and gives the unhealthy ones their turns."""

    def __init__(self, options: ControllerOptions) -> None:
        self._options = options
        self._zones: dict[str, _Zone] = {}
        self._zone_of: dict[str, str] = {}

    @property
    def all_disrupted(self) -> bool:
        return bool(self._zones) and all(zone.state is ZoneState.FULL for zone in self._zones.values())

    def state(self, zone: str) -> ZoneState:
        return self._zones[zone].state if zone in self._zones else ZoneState.NORMAL

    def note(self, name: str, zone: str, ready: bool) -> set[str]:
        """A node's health; returns the unhealthy nodes whose prospects have changed by it."""
        before = self._zone_of.get(name)
        if before == zone and name in (self._zones[zone].ready if ready else self._zones[zone].unready):
            return set()
        disrupted = self.all_disrupted
        changed = self._remove(name)
        self._zone_of[name] = zone
        found = self._zones.setdefault(zone, _Zone())
        (found.ready if ready else found.unready).add(name)
        changed |= self._judge(found)
        return changed | self._everywhere(disrupted)

    def forget(self, name: str) -> set[str]:
        """The node is gone."""
        disrupted = self.all_disrupted
        changed = self._remove(name)
        return changed | self._everywhere(disrupted)

    def wait(self, name: str, now: float) -> float | None:
        """Seconds until the pods of an unhealthy node may be evicted; None: not as things are."""
        zone = self._zones[self._zone_of[name]]
        rate = self._rate(zone)
        if rate <= 0:
            return None
        if name in zone.served:
            return 0.0
        if not zone.waiting:
            zone.next_turn = max(now, zone.next_turn)
        zone.waiting.setdefault(name)
        turn = zone.next_turn + list(zone.waiting).index(name) / rate
        if turn > now:
            return turn - now
        del zone.waiting[name]
        zone.served.add(name)
        zone.next_turn = now + 1 / rate
        return 0.0

    def _rate(self, zone: _Zone) -> float:
        options = self._options
        if self.all_disrupted:
            return 0.0
        if zone.state is not ZoneState.PARTIAL:
            return options.node_eviction_rate
        large = len(zone.ready) + len(zone.unready) > options.large_cluster_size_threshold
        return options.secondary_node_eviction_rate if large else 0.0

    def _remove(self, name: str) -> set[str]:
        key = self._zone_of.pop(name, None)
        if key is None:
            return set()
        zone = self._zones[key]
        zone.ready.discard(name)
        zone.unready.discard(name)
        zone.served.discard(name)
        sooner = set(zone.waiting) if name in zone.waiting else set()
        zone.waiting.pop(name, None)
        if not zone.ready and not zone.unready:
            del self._zones[key]
            return set()
        return (self._judge(zone) | sooner) - {name}

    def _judge(self, zone: _Zone) -> set[str]:
        before, zone.state = zone.state, self._state(len(zone.ready), len(zone.unready))
        if zone.state is before:
            return set()
        zone.waiting.clear()  # at another rate the turns are others
        zone.served.clear()
        zone.next_turn = float("-inf")
        return set(zone.unready)

    def _state(self, ready: int, unready: int) -> ZoneState:
        if unready and not ready:
            return ZoneState.FULL
        if unready > 2 and unready / (ready + unready) >= self._options.unhealthy_zone_threshold:
            return ZoneState.PARTIAL
        return ZoneState.NORMAL

    def _everywhere(self, were_disrupted: bool) -> set[str]:
        if self.all_disrupted is were_disrupted:
            return set()
        return {name for zone in self._zones.values() for name in zone.unready}
