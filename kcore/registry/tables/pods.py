"""The row of a pod: what `kubectl get pods` says of its containers in one word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore.api.core_v1 import Container, ContainerStateTerminated, ContainerStatus, Pod, PodCondition
from kcore.registry.tables.printer import AGE, NAME, NONE, Column, Printer, since, wide

__all__ = ["POD"]


def _row(pod: Pod, now: float) -> Sequence[Any]:
    status = pod.status
    word, ready, restarts, last_restart = _summary(pod)
    total = len(pod.spec.containers) + sum(1 for c in pod.spec.init_containers if _restartable(c))
    shown = f"{restarts} ({since(last_restart, now)} ago)" if restarts and last_restart else str(restarts)
    gates = pod.spec.readiness_gates
    return (
        pod.metadata.name,
        f"{ready}/{total}",
        word,
        shown,
        since(pod.metadata.creation_timestamp, now),
        (status.pod_ips[0].ip if status.pod_ips else "") or NONE,
        pod.spec.node_name or NONE,
        status.nominated_node_name or NONE,
        f"{sum(_is_true(status.conditions, g.condition_type) for g in gates)}/{len(gates)}" if gates else NONE,
    )


def _restartable(container: Container | None) -> bool:
    return container is not None and container.restart_policy == "Always"


def _is_true(conditions: Sequence[PodCondition], type_: str) -> bool:
    return next((c.status == "True" for c in conditions if c.type == type_), False)


def _summary(pod: Pod) -> tuple[str, int, int, str]:
    """The status word, ready containers, restarts, and when the last restart was."""
    status = pod.status
    word = status.reason or status.phase
    if any(c.type == "PodScheduled" and c.reason == "SchedulingGated" for c in status.conditions):
        word = "SchedulingGated"
    ready = sidecar_restarts = restarts = 0
    last = sidecar_last = ""
    initializing = False
    containers = {c.name: c for c in pod.spec.init_containers}
    for i, init in enumerate(status.init_container_statuses):
        restarts += init.restart_count
        last = max(last, _last_restart(init))
        sidecar = _restartable(containers.get(init.name))
        if sidecar:
            sidecar_restarts += init.restart_count
            sidecar_last = max(sidecar_last, _last_restart(init))
        terminated = init.state.terminated
        if terminated is not None and terminated.exit_code == 0:
            continue
        if sidecar and init.started:
            ready += init.ready
            continue
        word = _init_word(init, i, len(pod.spec.init_containers))
        initializing = True
        break
    if not initializing or _is_true(status.conditions, "Initialized"):
        word, more_ready, more_restarts, last_of_containers = _of_containers(pod, word)
        ready += more_ready
        restarts = sidecar_restarts + more_restarts
        last = max(sidecar_last, last_of_containers)
    if pod.metadata.deletion_timestamp is not None:
        if status.reason == "NodeLost":
            word = "Unknown"
        elif status.phase not in ("Succeeded", "Failed"):
            word = "Terminating"
    return word, ready, restarts, last


def _last_restart(status: ContainerStatus) -> str:
    """Times of one form order as text."""
    terminated = status.last_state.terminated
    return (terminated.finished_at or "") if terminated is not None else ""


def _init_word(status: ContainerStatus, index: int, total: int) -> str:
    state = status.state
    if state.terminated is not None:
        return f"Init:{_terminated_word(state.terminated)}"
    if state.waiting is not None and state.waiting.reason not in ("", "PodInitializing"):
        return f"Init:{state.waiting.reason}"
    return f"Init:{index}/{total}"


def _terminated_word(state: ContainerStateTerminated) -> str:
    return state.reason or (f"Signal:{state.signal}" if state.signal else f"ExitCode:{state.exit_code}")


def _of_containers(pod: Pod, word: str) -> tuple[str, int, int, str]:
    ready = restarts = 0
    last = ""
    for status in reversed(pod.status.container_statuses):
        restarts += status.restart_count
        last = max(last, _last_restart(status))
        state = status.state
        if state.waiting is not None and state.waiting.reason:
            word = state.waiting.reason
        elif state.terminated is not None:
            word = _terminated_word(state.terminated)
        elif status.ready and state.running is not None:
            ready += 1
    if word == "Completed" and ready:
        word = "Running" if _is_true(pod.status.conditions, "Ready") else "NotReady"
    return word, ready, restarts, last


def _completed(reason: str, message: str) -> Sequence[Mapping[str, str]]:
    return ({"type": "Completed", "status": "True", "reason": reason, "message": message},)


_COMPLETED = {
    "Succeeded": _completed("Succeeded", "The pod has completed successfully."),
    "Failed": _completed("Failed", "The pod failed."),
}


def _conditions(pod: Pod) -> Sequence[Mapping[str, str]]:
    return _COMPLETED.get(pod.status.phase, ())


POD = Printer(
    (
        NAME,
        Column("Ready", "How many of the containers are ready for traffic."),
        Column("Status", "The state of the pod and its containers in one word."),
        Column("Restarts", "How often containers of the pod were restarted, and when last."),
        AGE,
        wide("IP", "The address of the pod."),
        wide("Node", "The node that the pod runs on."),
        wide("Nominated Node", "The node that preemption makes room on for the pod."),
        wide("Readiness Gates", "How many of the extra conditions for readiness hold."),
    ),
    _row,
    _conditions,
)
