"""The life of a pod on its node, as a pure function of what is wanted and what the runtime reports.

    Pending, nothing runs  --RunSandbox-->  sandbox with an address
      --PullImage, StartContainer-->        init containers one after another, sidecars left running
      --PullImage, StartContainer-->        all containers: Running; ended ones start again by the restart policy
      every container ended for good:       Succeeded or Failed, for ever            --StopSandbox-->
    deletionTimestamp at any point          --StopContainer..., StopSandbox, Delete--> gone

`step` is called whenever the pod or its runtime state has changed, or at the time it asked for. It never remembers
anything: doing what it says twice is harmless because the runtime reports what was done already.
"""

from __future__ import annotations

from typing import NamedTuple

from kcore.api.core_v1 import Pod, PodStatus, Volume
from kcore.api.timestamp import parse
from kcore.node.containers import (
    all_containers,
    back_off,
    grace_of,
    is_outdated,
    is_sidecar,
    needed_images,
    next_crashes,
    starts_again,
    workload_finished,
)
from kcore.node.pod_phase import TERMINAL, deadline, pod_phase
from kcore.node.pod_status import FRESH_ERROR_SECONDS, pod_status
from kcore.node.runtime import AnyContainer, ContainerRecord, RuntimeState

__all__ = [
    "Delete",
    "Effect",
    "Plan",
    "PullImage",
    "PullVolume",
    "RunSandbox",
    "StartContainer",
    "Step",
    "StopContainer",
    "StopSandbox",
    "plan",
    "step",
]


RETRY_SECONDS = 10.0
"""How long after an attempt that could not even begin comes the next one."""
SIDECAR_SECONDS = 2.0
"""What a sidecar has left to end when the others have used up the pod's grace."""


class RunSandbox(NamedTuple):
    """Give the pod its sandbox and address."""


class PullImage(NamedTuple):
    container: AnyContainer


class PullVolume(NamedTuple):
    """Pull the image that a volume shows."""

    volume: Volume


class StartContainer(NamedTuple):
    container: AnyContainer
    restart_count: int = 0
    crashes: int = 0


class StopContainer(NamedTuple):
    """Ask a container to end, and kill it at the time `by`."""

    name: str
    by: float


class StopSandbox(NamedTuple):
    """Nothing runs any more: take the sandbox down, give the address back."""


class Delete(NamedTuple):
    """The last thing a deleted pod waits for has ended: remove the object."""


Effect = RunSandbox | PullImage | PullVolume | StartContainer | StopContainer | StopSandbox | Delete


class Plan(NamedTuple):
    """What to do now; `wake_at`: look again then, even if nothing has changed."""

    effects: tuple[Effect, ...] = ()
    wake_at: float | None = None


class Step(NamedTuple):
    """What to tell the API, and what to do."""

    status: PodStatus
    effects: tuple[Effect, ...] = ()
    wake_at: float | None = None


def step(pod: Pod, state: RuntimeState, now: float, host_ip: str) -> Step:
    """What should happen next to `pod`, and what its status says meanwhile."""
    return Step(pod_status(pod, state, now, host_ip), *plan(pod, state, now))


def plan(pod: Pod, state: RuntimeState, now: float) -> Plan:
    """What should happen next to `pod`."""
    if pod.metadata.deletion_timestamp is not None:
        return Plan(_terminate(pod, state, now, parse(pod.metadata.deletion_timestamp), deleted=True))
    if pod_phase(pod, state, now).phase in TERMINAL:
        return Plan(_terminate(pod, state, now, now + (pod.spec.termination_grace_period_seconds or 0)))
    until = deadline(pod)
    if state.sandbox is None:
        return Plan((RunSandbox(),), until)
    if not state.sandbox.ready:
        return Plan((), until)
    effects, wake_at = _advance(pod, state, now)
    return Plan(tuple(effects), min(wake_at, until) if wake_at and until else wake_at or until)


def _terminate(pod: Pod, state: RuntimeState, now: float, by: float, deleted: bool = False) -> tuple[Effect, ...]:
    """Stop all containers, sidecars last; then the sandbox; then, for a deleted pod, remove the object."""
    running = [record for record in state.containers.values() if not record.finished_at]
    if running:
        sidecars = _running_sidecars(pod, state)
        if len(sidecars) == len(running):
            running, by = sidecars[:1], max(by, now + SIDECAR_SECONDS)
        else:
            running = [record for record in running if record not in sidecars]
        return tuple(StopContainer(r.name, by) for r in running if r.stop_by is None or r.stop_by > by)
    effects: tuple[Effect, ...] = (StopSandbox(),) if state.sandbox is not None else ()
    # A grace of 0 means that removal was asked for before; finalizers are what the object still waits for.
    if deleted and pod.metadata.deletion_grace_period_seconds != 0:
        effects += (Delete(),)
    return effects


def _advance(pod: Pod, state: RuntimeState, now: float) -> tuple[list[Effect], float | None]:
    """Start what should run now, and say when the first back-off ends."""
    effects: list[Effect] = []
    wake_at: float | None = None
    for container in _due(pod, state):
        record = state.containers.get(container.name)
        if record is None:
            effect, at = _launch(pod, container, state, now, StartContainer(container))
        elif record.failed_to_start:
            again = StartContainer(container, record.restart_count, record.crashes)
            ready_at = record.finished_at + RETRY_SECONDS
            effect, at = (None, ready_at) if now < ready_at else _launch(pod, container, state, now, again)
        elif record.exited:
            again = StartContainer(container, record.restart_count + 1, next_crashes(record))
            ready_at = record.finished_at + back_off(record.crashes)
            effect, at = (None, ready_at) if now < ready_at else _launch(pod, container, state, now, again)
        else:
            continue
        if effect is not None and effect not in effects:
            effects.append(effect)
        if at is not None:
            wake_at = at if wake_at is None else min(wake_at, at)
    effects += _replacements(pod, state, now)
    if workload_finished(pod, state):
        by = now + (pod.spec.termination_grace_period_seconds or 0)
        effects += [StopContainer(r.name, by) for r in _running_sidecars(pod, state) if r.stop_by is None]
    return effects, wake_at


def _replacements(pod: Pod, state: RuntimeState, now: float) -> list[Effect]:
    """End what runs but should not: containers that their probes give up, and those whose image was changed,
    or resources that only a new start brings."""
    effects: list[Effect] = []
    for container in all_containers(pod):
        record = state.containers.get(container.name)
        if record is None or not record.running or record.stop_by is not None:
            continue
        if not record.health.live or is_outdated(container, record):
            effects.append(StopContainer(record.name, now + grace_of(pod, container, record)))
    return effects


def _due(pod: Pod, state: RuntimeState) -> list[AnyContainer]:
    """The containers that should have been started by now and do not run, in their order."""
    due: list[AnyContainer] = []
    finished = workload_finished(pod, state)
    begun = any(container.name in state.containers for container in pod.spec.containers)
    for container in pod.spec.init_containers:
        record = state.containers.get(container.name)
        if is_sidecar(container):
            if not finished and (record is None or record.finished_at):
                due.append(container)
            if not begun and (record is None or not record.started_at or not record.health.started):
                return due
        elif begun:
            continue
        elif record is None or not record.exited:
            return [*due, container] if record is None or record.failed_to_start else due
        elif record.exit_code != 0:
            return [*due, container] if starts_again(pod, container, record) else due
    for ordinary in pod.spec.containers:
        record = state.containers.get(ordinary.name)
        if record is None or record.failed_to_start or (record.exited and starts_again(pod, ordinary, record)):
            due.append(ordinary)
    for ephemeral in pod.spec.ephemeral_containers:
        record = state.containers.get(ephemeral.name)
        if record is None or record.failed_to_start:
            due.append(ephemeral)
    return due


def _launch(
    pod: Pod, container: AnyContainer, state: RuntimeState, now: float, start: StartContainer
) -> tuple[Effect | None, float | None]:
    """Start a container if its images are there; else have the first that is not pulled, or wait for that."""
    for needed in needed_images(pod, container, state):
        image, volume = needed.found, needed.volume
        pull = PullImage(container) if volume is None else PullVolume(volume)
        if image is None:
            return pull, None
        if image.id:
            continue
        if not image.error:
            return None, None
        retry_at = image.finished_at + back_off(image.failures)
        if now >= retry_at:
            return pull, None
        told_at = image.finished_at + FRESH_ERROR_SECONDS
        return None, told_at if now < told_at else retry_at
    return start, None


def _running_sidecars(pod: Pod, state: RuntimeState) -> list[ContainerRecord]:
    """In the reverse of the order they were started in."""
    names = [c.name for c in reversed(pod.spec.init_containers) if is_sidecar(c)]
    return [r for name in names if (r := state.containers.get(name)) is not None and not r.finished_at]
