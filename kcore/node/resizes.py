"""What becomes of a running container whose resources are to be others (KEP-1287): changed in place, or started again.

A record says with which resources its container runs; the container, which ones its node has allotted to it.
"""

from __future__ import annotations

from kcore.api import quantity
from kcore.api.core_v1 import Pod, ResourceRequirements
from kcore.api.pod_resources import ResourceList
from kcore.node.runtime import AnyContainer, ContainerRecord, RuntimeState

__all__ = ["differs", "in_progress", "is_resized", "needs_restart"]

_RESIZABLE = ("cpu", "memory")


def differs(one: ResourceRequirements, other: ResourceRequirements) -> bool:
    """Whether they ask for other amounts of what can be resized."""
    return one != other and any(_changed(name, one, other) for name in _RESIZABLE)


def is_resized(container: AnyContainer, record: ContainerRecord) -> bool:
    """Whether an attempt runs with other resources than its container has been allotted."""
    return record.resources is not None and differs(record.resources, container.resources)


def needs_restart(container: AnyContainer, record: ContainerRecord) -> bool:
    """Whether the resources of an attempt cannot become those of its container while it runs, by its policy."""
    before = record.resources
    if before is None or not container.resize_policy:
        return False
    return any(
        policy.restart_policy == "RestartContainer" and _changed(policy.resource_name, before, container.resources)
        for policy in container.resize_policy
    )


def in_progress(pod: Pod, state: RuntimeState) -> bool:
    """Whether anything of `pod`, as it was allotted, runs with other resources as yet."""
    for containers in (pod.spec.init_containers, pod.spec.containers):
        for container in containers:
            record = state.containers.get(container.name)
            if record is None or record.resources is None or record.resources == container.resources:
                continue  # nearly always
            if record.started_at and (record.running or record.stop_by is not None) and is_resized(container, record):
                return True
    return False


def _changed(name: str, one: ResourceRequirements, other: ResourceRequirements) -> bool:
    return not (_same(name, one.limits, other.limits) and _same(name, one.requests, other.requests))


def _same(name: str, one: ResourceList, other: ResourceList) -> bool:
    a, b = one.get(name), other.get(name)
    return a == b or (a is not None and b is not None and not quantity.compare(a, b))
