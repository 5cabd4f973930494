"""What a node has allotted to a pod: the resources of its spec, as soon as the node has room for them (KEP-1287).

Until then the pod runs with what it has. A pod's status tells the next kubelet what that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from kcore.api.core_v1 import Container, ContainerStatus, Node, Pod, PodSpec, ResourceRequirements
from kcore.node.pod_admission import NodeLoad, demand_of, infeasible, lacking
from kcore.node.pod_conditions import IN_PROGRESS, PendingResize
from kcore.node.pod_phase import TERMINAL
from kcore.node.resizes import differs, in_progress
from kcore.node.runtime import RuntimeState

__all__ = ["DEFERRED", "Allocation", "ResizeEvent"]

DEFERRED, INFEASIBLE = "Deferred", "Infeasible"
UNDECIDED = -1


class ResizeEvent(NamedTuple):
    type: str
    reason: str
    message: str


class Allocation:
    """Of one pod that its node has taken."""

    __slots__ = ("_generation", "_resizing", "_seen", "_spec", "pending")

    def __init__(self, pod: Pod) -> None:
        self._spec = _allotted_before(pod)
        self._generation = self._seen = pod.metadata.generation
        self._resizing = any(c.type == IN_PROGRESS and c.status == "True" for c in pod.status.conditions)
        if self._spec is not pod.spec:
            self._seen = UNDECIDED
        self.pending: PendingResize | None = None
        """Why the pod does not have the resources that it asks for."""

    def of(self, pod: Pod) -> Pod:
        """`pod` as its node runs it: with the resources that it was allotted."""
        return pod if self._has(pod) else replace(pod, spec=_with_resources_of(self._spec, pod.spec))

    def decide(self, pod: Pod, node: Node | None, load: NodeLoad) -> Iterator[ResizeEvent]:
        """Allot to `pod` what it asks for now, or say why that is not possible."""
        if self._has(pod):
            self._seen, self._spec = pod.metadata.generation, pod.spec
            return
        self._seen = UNDECIDED
        if pod.metadata.deletion_timestamp is not None or pod.status.phase in TERMINAL:
            self.pending = None
            return
        before, self.pending = self.pending, None
        if _is_resized(self._spec, pod.spec):
            self.pending = _obstacle(pod, node, load, self._generation)
            if self.pending is not None:
                if before is None or before.reason != self.pending.reason:
                    reason, message, _ = self.pending
                    yield ResizeEvent("Warning", f"Resize{reason}", _told(f"Pod resize {reason}", pod, message))
                return
            load.replace(pod.metadata.uid, demand_of(pod))
            self._resizing = True
            yield ResizeEvent("Normal", "ResizeStarted", _told("Pod resize started", pod))
        self._spec, self._seen, self._generation = pod.spec, pod.metadata.generation, pod.metadata.generation

    def settled(self, pod: Pod, state: RuntimeState) -> Iterator[ResizeEvent]:
        """What to tell of `pod`, as it was allotted, now that its runtime reports `state`."""
        if self._resizing and not in_progress(pod, state):
            self._resizing = False
            yield ResizeEvent("Normal", "ResizeCompleted", _told("Pod resize completed", pod))

    def _has(self, pod: Pod) -> bool:
        return self._seen == pod.metadata.generation or pod.spec is self._spec


def _allotted_before(pod: Pod) -> PodSpec:
    """The spec of a pod that an earlier process has run, with the resources that it ran with."""
    status = pod.status
    found = {s.name: s for s in (*status.init_container_statuses, *status.container_statuses)}
    if not any(_is_behind(c, found.get(c.name)) for c in (*pod.spec.init_containers, *pod.spec.containers)):
        return pod.spec

    def as_it_was(container: Container) -> Container:
        status = found.get(container.name)
        if status is None or status.resources is None or not _is_behind(container, status):
            return container
        return replace(container, resources=replace(status.resources, requests=status.allocated_resources))

    return replace(
        pod.spec,
        init_containers=tuple(map(as_it_was, pod.spec.init_containers)),
        containers=tuple(map(as_it_was, pod.spec.containers)),
    )


def _is_behind(container: Container, status: ContainerStatus | None) -> bool:
    if status is None or not status.allocated_resources:
        return False
    return differs(
        ResourceRequirements(requests=status.allocated_resources),
        ResourceRequirements(requests=container.resources.requests),
    )


def _is_resized(old: PodSpec, new: PodSpec) -> bool:
    pairs = zip((*old.init_containers, *old.containers), (*new.init_containers, *new.containers), strict=True)
    whole_old, whole_new = old.resources or ResourceRequirements(), new.resources or ResourceRequirements()
    return differs(whole_old, whole_new) or any(differs(o.resources, n.resources) for o, n in pairs)


def _with_resources_of(old: PodSpec, new: PodSpec) -> PodSpec:
    def restored(news: Sequence[Container], olds: Sequence[Container]) -> tuple[Container, ...]:
        return tuple(replace(n, resources=o.resources) for n, o in zip(news, olds, strict=True))

    return replace(
        new,
        init_containers=restored(new.init_containers, old.init_containers),
        containers=restored(new.containers, old.containers),
        resources=old.resources,
    )


def _obstacle(pod: Pod, node: Node | None, load: NodeLoad, generation: int) -> PendingResize | None:
    if node is None:
        return None
    demand = demand_of(pod)
    if why := infeasible(demand, node):
        return PendingResize(INFEASIBLE, why, generation)
    lack = lacking(demand, node, load, pod.metadata.uid)
    return PendingResize(DEFERRED, lack.message, generation) if lack is not None else None


def _told(words: str, pod: Pod, error: str = "") -> str:
    """An event's message: what the containers are to have, for machines to read."""
    lists = (("initContainers", pod.spec.init_containers), ("containers", pod.spec.containers))
    tree: dict[str, Any] = {name: [*map(_summary, listed)] for name, listed in lists if listed}
    tree["generation"] = pod.metadata.generation
    return f"{words}: {msgspec.json.encode(tree | ({'error': error} if error else {})).decode()}"


def _summary(container: Container) -> dict[str, Any]:
    amounts = {"limits": container.resources.limits, "requests": container.resources.requests}
    return {"name": container.name, "resources": {name: dict(of) for name, of in amounts.items() if of}}
