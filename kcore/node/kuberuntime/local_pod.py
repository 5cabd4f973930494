"""What is known of a pod beyond its object while it runs, and how that is found again by the next kubelet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import anyio

from kcore.api.core_v1 import ContainerStatus, Pod, ResourceRequirements
from kcore.api.timestamp import parse
from kcore.node.containers import all_containers
from kcore.node.cri import ContainerInfo, ImageInfo
from kcore.node.kuberuntime.probes import has_probes
from kcore.node.runtime import (
    HEALTHY,
    NOTHING,
    AnyContainer,
    ContainerRecord,
    Health,
    Image,
    RuntimeState,
    Sandbox,
)

__all__ = ["CONTAINER", "IMAGE", "IMAGE_ID", "LocalPod", "Restored", "labels_of", "restored"]

CONTAINER, ATTEMPT, CRASHES, IMAGE, IMAGE_ID, SCHEME = "container", "attempt", "crashes", "image", "image_id", "scheme"
LOST = "The container could not be located when the pod was terminated"
LOST_CODE = 137


class LocalPod:
    """Only `KubeRuntime` writes here."""

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.state: RuntimeState = NOTHING
        self.folders: Mapping[str, Path] = {}
        self.images: dict[str, ImageInfo] = {}
        self.roots: dict[str, Path] = {}
        """What the images hold that volumes show, by their names in the pod."""
        self.ids: dict[str, str] = {}
        """The runtime's ids of the current attempts, by container."""
        self.stopping: set[str] = set()
        self.changed = anyio.Event()
        """Set when something that the pod may wait for has changed."""
        self.probed: Counter[tuple[str, str, bool]] = Counter()
        """Answers to probes: by container, kind of probe, and whether they were good."""
        self._nudges: dict[str, anyio.Event] = {}
        self._probes: dict[str, anyio.CancelScope] = {}

    def runs(self, name: str) -> bool:
        record = self.state.containers.get(name)
        return record is not None and record.running

    def all_ids(self) -> set[str]:
        records = (*self.state.containers.values(), *self.state.previous.values())
        return {record.id.rpartition("/")[2] for record in records if record.id} | set(self.ids.values())

    def wake_waiting(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()

    def nudged(self, name: str) -> anyio.Event:
        """Set when a container has ended, or is to end sooner."""
        return self._nudges.setdefault(name, anyio.Event())

    def nudge(self, name: str) -> None:
        if (event := self._nudges.pop(name, None)) is not None:
            event.set()

    def wake_all(self) -> None:
        self.state = NOTHING
        for name in list(self._nudges):
            self.nudge(name)
        self.wake_waiting()

    @contextmanager
    def probing(self, name: str) -> Iterator[None]:
        """Within this, a container is probed, until `cancel_probes`."""
        with anyio.CancelScope() as scope:
            self._probes[name] = scope
            yield

    def cancel_probes(self, name: str = "") -> None:
        for probed in [name] if name else list(self._probes):
            if (scope := self._probes.pop(probed, None)) is not None:
                scope.cancel()


class Restored(NamedTuple):
    state: RuntimeState
    ids: Mapping[str, str]


def labels_of(pod: Pod, container: AnyContainer, record: ContainerRecord, ip: str) -> Mapping[str, str]:
    """What a container carries for the next kubelet to know it by."""
    return {
        "uid": pod.metadata.uid,
        "namespace": pod.metadata.namespace,
        "pod": pod.metadata.name,
        CONTAINER: container.name,
        ATTEMPT: str(record.restart_count),
        CRASHES: str(record.crashes),
        IMAGE: record.image,
        IMAGE_ID: record.image_id,
        "ip": ip,
    }


def restored(pod: Pod, found: Sequence[ContainerInfo], now: float, scheme: str = "kcore-process") -> Restored:
    """The state of a pod from the containers that there are; of those that are gone, what its status says."""
    attempts = sorted(found, key=lambda info: int(info.labels[ATTEMPT]))
    containers: dict[str, ContainerRecord] = {}
    previous: dict[str, ContainerRecord] = {}
    ids: dict[str, str] = {}
    resources = {status.name: status.resources or ResourceRequirements() for status in _statuses(pod)}
    by_name = {container.name: container for container in all_containers(pod)}
    for info in attempts:
        name = info.labels[CONTAINER]
        if name in containers:
            previous[name] = containers[name]
        record = _record(info, by_name.get(name), scheme)
        containers[name], ids[name] = record._replace(resources=resources.get(name)), info.id
    for status in _statuses(pod):
        if status.name not in containers and (lost := _lost(status, now)) is not None:
            containers[status.name] = lost
    images = {r.image: Image(r.image_id, was_present=True) for r in containers.values() if r.image and r.image_id}
    ip = attempts[-1].labels["ip"] if attempts else ""
    sandbox = Sandbox(pod.metadata.uid, ip, now) if any(not info.finished_at for info in found) else None
    return Restored(RuntimeState(sandbox, images, containers, previous), ids)


def _record(info: ContainerInfo, container: AnyContainer | None, scheme: str) -> ContainerRecord:
    labels = info.labels
    probed = container is not None and has_probes(container)
    return ContainerRecord(
        name=labels[CONTAINER],
        id=f"{scheme}://{info.id}",
        image_id=labels[IMAGE_ID],
        restart_count=int(labels[ATTEMPT]),
        crashes=int(labels[CRASHES]),
        started_at=info.started_at,
        finished_at=info.finished_at,
        exit_code=info.exit_code,
        image=labels[IMAGE],
        reason=info.reason,
        # It goes on serving until its probes have found out anew.
        health=HEALTHY if not probed else Health(started=True, ready=True),
    )


def _statuses(pod: Pod) -> Sequence[ContainerStatus]:
    status = pod.status
    return (*status.init_container_statuses, *status.container_statuses, *status.ephemeral_container_statuses)


def _lost(status: ContainerStatus, now: float) -> ContainerRecord | None:
    """The record of a container that its status tells of and that is not there: as it ended, or lost."""
    running = status.state.running
    ended = status.state.terminated or (status.last_state.terminated if status.state.waiting else None)
    if running is None and ended is None:
        return None
    common = ContainerRecord(
        status.name,
        status.container_id,
        status.image_id,
        status.restart_count,
        status.restart_count,
        image=status.image,
    )
    if ended is not None:
        return common._replace(
            started_at=parse(ended.started_at) if ended.started_at else now,
            finished_at=parse(ended.finished_at) if ended.finished_at else now,
            exit_code=ended.exit_code,
            reason="" if ended.reason in ("Completed", "Error") else ended.reason,
            message=ended.message,
        )
    assert running is not None
    return common._replace(
        started_at=parse(running.started_at) if running.started_at else now,
        finished_at=now,
        exit_code=LOST_CODE,
        reason="ContainerStatusUnknown",
        message=LOST,
    )
