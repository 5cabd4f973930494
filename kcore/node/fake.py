"""A runtime without containers: it keeps records, lets time pass, and claims that all went well.

What a container does can be scripted by annotations of its pod, for all its ordinary containers or, with
`.NAME` appended, for one container of any sort:

    kcore.dev/run-seconds: "30"    it ends by itself after so long (otherwise it runs until it is stopped)
    kcore.dev/exit-code: "1"       with this code (and at once, unless `run-seconds` says otherwise)
    kcore.dev/stop-seconds: "5"    how long it takes to end once it was told to (no time, otherwise)
    kcore.dev/pull-error: "text"   its image cannot be pulled, for this reason
    kcore.dev/logs: "text"         what it has written

Containers of a pod that belongs to a Job end well after a second, as nobody would wait for a Job that cannot end.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, TaskStatus

from kcore.api.core_v1 import ContainerStatus, Pod
from kcore.api.quantity import int_value, milli_value
from kcore.api.timestamp import format_micro, parse
from kcore.kit.clock import Chance, Clock
from kcore.node.containers import all_containers, is_sidecar
from kcore.node.runtime import (
    NOTHING,
    AnyContainer,
    ContainerRecord,
    ContainerUsage,
    Execution,
    Image,
    OnRuntimeChange,
    RuntimeState,
    Sandbox,
    UnsupportedByRuntime,
)

__all__ = ["FakeRuntime", "Script", "script_of"]

PREFIX = "kcore.dev/"
JOB_SECONDS = 1.0
KILLED = 137

OnTimer = Callable[[], None]


class Script(NamedTuple):
    """What a fake container does with its life."""

    run_seconds: float | None = None
    exit_code: int = 0
    stop_seconds: float = 0.0


def script_of(pod: Pod, container: AnyContainer) -> Script:
    """The script of one container. A value that is no number counts as absent."""
    ordinary = any(c.name == container.name for c in pod.spec.containers)
    run_seconds = _number(pod, container, "run-seconds", ordinary)
    exit_code = _number(pod, container, "exit-code", ordinary)
    if run_seconds is None:
        if exit_code is not None:
            run_seconds = 0.0
        elif not ordinary:
            run_seconds = None if _runs_on(pod, container) else 0.0
        elif any(owner.kind == "Job" and owner.controller for owner in pod.metadata.owner_references):
            run_seconds = JOB_SECONDS
    return Script(run_seconds, int(exit_code or 0), _number(pod, container, "stop-seconds", ordinary) or 0.0)


def _runs_on(pod: Pod, container: AnyContainer) -> bool:
    """Whether a container outside the ordinary list runs until it is stopped: sidecars and ephemeral ones do."""
    return all(c.name != container.name or is_sidecar(c) for c in pod.spec.init_containers)


def _text(pod: Pod, container: AnyContainer, name: str, ordinary: bool) -> str | None:
    annotations = pod.metadata.annotations
    if not annotations:
        return None
    own = annotations.get(f"{PREFIX}{name}.{container.name}")
    return annotations.get(PREFIX + name) if own is None and ordinary else own


def _number(pod: Pod, container: AnyContainer, name: str, ordinary: bool) -> float | None:
    text = _text(pod, container, name, ordinary)
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None


class FakeRuntime:
    """Records of containers, for all nodes at once. A container takes `start_seconds` from created to running."""

    version = "kcore-fake://1.0.0"
    editable = True

    def __init__(self, clock: Clock, chance: Chance, start_seconds: float = 0.05) -> None:
        self._clock = clock
        self._chance = chance
        self._start_seconds = start_seconds
        self._states: dict[str, RuntimeState] = {}
        self._present: dict[str, set[str]] = {}
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._pods: dict[str, Pod] = {}
        self._news: dict[str, anyio.Event] = {}
        self._on_change: OnRuntimeChange = _ignore

    async def run(self, on_change: OnRuntimeChange, *, task_status: TaskStatus[None]) -> None:
        self._on_change = on_change
        task_status.started()
        try:
            await anyio.sleep_forever()
        finally:
            for timer in self._timers.values():
                timer.cancel()

    def state(self, uid: str) -> RuntimeState:
        return self._states.get(uid, NOTHING)

    def recover(self, pod: Pod) -> None:
        """There is nothing to find: the containers are as the pod's status has them."""
        status, uid = pod.status, pod.metadata.uid
        self._pods[uid] = pod
        statuses = (*status.init_container_statuses, *status.container_statuses, *status.ephemeral_container_statuses)
        records = {s.name: record for s in statuses if (record := _record(s)) is not None}
        sandbox = Sandbox(self._new_id(), status.pod_ip, self._clock.now()) if status.pod_ip else None
        images = {
            c.image: Image(id=records[c.name].image_id, was_present=True)
            for c in all_containers(pod)
            if c.name in records
        }
        self._present.setdefault(pod.spec.node_name, set()).update(images)
        self._states[uid] = RuntimeState(sandbox, images, records)
        for container in all_containers(pod):
            record = records.get(container.name)
            if record is not None and record.running:
                self._schedule_end(pod, container, record)

    def run_sandbox(self, pod: Pod, ip: str) -> None:
        uid = pod.metadata.uid
        self._pods[uid] = pod
        self._states[uid] = self.state(uid)._replace(sandbox=Sandbox(self._new_id(), ip, self._clock.now()))

    def pull_image(self, pod: Pod, container: AnyContainer) -> None:
        uid, name, now = pod.metadata.uid, container.image, self._clock.now()
        state = self.state(uid)
        present = self._present.setdefault(pod.spec.node_name, set())
        ordinary = any(c.name == container.name for c in pod.spec.containers)
        error = _text(pod, container, "pull-error", ordinary) or ""
        if error:
            before = state.images.get(name)
            image = Image(started_at=now, finished_at=now, error=error, failures=before.failures + 1 if before else 1)
        else:
            digest = hashlib.sha256(name.encode()).hexdigest()
            was_present = name in present and container.image_pull_policy != "Always"
            size = 10_000_000 + int(digest[:6], 16) * 10
            image = Image(f"{_repository(name)}@sha256:{digest}", size, was_present, now, now)
            present.add(name)
        self._states[uid] = state._replace(images={**state.images, name: image})

    def start_container(self, pod: Pod, container: AnyContainer, restart_count: int, crashes: int) -> None:
        uid, state = pod.metadata.uid, self.state(pod.metadata.uid)
        record = ContainerRecord(
            container.name,
            f"{self.version.partition(':')[0]}://{self._new_id()}",
            state.images[container.image].id,
            restart_count,
            crashes,
        )
        last = state.containers.get(container.name)
        if last is not None:
            state = state._replace(previous={**state.previous, container.name: last})
        self._states[uid] = state
        self._put(uid, record)
        if self._start_seconds:
            self._at(uid, container.name, self._start_seconds, lambda: self._started(pod, container))
        else:
            self._started(pod, container)

    def stop_container(self, uid: str, name: str, by: float) -> None:
        record = self.state(uid).containers[name]
        now = self._clock.now()
        if not record.started_at:
            self._put(uid, record._replace(started_at=now, finished_at=now, exit_code=KILLED, signal=9, stop_by=by))
            return
        self._put(uid, record._replace(stop_by=by))
        pod = self._pods[uid]
        container = next(c for c in all_containers(pod) if c.name == name)
        needed, left = script_of(pod, container).stop_seconds, max(0.0, by - now)
        code = 0 if needed <= left else KILLED
        if min(needed, left):
            self._at(uid, name, min(needed, left), lambda: self._ended(uid, name, code))
        else:
            self._ended(uid, name, code)

    def stop_sandbox(self, uid: str) -> None:
        self._states[uid] = self.state(uid)._replace(sandbox=None)

    def forget(self, uid: str) -> None:
        self._pods.pop(uid, None)
        state = self._states.pop(uid, None)
        for name in state.containers if state is not None else ():
            self._cancel(uid, name)
        self._tell(uid)

    def exec(
        self,
        uid: str,
        container: str,
        command: Sequence[str],
        stdin: ByteReceiveStream | None,
        stdout: ByteSendStream,
        stderr: ByteSendStream | None,
    ) -> Execution:
        raise UnsupportedByRuntime("a fake container has no processes")

    async def logs(
        self, uid: str, container: str, *, previous: bool = False, follow: bool = False
    ) -> AsyncIterator[bytes]:
        state, pod = self.state(uid), self._pods.get(uid)
        record = (state.previous if previous else state.containers).get(container)
        if record is None or pod is None:
            return
        text = next(_text(pod, c, "logs", c in pod.spec.containers) for c in all_containers(pod) if c.name == container)
        for line in (text or "").splitlines():
            yield f"{format_micro(record.started_at)} {line}\n".encode()
        while follow and self.state(uid).containers.get(container) is record and record.running:
            await self._news.setdefault(uid, anyio.Event()).wait()

    def stats(self, uid: str) -> Mapping[str, ContainerUsage]:
        """A fake container uses exactly what it requests."""
        pod, state = self._pods[uid], self.state(uid)
        return {
            c.name: ContainerUsage(
                milli_value(c.resources.requests.get("cpu", "0")) * 1_000_000,
                int_value(c.resources.requests.get("memory", "0")),
            )
            for c in all_containers(pod)
            if c.name in state.containers and state.containers[c.name].running
        }

    def _started(self, pod: Pod, container: AnyContainer) -> None:
        uid = pod.metadata.uid
        record = self.state(uid).containers[container.name]._replace(started_at=self._clock.now())
        self._put(uid, record)
        self._schedule_end(pod, container, record)

    def _schedule_end(self, pod: Pod, container: AnyContainer, record: ContainerRecord) -> None:
        uid, name = pod.metadata.uid, container.name
        script = script_of(pod, container)
        if script.run_seconds is None:
            return
        left = record.started_at + script.run_seconds - self._clock.now()
        if left > 0:
            self._at(uid, name, left, lambda: self._ended(uid, name, script.exit_code))
        else:
            self._ended(uid, name, script.exit_code)

    def _ended(self, uid: str, name: str, exit_code: int) -> None:
        self._cancel(uid, name)
        record = self.state(uid).containers[name]
        signal = 9 if exit_code == KILLED else 0
        self._put(uid, record._replace(finished_at=self._clock.now(), exit_code=exit_code, signal=signal))

    def _put(self, uid: str, record: ContainerRecord) -> None:
        state = self.state(uid)
        self._states[uid] = state._replace(containers={**state.containers, record.name: record})
        self._tell(uid)
        self._on_change(uid)

    def _tell(self, uid: str) -> None:
        """Wake those who follow a pod's logs."""
        news = self._news.pop(uid, None)
        if news is not None:
            news.set()

    def _at(self, uid: str, name: str, seconds: float, then: OnTimer) -> None:
        """Do `then` later, in place of whatever else this container was going to do."""
        self._cancel(uid, name)
        self._timers[uid, name] = asyncio.get_running_loop().call_later(seconds, self._fire, uid, name, then)

    def _fire(self, uid: str, name: str, then: OnTimer) -> None:
        del self._timers[uid, name]
        then()

    def _cancel(self, uid: str, name: str) -> None:
        timer = self._timers.pop((uid, name), None)
        if timer is not None:
            timer.cancel()

    def _new_id(self) -> str:
        return f"{self._chance.random.getrandbits(256):064x}"


def _ignore(uid: str) -> None:
    """Nobody listens yet."""


def _record(status: ContainerStatus) -> ContainerRecord | None:
    """The record of a container whose status was written before."""
    running = status.state.running
    ended = status.state.terminated or (status.last_state.terminated if status.state.waiting else None)
    if running is None and ended is None:
        return None
    state = running or ended
    assert state is not None
    return ContainerRecord(
        name=status.name,
        id=status.container_id or (ended.container_id if ended else ""),
        image_id=status.image_id,
        restart_count=status.restart_count,
        crashes=status.restart_count,
        started_at=parse(state.started_at) if state.started_at else 1.0,
        finished_at=(parse(ended.finished_at) if ended.finished_at else 1.0) if ended else 0.0,
        exit_code=ended.exit_code if ended else 0,
        signal=ended.signal if ended else 0,
        message=ended.message if ended else "",
    )


def _repository(image: str) -> str:
    """The full repository of an image name: `nginx:1` -> `docker.io/library/nginx`."""
    name = image.partition("@")[0]
    head, _, last = name.rpartition("/")
    repository = f"{head}/{last.partition(':')[0]}" if head else last.partition(":")[0]
    registry = repository.partition("/")[0] if head else ""
    if "." in registry or ":" in registry or registry == "localhost":
        return repository
    return f"docker.io/{repository}" if "/" in repository else f"docker.io/library/{repository}"
