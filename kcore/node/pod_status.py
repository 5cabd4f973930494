"""What a pod's status says, from the pod and what its runtime reports: phase, containers, addresses.

Fields that others own (qosClass, nominatedNodeName, foreign conditions, ...) are kept as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from kcore.api.core_v1 import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    HostIP,
    Pod,
    PodIP,
    PodStatus,
    VolumeMountStatus,
)
from kcore.api.timestamp import format_seconds
from kcore.node.containers import back_off, duration, is_sidecar, needed_images, starts_again
from kcore.node.pod_conditions import PendingResize, pod_conditions
from kcore.node.pod_phase import TERMINAL, PodPhase, pod_phase
from kcore.node.runtime import NOTHING, AnyContainer, ContainerRecord, RuntimeState

__all__ = ["FRESH_ERROR_SECONDS", "pod_status"]

FRESH_ERROR_SECONDS = 1.0
"""How long an image's error is told as such, before it is told as the wait for the next try."""


def pod_status(
    pod: Pod, state: RuntimeState, now: float, host_ip: str, pending: PendingResize | None = None
) -> PodStatus:
    """The status that the node reports for `pod`, as it was allotted."""
    old = pod.status
    if state is NOTHING and old.phase in TERMINAL:
        return old  # it ended before this process began: nothing new can be said of it
    spec = pod.spec
    main = tuple([_container_status(pod, c, state, now) for c in spec.containers])
    init = tuple([_init_status(pod, c, state, now) for c in spec.init_containers])
    ephemeral = tuple([_container_status(pod, c, state, now) for c in spec.ephemeral_containers])
    phase, reason, message = _reported_phase(pod, state, now)
    pod_ip = _pod_ip(pod, state, host_ip)
    return replace(
        old,
        phase=phase,
        reason=reason,
        message=message,
        observed_generation=pod.metadata.generation,
        conditions=pod_conditions(pod, state, phase, init, main, now, pending),
        container_statuses=main,
        init_container_statuses=init,
        ephemeral_container_statuses=ephemeral,
        host_ip=host_ip,
        host_ips=(HostIP(ip=host_ip),),
        pod_ip=pod_ip,
        pod_ips=(PodIP(ip=pod_ip),) if pod_ip else (),
        start_time=old.start_time or format_seconds(now),
    )


def _reported_phase(pod: Pod, state: RuntimeState, now: float) -> PodPhase:
    """A pod has ended once nothing of it runs: until then, what holds its resources, it is as it was."""
    found = pod_phase(pod, state, now)
    if found.phase in TERMINAL and any(not record.finished_at for record in state.containers.values()):
        return PodPhase(pod.status.phase or "Pending", pod.status.reason, pod.status.message)
    return found


def _pod_ip(pod: Pod, state: RuntimeState, host_ip: str) -> str:
    if pod.spec.host_network:
        return host_ip
    return state.sandbox.ip if state.sandbox is not None and state.sandbox.ready else pod.status.pod_ip


def _container_status(pod: Pod, container: AnyContainer, state: RuntimeState, now: float) -> ContainerStatus:
    record = state.containers.get(container.name)
    if record is None or not record.started_at:
        return ContainerStatus(
            name=container.name,
            image=container.image,
            started=False,
            state=ContainerState(waiting=_waiting(pod, container, state, now)),
        )
    mounts, resources = _mounts(container), container.resources
    actual = record.resources if record.running and record.resources is not None else resources
    back_off_ = _crash_back_off(pod, container, record, now)
    return ContainerStatus(
        name=container.name,
        container_id=record.id,
        image=container.image,
        image_id=record.image_id,
        ready=record.running and record.health.ready,
        started=record.running and record.health.started,
        restart_count=record.restart_count,
        state=ContainerState(waiting=back_off_) if back_off_ else _state(record),
        last_state=_state(record) if back_off_ else _last_state(state.previous, container.name),
        volume_mounts=mounts,
        resources=actual if actual.requests or actual.limits else None,
        allocated_resources=resources.requests,
    )


def _init_status(pod: Pod, container: Container, state: RuntimeState, now: float) -> ContainerStatus:
    """An init container is ready once it has done its work, a sidecar while it runs."""
    status = _container_status(pod, container, state, now)
    if is_sidecar(container):
        return status
    ended = status.state.terminated
    return replace(status, ready=ended is not None and ended.exit_code == 0)


def _waiting(pod: Pod, container: AnyContainer, state: RuntimeState, now: float) -> ContainerStateWaiting:
    record = state.containers.get(container.name)
    if record is not None and record.failed_to_start:
        return ContainerStateWaiting(reason=record.reason, message=record.message)
    for reference, image, _ in needed_images(pod, container, state):
        if image is None or not image.error:
            continue
        if now - image.finished_at < FRESH_ERROR_SECONDS or image.reason != "ErrImagePull":
            return ContainerStateWaiting(reason=image.reason, message=image.error)
        return ContainerStateWaiting(
            reason="ImagePullBackOff",
            message=f'Back-off pulling image "{reference}": ErrImagePull: {image.error}',
        )
    return ContainerStateWaiting(reason="PodInitializing" if pod.spec.init_containers else "ContainerCreating")


def _crash_back_off(
    pod: Pod, container: AnyContainer, record: ContainerRecord, now: float
) -> ContainerStateWaiting | None:
    """What a container says that has exited and waits for its next start."""
    if not record.exited or pod.metadata.deletion_timestamp is not None or pod.status.phase in TERMINAL:
        return None
    delay = back_off(record.crashes)
    if not delay or now >= record.finished_at + delay or not starts_again(pod, container, record):
        return None
    return ContainerStateWaiting(
        reason="CrashLoopBackOff",
        message=f"back-off {duration(delay)} restarting failed container={container.name} "
        f"pod={pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})",
    )


def _state(record: ContainerRecord) -> ContainerState:
    started_at = format_seconds(record.started_at)
    if not record.exited:
        return ContainerState(running=ContainerStateRunning(started_at=started_at))
    return ContainerState(
        terminated=ContainerStateTerminated(
            container_id=record.id,
            exit_code=record.exit_code,
            signal=record.signal,
            reason=record.reason or ("Completed" if record.exit_code == 0 else "Error"),
            message=record.message,
            started_at=started_at,
            finished_at=format_seconds(record.finished_at),
        )
    )


def _last_state(previous: Mapping[str, ContainerRecord], name: str) -> ContainerState:
    record = previous.get(name)
    return _state(record) if record is not None else ContainerState()


def _mounts(container: AnyContainer) -> tuple[VolumeMountStatus, ...]:
    return tuple(
        [
            VolumeMountStatus(
                name=m.name,
                mount_path=m.mount_path,
                read_only=m.read_only,
                recursive_read_only="Disabled" if m.read_only else None,
            )
            for m in container.volume_mounts
        ]
    )
