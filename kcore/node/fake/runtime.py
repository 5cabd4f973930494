"""Records of containers, for all nodes at once: one entry a pod and one timer a container that is to change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, ByteStream, TaskStatus

from kcore.api.core_v1 import Container, Pod, Volume
from kcore.kit.clock import Chance, Clock
from kcore.node.containers import all_containers
from kcore.node.fake.answers import ScriptedExecution, answer_of, written
from kcore.node.fake.images import image_of
from kcore.node.fake.past import record_of
from kcore.node.fake.probes import answers_of
from kcore.node.fake.script import SIGKILLED, SIGTERMED, Script, script_of
from kcore.node.fake.usage import usage_of
from kcore.node.logs import LogFilter, tail_of
from kcore.node.resizes import is_resized, needs_restart
from kcore.node.runtime import (
    HEALTHY,
    NOTHING,
    AnyContainer,
    ContainerRecord,
    ContainerUsage,
    Execution,
    Health,
    Image,
    LogOptions,
    NodeUsage,
    NotRunning,
    OnRuntimeChange,
    RuntimeState,
    Sandbox,
    UnsupportedByRuntime,
)

__all__ = ["FakeRuntime"]

OnTimer = Callable[[], None]
PutImage = Callable[[str, str, Image], None]
UNREADY = Health(started=False, ready=False)


class FakeRuntime:
    """A container takes `start_seconds` from created to running, unless its script says otherwise."""

    version = "kcore-fake://1.0.0"
    editable = True

    def __init__(self, clock: Clock, chance: Chance, start_seconds: float = 0.0) -> None:
        self._clock = clock
        self._chance = chance
        self._start_seconds = start_seconds
        self._states: dict[str, RuntimeState] = {}
        self._present: dict[str, dict[str, Image]] = {}
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._pods: dict[str, Pod] = {}
        self._uids: dict[str, dict[str, None]] = {}
        """The pods of each node."""
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

    def uids(self) -> Collection[str]:
        return self._pods.keys()

    def recover(self, pod: Pod) -> None:
        """There is nothing to find: the containers are as the pod's status has them."""
        status, uid = pod.status, pod.metadata.uid
        self._keep(pod)
        statuses = (*status.init_container_statuses, *status.container_statuses, *status.ephemeral_container_statuses)
        records = {s.name: record for s in statuses if (record := record_of(s)) is not None}
        sandbox = Sandbox(uid, status.pod_ip, self._clock.now()) if status.pod_ip else None
        images = {
            c.image: Image(id=records[c.name].image_id, was_present=True)
            for c in all_containers(pod)
            if c.name in records
        }
        self._present.setdefault(pod.spec.node_name, {}).update(images)
        self._states[uid] = RuntimeState(sandbox, images, records)
        for container in all_containers(pod):
            record = records.get(container.name)
            if record is not None and record.running:
                self._live_on(pod, container, record, script_of(pod, container))

    def _keep(self, pod: Pod) -> None:
        self._pods[pod.metadata.uid] = pod
        self._uids.setdefault(pod.spec.node_name, {})[pod.metadata.uid] = None

    def run_sandbox(self, pod: Pod, ip: str) -> None:
        uid = pod.metadata.uid
        self._keep(pod)
        self._states[uid] = self.state(uid)._replace(sandbox=Sandbox(uid, ip, self._clock.now()))

    def pull_image(self, pod: Pod, container: AnyContainer) -> None:
        before = self.state(pod.metadata.uid).images.get(container.image)
        self._pull(pod, container, before, "image", self._put_image)

    def pull_volume(self, pod: Pod, volume: Volume) -> None:
        """By the script of a container of the volume's name."""
        source = volume.image
        assert source is not None
        shown = Container(name=volume.name, image=source.reference, image_pull_policy=source.pull_policy)
        self._pull(pod, shown, self.state(pod.metadata.uid).volumes.get(source.reference), "volume", self._put_volume)

    def _pull(self, pod: Pod, container: AnyContainer, before: Image | None, kind: str, put: PutImage) -> None:
        uid, name, now = pod.metadata.uid, container.image, self._clock.now()
        script, failures = script_of(pod, container), before.failures if before is not None else 0
        present = self._present.setdefault(pod.spec.node_name, {})
        was_present = name in present and container.image_pull_policy != "Always"
        seconds = 0.0 if was_present else self._jittered(script.pull_seconds, script)
        if script.pull_fails(failures):
            image = Image(started_at=now, finished_at=now + seconds, error=script.pull_error, failures=failures + 1)
        else:
            id_, size = image_of(name)
            image = Image(id_, size, was_present, now, now + seconds)
        if seconds:
            put(uid, name, Image(started_at=now, failures=failures))
            self._at(uid, f"{kind} {name}", seconds, lambda: self._pulled(pod, name, image, put))
        else:
            self._pulled(pod, name, image, put)

    def start_container(self, pod: Pod, container: AnyContainer, restart_count: int, crashes: int) -> None:
        uid, state = pod.metadata.uid, self.state(pod.metadata.uid)
        record = ContainerRecord(
            container.name,
            f"{self.version.partition(':')[0]}://{self._new_id()}",
            state.images[container.image].id,
            restart_count,
            crashes,
            image=container.image,
            resources=container.resources,
        )
        last = state.containers.get(container.name)
        if last is not None:
            state = state._replace(previous={**state.previous, container.name: last})
        self._states[uid] = state
        self._put(uid, record)
        script = script_of(pod, container)
        seconds = self._start_seconds if script.start_seconds is None else self._jittered(script.start_seconds, script)
        if seconds:
            self._at(uid, container.name, seconds, lambda: self._started(pod, container, script))
        else:
            self._started(pod, container, script)

    def stop_container(self, uid: str, name: str, by: float) -> None:
        record = self.state(uid).containers[name]
        now = self._clock.now()
        if not record.started_at:
            self._put(uid, record._replace(started_at=now, finished_at=now, exit_code=SIGKILLED, signal=9, stop_by=by))
            return
        self._put(uid, record._replace(stop_by=by))
        container = self._container(uid, name)
        script = script_of(self._pods[uid], container) if container is not None else Script()
        needed, left = self._jittered(script.stop_seconds, script), max(0.0, by - now)
        # Servers end in order; work that is interrupted dies of the signal.
        ended = 0 if script.run_seconds is None else SIGTERMED
        code = ended if needed <= left else SIGKILLED
        if min(needed, left):
            self._at(uid, name, min(needed, left), lambda: self._ended(uid, name, code))
        else:
            self._ended(uid, name, code)

    def stop_sandbox(self, uid: str) -> None:
        self._states[uid] = self.state(uid)._replace(sandbox=None)

    def forget(self, uid: str) -> None:
        pod = self._pods.pop(uid, None)
        if pod is not None:
            del self._uids[pod.spec.node_name][uid]
        state = self._states.pop(uid, None)
        if state is not None:
            pulls = [
                f"{kind} {name}" for kind, of in (("image", state.images), ("volume", state.volumes)) for name in of
            ]
            for name in (*state.containers, *pulls):
                self._cancel(uid, name)
        self._tell(uid)

    def update_pod(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        self._pods[uid] = pod
        for container in all_containers(pod):
            record = self.state(uid).containers.get(container.name)
            if record is None or not record.running or not is_resized(container, record):
                continue
            if not needs_restart(container, record):
                self._put(uid, record._replace(resources=container.resources))

    def images(self, node: str) -> Sequence[tuple[str, Image]]:
        return list(self._present.get(node, {}).items())

    async def exec(
        self, uid: str, container: str, command: Sequence[str], *, stdin: bool = False, tty: bool = False
    ) -> Execution:
        pod, _ = self._running(uid, container)
        answer = answer_of(pod, container, command)
        if answer is None:
            raise UnsupportedByRuntime(
                f'a fake container has no processes, and the annotation "kcore.dev/exec" has no answer to {command[0]}'
            )
        return ScriptedExecution(answer, stdin=stdin, tty=tty)

    async def attach(self, uid: str, container: str, *, stdin: bool = False) -> Execution:
        _, record = self._running(uid, container)
        options = LogOptions(follow=True, since=self._clock.now())
        return _Attached(self, uid, record, self.logs(uid, container, options))

    async def logs(self, uid: str, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        state, pod = self.state(uid), self._pods.get(uid)
        record = (state.previous if options.previous else state.containers).get(container)
        if record is None or pod is None or not record.started_at:
            which = "previous terminated container" if options.previous else "container"
            raise NotRunning(f'{which} "{container}" not found')
        narrowed, told = LogFilter(options), 0
        while True:
            lines, next_at = written(pod, record, self._clock.now())
            fresh = list(lines)[told:]
            told += len(fresh)
            if chunk := narrowed(b"".join(fresh if told > len(fresh) else tail_of(fresh, options.tail_lines))):
                yield chunk
            if not options.follow or narrowed.full or record.exited:
                return
            await self._next_line(uid, next_at)
            record = self.attempt(uid, record)

    async def dial(self, uid: str, port: int) -> ByteStream:
        raise ConnectionRefusedError(f"nothing listens on port {port}: a fake pod has no processes")

    async def stats(self, uid: str) -> Mapping[str, ContainerUsage]:
        return self._usage(uid)

    def probed(self, uid: str) -> Mapping[tuple[str, str, bool], int]:
        pod, now = self._pods.get(uid), self._clock.now()
        counts: dict[tuple[str, str, bool], int] = {}
        for container in all_containers(pod) if pod is not None else ():
            record = self.state(uid).containers.get(container.name)
            if pod is None or record is None or not record.running:
                continue
            for kind, good, bad in answers_of(container, record, script_of(pod, container), now):
                counts[container.name, kind, True], counts[container.name, kind, False] = good, bad
        return {answered: count for answered, count in counts.items() if count}

    async def node_stats(self, node: str) -> NodeUsage:
        used = [figures for uid in self._uids.get(node, ()) for figures in self._usage(uid).values()]
        return NodeUsage(
            cpu_nanocores=sum(u.cpu_nanocores for u in used),
            cpu_nanoseconds=sum(u.cpu_nanoseconds for u in used),
            memory_bytes=sum(u.memory_bytes for u in used),
            processes=len(used),
        )

    def attempt(self, uid: str, record: ContainerRecord) -> ContainerRecord:
        """The attempt that `record` is about, as it is now; one that is no longer known has ended."""
        state = self.state(uid)
        for known in (state.containers.get(record.name), state.previous.get(record.name)):
            if known is not None and known.id == record.id:
                return known
        return record._replace(finished_at=self._clock.now(), exit_code=SIGKILLED)

    async def next_change(self, uid: str) -> None:
        """Wait until something becomes of a pod."""
        await self._news.setdefault(uid, anyio.Event()).wait()

    async def _next_line(self, uid: str, at: float | None) -> None:
        seconds = None if at is None else max(0.0, at - self._clock.now())
        with anyio.move_on_after(seconds):
            await self.next_change(uid)

    def _usage(self, uid: str) -> Mapping[str, ContainerUsage]:
        pod, state, now = self._pods.get(uid), self.state(uid), self._clock.now()
        records = state.containers
        return {
            c.name: usage_of(pod, c, records[c.name], now)
            for c in (all_containers(pod) if pod is not None else ())
            if pod is not None and c.name in records and records[c.name].running
        }

    def _running(self, uid: str, name: str) -> tuple[Pod, ContainerRecord]:
        record = self.state(uid).containers.get(name)
        if record is None or not record.running:
            raise NotRunning(f"container not found ({name})" if record is None else f"container {name} is not running")
        return self._pods[uid], record

    def _container(self, uid: str, name: str) -> AnyContainer | None:
        return next((c for c in all_containers(self._pods[uid]) if c.name == name), None)

    def _pulled(self, pod: Pod, name: str, image: Image, put: PutImage) -> None:
        if image.id:
            self._present.setdefault(pod.spec.node_name, {})[name] = image
        put(pod.metadata.uid, name, image)

    def _put_volume(self, uid: str, name: str, image: Image) -> None:
        state = self.state(uid)
        self._states[uid] = state._replace(volumes={**state.volumes, name: image})
        self._on_change(uid)

    def _put_image(self, uid: str, name: str, image: Image) -> None:
        state = self.state(uid)
        self._states[uid] = state._replace(images={**state.images, name: image})
        self._on_change(uid)

    def _started(self, pod: Pod, container: AnyContainer, script: Script) -> None:
        uid = pod.metadata.uid
        health = HEALTHY if script.ready_seconds == 0.0 else UNREADY
        record = self.state(uid).containers[container.name]._replace(started_at=self._clock.now(), health=health)
        self._put(uid, record)
        self._live_on(pod, container, record, script)

    def _live_on(self, pod: Pod, container: AnyContainer, record: ContainerRecord, script: Script) -> None:
        """Have the next thing happen to a running container that its script has for it."""
        uid, age = pod.metadata.uid, self._clock.now() - record.started_at
        end = script.run_seconds_of(record.restart_count)
        coming: list[tuple[float, OnTimer]] = []
        if end is not None:
            left = max(0.0, self._jittered(end, script) - age)
            coming.append((left, lambda: self._ended(uid, record.name, script.exit_code)))
        if script.ready_seconds and not record.health.ready:
            left = max(0.0, self._jittered(script.ready_seconds, script) - age)
            coming.append((left, lambda: self._turns(pod, container, script, HEALTHY)))
        if script.live_seconds is not None and record.health.live:
            left = max(0.0, self._jittered(script.live_seconds, script) - age)
            coming.append((left, lambda: self._turns(pod, container, script, _dead(container))))
        if not coming:
            return
        seconds, then = min(coming, key=lambda event: event[0])
        if seconds:
            self._at(uid, record.name, seconds, then)
        else:
            then()

    def _turns(self, pod: Pod, container: AnyContainer, script: Script, health: Health) -> None:
        record = self.state(pod.metadata.uid).containers[container.name]._replace(health=health)
        self._put(pod.metadata.uid, record)
        self._live_on(pod, container, record, script)

    def _ended(self, uid: str, name: str, exit_code: int) -> None:
        self._cancel(uid, name)
        record, container = self.state(uid).containers[name], self._container(uid, name)
        script = script_of(self._pods[uid], container) if container is not None else Script()
        oom = script.oom and record.stop_by is None
        self._put(
            uid,
            record._replace(
                finished_at=self._clock.now(),
                exit_code=exit_code,
                signal=9 if exit_code == SIGKILLED and not oom else 0,
                reason="OOMKilled" if oom else "",
                message=script.message,
            ),
        )

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

    def _jittered(self, seconds: float, script: Script) -> float:
        return self._chance.jitter(seconds, script.jitter) if seconds and script.jitter else seconds

    def _new_id(self) -> str:
        return f"{self._chance.random.getrandbits(256):064x}"


class _Attached:
    """Somebody who listens to a fake container: its log, from now on."""

    def __init__(self, runtime: FakeRuntime, uid: str, record: ContainerRecord, log: AsyncIterator[bytes]) -> None:
        self.stdin: ByteSendStream | None = None
        self.stdout: ByteReceiveStream = _LogStream(log)
        self.stderr: ByteReceiveStream | None = None
        self._runtime, self._uid, self._record = runtime, uid, record

    async def wait(self) -> int:
        while not (record := self._runtime.attempt(self._uid, self._record)).exited:
            await self._runtime.next_change(self._uid)
        return record.exit_code

    def resize(self, columns: int, rows: int) -> None:
        """There is no terminal."""

    async def aclose(self) -> None:
        await self.stdout.aclose()


class _LogStream(ByteReceiveStream):
    def __init__(self, log: AsyncIterator[bytes]) -> None:
        self._log = log
        self._rest = b""
        self._closed = False

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if self._closed:
            raise anyio.ClosedResourceError
        try:
            data = self._rest or await anext(self._log)
        except StopAsyncIteration:
            raise anyio.EndOfStream from None
        self._rest = data[max_bytes:]
        return data[:max_bytes]

    async def aclose(self) -> None:
        self._closed = True


def _dead(container: AnyContainer) -> Health:
    return Health(live=False, message=f"Container {container.name} failed liveness probe, will be restarted")


def _ignore(uid: str) -> None:
    """Nobody listens yet."""
