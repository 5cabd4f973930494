"""A node that runs out of something: how that shows, and which pod has to go first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kcore.api.core_v1 import Node, Pod
from kcore.api.pod_resources import pod_requests
from kcore.api.qos import qos_class
from kcore.api.quantity import int_value
from kcore.node.runtime import NodeUsage

__all__ = ["LOST", "PRESSURES", "Eviction", "Shortage", "scripted_shortages", "shortages", "victim"]

LOST = "kcore.dev/lost"
"""Annotation of a node that is to look dead: neither lease nor status is written."""
PRESSURE = "kcore.dev/pressure"
PRESSURES = {"memory": "MemoryPressure", "disk": "DiskPressure", "pid": "PIDPressure"}
_SIGNALS = {"memory": "memory", "disk": "ephemeral-storage", "pid": "pids"}

LEAST_MEMORY = 100 * 2**20
LEAST_DISK_SHARE = 0.1
CRITICAL_PRIORITY = 2_000_000_000


class Shortage(NamedTuple):
    """What a node is short of: `memory`, `disk` or `pid`; in bytes what should be free and what is."""

    resource: str
    threshold: int = 0
    available: int = 0


class Eviction(NamedTuple):
    pod: Pod
    message: str


def scripted_shortages(node: Node) -> Sequence[Shortage]:
    """What the annotation of a fake node says: `memory`, `disk`, `pid`, with commas between."""
    text = node.metadata.annotations.get(PRESSURE, "")
    return [Shortage(word) for part in text.split(",") if (word := part.strip()) in PRESSURES]


def shortages(usage: NodeUsage) -> Sequence[Shortage]:
    """What a machine is short of, by upstream's default thresholds for eviction."""
    found = []
    if 0 < usage.memory_available_bytes < LEAST_MEMORY:
        found.append(Shortage("memory", LEAST_MEMORY, usage.memory_available_bytes))
    least_disk = int(usage.disk_capacity_bytes * LEAST_DISK_SHARE)
    if usage.disk_capacity_bytes and usage.disk_available_bytes < least_disk:
        found.append(Shortage("disk", least_disk, usage.disk_available_bytes))
    return found


def victim(pods: Sequence[Pod], memory: Mapping[str, int], shortage: Shortage) -> Eviction | None:
    """Which pod goes first. `memory`: what pods use, by uid.

    Those that use more than they asked for go before others, then those of low priority, then those furthest beyond
    what they asked for. Critical ones stay.
    """
    candidates = [pod for pod in pods if (pod.spec.priority or 0) < CRITICAL_PRIORITY]
    if not candidates:
        return None

    def rank(pod: Pod) -> tuple[bool, int, int]:
        beyond = memory.get(pod.metadata.uid, 0) - _asked(pod)
        exceeds = beyond > 0 or qos_class(pod.spec) == "BestEffort"
        return (not exceeds, pod.spec.priority or 0, -beyond)

    chosen = min(candidates, key=rank)
    return Eviction(chosen, _message(chosen, memory.get(chosen.metadata.uid, 0), shortage))


def _asked(pod: Pod) -> int:
    return int_value(pod_requests(pod.spec).get("memory", "0"))


def _message(pod: Pod, used: int, shortage: Shortage) -> str:
    text = f"The node was low on resource: {_SIGNALS[shortage.resource]}. "
    if shortage.threshold:
        text += f"Threshold quantity: {shortage.threshold}, available: {shortage.available // 1024}Ki. "
    if shortage.resource == "memory" and used:
        names = ", ".join(container.name for container in pod.spec.containers)
        text += f"Container {names} was using {used // 1024}Ki, request is {_asked(pod)}. "
    return text
