"""The phase of a pod, from what its runtime reports (upstream's `getPhase`)."""

from __future__ import annotations

from typing import NamedTuple

from kcore.api.core_v1 import Pod
from kcore.api.timestamp import parse
from kcore.node.containers import is_sidecar, starts_again
from kcore.node.runtime import RuntimeState

__all__ = ["TERMINAL", "PodPhase", "deadline", "pod_phase"]

TERMINAL = ("Succeeded", "Failed")
DEADLINE_EXCEEDED = "Pod was active on the node longer than the specified deadline"


class PodPhase(NamedTuple):
    """The phase with the reason and message that belong to it."""

    phase: str
    reason: str = ""
    message: str = ""


def pod_phase(pod: Pod, state: RuntimeState, now: float) -> PodPhase:
    """The phase of `pod` now. One that has ended stays as it was."""
    old = pod.status
    if old.phase in TERMINAL:
        return PodPhase(old.phase, old.reason, old.message)
    if state.evicted:
        return PodPhase("Failed", "Evicted", state.evicted)
    until = deadline(pod)
    if until is not None and now >= until:
        return PodPhase("Failed", "DeadlineExceeded", DEADLINE_EXCEEDED)
    return PodPhase(_initializing(pod, state) or _running(pod, state), old.reason, old.message)


def deadline(pod: Pod) -> float | None:
    """When `activeDeadlineSeconds` ends the pod."""
    limit, start = pod.spec.active_deadline_seconds, pod.status.start_time
    return None if limit is None or start is None else parse(start) + limit


def _initializing(pod: Pod, state: RuntimeState) -> str:
    """Pending or Failed while init containers decide; empty once it is the ordinary containers' turn."""
    if not pod.spec.init_containers:
        return ""
    records = state.containers
    started = any((r := records.get(c.name)) is not None and r.started_at for c in pod.spec.containers)
    for container in pod.spec.init_containers:
        record = records.get(container.name)
        if is_sidecar(container):
            if not started and (record is None or not record.running):
                return "Pending"
        elif record is not None and record.exited:
            if record.exit_code != 0 and not starts_again(pod, container, record):
                return "Failed"
            if record.exit_code != 0 and not started:
                return "Pending"
        elif not started:
            return "Pending"
    return ""


def _running(pod: Pod, state: RuntimeState) -> str:
    ended = []
    running = False
    for container in pod.spec.containers:
        record = state.containers.get(container.name)
        if record is None or not record.started_at:
            return "Pending"
        if record.running:
            running = True
        else:
            ended.append((container, record))
    # A pod that is being deleted starts nothing again: what has ended has ended for good.
    deleted = pod.metadata.deletion_timestamp is not None
    if running or (not deleted and any(starts_again(pod, container, record) for container, record in ended)):
        return "Running"
    return "Failed" if any(record.exit_code for _, record in ended) else "Succeeded"
