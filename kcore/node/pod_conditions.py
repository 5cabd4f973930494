"""The conditions of a pod that its node reports, in upstream's order and wording (kubelet's `status/generate.go`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kcore.api.core_v1 import Container, ContainerStatus, Pod, PodCondition
from kcore.api.timestamp import format_seconds
from kcore.node.containers import is_sidecar
from kcore.node.resizes import in_progress
from kcore.node.runtime import RuntimeState

__all__ = ["IN_PROGRESS", "PendingResize", "pod_conditions"]

PENDING, IN_PROGRESS = "PodResizePending", "PodResizeInProgress"


class PendingResize(NamedTuple):
    """Why a pod does not have the resources it asks for, and of which generation those are that it has."""

    reason: str
    message: str
    generation: int


class Finding(NamedTuple):
    """A condition before it knows since when it holds."""

    type: str
    holds: bool
    reason: str = ""
    message: str = ""
    generation: int = 0
    """Of the pod it was found at; 0: the current one."""


def pod_conditions(
    pod: Pod,
    state: RuntimeState,
    phase: str,
    init: Sequence[ContainerStatus],
    main: Sequence[ContainerStatus],
    now: float,
    pending: PendingResize | None = None,
) -> tuple[PodCondition, ...]:
    """All conditions of the pod: those of others as they are, then the node's own."""
    containers_ready = _containers_ready(pod, phase, init, main)
    findings = (
        *_resize(pod, state, pending),
        Finding("PodReadyToStartContainers", state.sandbox is not None and state.sandbox.ready),
        _initialized(pod, phase, init, main),
        _ready(pod, containers_ready),
        containers_ready,
        Finding("PodScheduled", True),
    )
    old = {condition.type: condition for condition in pod.status.conditions}
    own = {PENDING, IN_PROGRESS, *(finding.type for finding in findings)}
    generation, stamp = pod.metadata.generation, format_seconds(now)
    kept = [condition for condition in pod.status.conditions if condition.type not in own]
    return (*kept, *[_condition(finding, old.get(finding.type), generation, stamp) for finding in findings])


def _condition(finding: Finding, old: PodCondition | None, generation: int, stamp: str) -> PodCondition:
    status = "True" if finding.holds else "False"
    since = old.last_transition_time if old is not None and old.status == status else None
    return PodCondition(
        type=finding.type,
        status=status,
        reason=finding.reason,
        message=finding.message,
        observed_generation=finding.generation or generation,
        last_transition_time=since or stamp,
    )


def _resize(pod: Pod, state: RuntimeState, pending: PendingResize | None) -> Iterable[Finding]:
    """There only while they hold."""
    if pending is not None:
        yield Finding(PENDING, True, pending.reason, pending.message)
    if in_progress(pod, state):
        yield Finding(IN_PROGRESS, True, generation=pending.generation if pending is not None else 0)


def _initialized(pod: Pod, phase: str, init: Sequence[ContainerStatus], main: Sequence[ContainerStatus]) -> Finding:
    incomplete = [
        status.name
        for container, status in zip(pod.spec.init_containers, init, strict=True)
        if not (status.started if is_sidecar(container) else status.ready)
    ]
    if phase == "Succeeded":
        return Finding("Initialized", True, "PodCompleted")
    # Once an ordinary container has started, initialization is over for good, whatever becomes of sidecars.
    if incomplete and not any(s.state.running or s.state.terminated or s.last_state.terminated for s in main):
        message = f"containers with incomplete status: {_names(incomplete)}"
        return Finding("Initialized", False, "ContainersNotInitialized", message)
    return Finding("Initialized", True)


def _containers_ready(
    pod: Pod, phase: str, init: Sequence[ContainerStatus], main: Sequence[ContainerStatus]
) -> Finding:
    if phase in ("Succeeded", "Failed"):
        return Finding("ContainersReady", False, "PodCompleted" if phase == "Succeeded" else "PodFailed")
    unready = [s.name for s in (*_sidecars(pod.spec.init_containers, init), *main) if not s.ready]
    if unready:
        message = f"containers with unready status: {_names(unready)}"
        return Finding("ContainersReady", False, "ContainersNotReady", message)
    return Finding("ContainersReady", True)


def _ready(pod: Pod, containers: Finding) -> Finding:
    """Ready: all containers are, and every readiness gate is open (KEP-580)."""
    if not containers.holds:
        return containers._replace(type="Ready")
    closed = list(_closed_gates(pod))
    return Finding("Ready", False, "ReadinessGatesNotReady", ", ".join(closed)) if closed else Finding("Ready", True)


def _closed_gates(pod: Pod) -> Iterable[str]:
    statuses = {condition.type: condition.status for condition in pod.status.conditions}
    for gate in pod.spec.readiness_gates:
        status = statuses.get(gate.condition_type)
        if status is None:
            yield f'corresponding condition of pod readiness gate "{gate.condition_type}" does not exist.'
        elif status != "True":
            yield f'the status of pod readiness gate "{gate.condition_type}" is not "True", but {status}'


def _sidecars(containers: Sequence[Container], statuses: Sequence[ContainerStatus]) -> Iterable[ContainerStatus]:
    return [s for c, s in zip(containers, statuses, strict=True) if is_sidecar(c)]


def _names(names: Sequence[str]) -> str:
    return f"[{' '.join(names)}]"
