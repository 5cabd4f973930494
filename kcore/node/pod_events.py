"""The events of a pod's containers: what changed between two reports of its runtime, in the kubelet's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kcore.api.core_v1 import ContainerStatus, Pod, PodStatus
from kcore.node.containers import duration, is_changed, needed_images
from kcore.node.resizes import needs_restart
from kcore.node.runtime import AnyContainer, ContainerRecord, Image, RuntimeState

__all__ = ["ContainerEvent", "back_off_events", "events_between"]


class ContainerEvent(NamedTuple):
    type: str
    reason: str
    message: str
    field_path: str


def events_between(pod: Pod, old: RuntimeState, new: RuntimeState) -> Iterator[ContainerEvent]:
    """What is to be told of `pod` now that its runtime reports `new` after `old`."""
    if old is new:
        return
    if new.volumes is not old.volumes:
        yield from _volume_events(pod, old, new)
    for container, field_path in _containers(pod):
        before, after = old.images.get(container.image), new.images.get(container.image)
        if after is not None and after is not before and after.finished_at:
            for reason, message, is_good in _image_events(container.image, after):
                yield ContainerEvent("Normal" if is_good else "Warning", reason, message, field_path)
            if after.error:
                yield ContainerEvent("Warning", "Failed", f"Error: {after.reason}", field_path)
        was, is_ = old.containers.get(container.name), new.containers.get(container.name)
        ended = new.previous.get(container.name)
        if was is not None and is_ is not None and ended is not None and is_.id != was.id == ended.id:
            for reason, message in _record_events(container, was, ended):
                yield ContainerEvent("Normal", reason, message, field_path)
        for reason, message in _record_events(container, was, is_):
            yield ContainerEvent("Normal", reason, message, field_path)


def _volume_events(pod: Pod, old: RuntimeState, new: RuntimeState) -> Iterator[ContainerEvent]:
    """Of the images that volumes show: they are the pod's, but what cannot start for want of one are its containers."""
    for reference, image in new.volumes.items():
        if not image.finished_at or image is old.volumes.get(reference):
            continue
        for reason, message, is_good in _image_events(reference, image):
            yield ContainerEvent("Normal" if is_good else "Warning", reason, message, "")
        for container, field_path in _containers(pod) if image.error else ():
            if any(needed.found is image for needed in needed_images(pod, container, new)):
                yield ContainerEvent("Warning", "Failed", f"Error: {image.reason}", field_path)


def back_off_events(pod: Pod, status: PodStatus) -> Iterator[ContainerEvent]:
    """What is to be told of containers that `status` says wait for a next attempt, and did not before."""
    before = {s.name: _waiting_reason(s) for s in _statuses(pod.status)}
    fields = {container.name: (container, field_path) for container, field_path in _containers(pod)}
    metadata = pod.metadata
    for container_status in _statuses(status):
        reason = _waiting_reason(container_status)
        if not reason.endswith("BackOff") or before.get(container_status.name) == reason:
            continue
        container, field_path = fields[container_status.name]
        if reason == "CrashLoopBackOff":
            where = f"{metadata.name}_{metadata.namespace}({metadata.uid})"
            message = f"Back-off restarting failed container {container.name} in pod {where}"
            yield ContainerEvent("Warning", "BackOff", message, field_path)
        else:
            assert container_status.state.waiting is not None
            message = container_status.state.waiting.message.partition(": ")[0]
            yield ContainerEvent("Normal", "BackOff", message, field_path)
            yield ContainerEvent("Warning", "Failed", "Error: ImagePullBackOff", field_path)


def _statuses(status: PodStatus) -> tuple[ContainerStatus, ...]:
    return (*status.init_container_statuses, *status.container_statuses)


def _waiting_reason(status: ContainerStatus) -> str:
    return status.state.waiting.reason if status.state.waiting is not None else ""


def _containers(pod: Pod) -> Iterator[tuple[AnyContainer, str]]:
    for container in pod.spec.init_containers:
        yield container, f"spec.initContainers{{{container.name}}}"
    for container in pod.spec.containers:
        yield container, f"spec.containers{{{container.name}}}"
    for ephemeral in pod.spec.ephemeral_containers:
        yield ephemeral, f"spec.ephemeralContainers{{{ephemeral.name}}}"


def _image_events(name: str, image: Image) -> Iterator[tuple[str, str, bool]]:
    if image.was_present:
        yield "Pulled", f'Container image "{name}" already present on machine and can be accessed by the pod', True
        return
    yield "Pulling", f'Pulling image "{name}"', True
    if image.error:
        yield "Failed", f'Failed to pull image "{name}": {image.error}', False
        return
    took = duration(image.finished_at - image.started_at)
    size = f"Image size: {image.size_bytes} bytes."
    yield "Pulled", f'Successfully pulled image "{name}" in {took} ({took} including waiting). {size}', True


def _record_events(
    container: AnyContainer, old: ContainerRecord | None, new: ContainerRecord | None
) -> Iterator[tuple[str, str]]:
    if new is None or new is old or new.failed_to_start:
        return
    if old is None or old.id != new.id:
        yield "Created", "Container created"
        old = None
    if new.started_at and (old is None or not old.started_at):
        yield "Started", "Container started"
    if new.stop_by is not None and (old is None or old.stop_by is None):
        yield "Killing", _why_stopped(container, new)


def _why_stopped(container: AnyContainer, record: ContainerRecord) -> str:
    if not record.health.live:
        return record.health.message
    if is_changed(container, record):
        return f"Container {container.name} definition changed, will be restarted"
    if needs_restart(container, record):
        return f"Container {container.name} resize requires restart"
    return f"Stopping container {container.name}"
