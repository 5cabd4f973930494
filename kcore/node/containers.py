"""Rules about the containers of a pod: which kinds there are, when one is started again, and how long that waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kcore.api.core_v1 import Container, Pod, Volume
from kcore.node.resizes import needs_restart
from kcore.node.runtime import AnyContainer, ContainerRecord, Image, RuntimeState

__all__ = [
    "NeededImage",
    "all_containers",
    "back_off",
    "duration",
    "grace_of",
    "is_changed",
    "is_outdated",
    "is_sidecar",
    "needed_images",
    "next_crashes",
    "restarts",
    "starts_again",
    "workload_finished",
]

FIRST_BACK_OFF = 10.0
LONGEST_BACK_OFF = 300.0
CALM = 600.0
"""A container that ran this long has its crashes forgiven (twice the longest back-off, as upstream)."""


def all_containers(pod: Pod) -> Iterator[AnyContainer]:
    """Every container of a pod, of all three lists."""
    yield from pod.spec.init_containers
    yield from pod.spec.containers
    yield from pod.spec.ephemeral_containers


class NeededImage(NamedTuple):
    """An image without which a container cannot start: its own, or that of a volume it mounts."""

    reference: str
    found: Image | None
    volume: Volume | None = None


def needed_images(pod: Pod, container: AnyContainer, state: RuntimeState) -> Iterator[NeededImage]:
    """In the order in which a container waits for them."""
    yield NeededImage(container.image, state.images.get(container.image))
    shown = [volume for volume in pod.spec.volumes if volume.image is not None]
    mounted = {mount.name for mount in container.volume_mounts} if shown else ()
    for volume in shown:
        if volume.image is not None and volume.name in mounted:
            reference = volume.image.reference
            yield NeededImage(reference, state.volumes.get(reference), volume)


def is_sidecar(container: Container) -> bool:
    """Whether an init container keeps running beside the pod's containers (KEP-753)."""
    return container.restart_policy == "Always"


def restarts(pod: Pod, container: AnyContainer, exit_code: int) -> bool:
    """Whether a container that ended with `exit_code` is started again: by its own rules (KEP-5307), its own
    policy, or the pod's."""
    for rule in container.restart_policy_rules:
        codes = rule.exit_codes
        if codes is not None and (exit_code in codes.values) == (codes.operator == "In"):
            return rule.action == "Restart"
    policy = container.restart_policy or pod.spec.restart_policy
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def is_changed(container: AnyContainer, record: ContainerRecord) -> bool:
    """Whether a container must be replaced: upstream's hash of it covers what can never change in place, its image."""
    return bool(record.image) and record.image != container.image


def is_outdated(container: AnyContainer, record: ContainerRecord) -> bool:
    """Whether a container has to end and start again for what was changed of it."""
    return is_changed(container, record) or needs_restart(container, record)


def starts_again(pod: Pod, container: AnyContainer, record: ContainerRecord) -> bool:
    """Whether a container that has ended comes back: by policy, or because it was ended to be replaced."""
    replaced = record.stop_by is not None and is_outdated(container, record)
    return replaced or restarts(pod, container, record.exit_code)


def grace_of(pod: Pod, container: AnyContainer, record: ContainerRecord) -> int:
    """How many seconds a container has to end: the pod's grace, or that of the probe that wants its end."""
    probe = container.liveness_probe if record.health.started else container.startup_probe
    if not record.health.live and probe is not None and probe.termination_grace_period_seconds is not None:
        return probe.termination_grace_period_seconds
    return pod.spec.termination_grace_period_seconds or 0


def back_off(crashes: int) -> float:
    """Seconds between an exit and the next start: none at first, then 10, 20, 40, ... up to five minutes."""
    if crashes == 0:
        return 0.0
    return min(FIRST_BACK_OFF * 2.0 ** min(crashes - 1, 10), LONGEST_BACK_OFF)


def next_crashes(record: ContainerRecord) -> int:
    """What the next attempt counts as crashes before it."""
    calm = record.finished_at - record.started_at >= CALM
    return 1 if calm else record.crashes + 1


def workload_finished(pod: Pod, state: RuntimeState) -> bool:
    """Whether all ordinary containers have ended for good, so that sidecars may go as well."""
    for container in pod.spec.containers:
        record = state.containers.get(container.name)
        if record is None or not record.exited or starts_again(pod, container, record):
            return False
    return True


def duration(seconds: float) -> str:
    """A duration as Go writes it: `10s`, `1m20s`, `1.5s`, `250ms`."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms" if round(seconds * 1000) else "0s"
    minutes, rest = divmod(seconds, 60)
    text = f"{rest:.3f}".rstrip("0").rstrip(".")
    if minutes < 60:
        return f"{int(minutes)}m{text}s" if minutes else f"{text}s"
    return f"{int(minutes // 60)}h{int(minutes % 60)}m{text}s"
