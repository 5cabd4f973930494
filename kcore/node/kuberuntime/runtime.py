"""A `Runtime` over any CRI: commands at once, the work in tasks, each step told as a new `RuntimeState`."""

from __future__ import annotations

import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path

import anyio
import structlog
from anyio.abc import ByteStream, TaskGroup, TaskStatus
from anyio.to_thread import run_sync

from kcore.api.core_v1 import LifecycleHandler, Pod, Probe
from kcore.client.events import EventBroadcaster
from kcore.kit.clock import Clock
from kcore.node.containers import all_containers
from kcore.node.cri import ContainerInfo, CriError, ImageInfo, RuntimeService, SandboxConfig
from kcore.node.downward import DownwardError
from kcore.node.kuberuntime.container_config import Prepared, container_config, limits_of
from kcore.node.kuberuntime.environment import ConfigError, Surroundings, environment
from kcore.node.kuberuntime.hosts import hostname_of, hosts_file
from kcore.node.kuberuntime.last_words import last_words
from kcore.node.kuberuntime.local_pod import CONTAINER, LocalPod, Restored, labels_of, restored
from kcore.node.kuberuntime.log_files import read_log
from kcore.node.kuberuntime.probes import Outcome, Prober, has_probes, initial_health
from kcore.node.kuberuntime.questions import Questioner
from kcore.node.kuberuntime.resolver import ClusterDns, resolver_file
from kcore.node.references import References
from kcore.node.runtime import (
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
from kcore.node.volumes.contents import VolumeError
from kcore.node.volumes.manager import VolumeManager

__all__ = ["KubeRuntime"]

FIRST_RETRY, LONGEST_RETRY = 0.5, 122.0
REFRESH_SECONDS = 60.0
LEAST_GRACE = 2.0
KILL_SECONDS = 10.0
RESOLVER = Path("/etc/resolv.conf")
CANNOT_START = 128
MOST_OUTPUT = 10 * 1024

log = structlog.get_logger(__name__)


class KubeRuntime:
    """Runs pods with `service`. `folder` is for volumes, logs and what else belongs to a pod.

    `own_variables` are what each container finds in its environment unless the pod says otherwise.
    """

    editable = False

    def __init__(
        self,
        service: RuntimeService,
        volumes: VolumeManager,
        references: References,
        events: EventBroadcaster,
        clock: Clock,
        folder: Path,
        own_variables: Mapping[str, str] | None = None,
        dns: ClusterDns | None = None,
    ) -> None:
        self.version = service.version
        self._service = service
        self._volumes = volumes
        self._references = references
        self._events = events
        self._clock = clock
        self._folder = folder
        self._own_variables = own_variables or {}
        self._dns = dns or ClusterDns()
        self._questioner = Questioner()
        self._pods: dict[str, LocalPod] = {}
        self._found: dict[str, list[ContainerInfo]] = {}
        self._early: dict[str, ContainerInfo] = {}
        self._ends: dict[str, anyio.Event] = {}
        self._on_change: OnRuntimeChange = lambda uid: None
        self._tasks: TaskGroup | None = None

    async def run(self, on_change: OnRuntimeChange, *, task_status: TaskStatus[None]) -> None:
        self._on_change = on_change
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                await tasks.start(self._service.run, self._exited)
                for info in await self._service.containers():
                    self._found.setdefault(info.labels["uid"], []).append(info)
                self._references.follow(self._something_changed)
                task_status.started()
                while True:
                    await anyio.sleep(REFRESH_SECONDS)
                    for uid, local in list(self._pods.items()):
                        if self._volumes.renewal_due(uid):
                            self._spawn(self._refresh, local)
        finally:
            with anyio.CancelScope(shield=True):
                await self._questioner.aclose()

    def state(self, uid: str) -> RuntimeState:
        local = self._pods.get(uid)
        return local.state if local is not None else NOTHING

    def uids(self) -> Collection[str]:
        return {*self._pods, *self._found}

    def recover(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        local = self._pods[uid] = LocalPod(pod)
        past: Restored = restored(pod, self._found.pop(uid, ()), self._clock.now())
        local.state, local.ids = past.state, dict(past.ids)
        if past.state.sandbox is None:
            return
        self._spawn(self._refresh, local)
        for container in all_containers(pod):
            record = past.state.containers.get(container.name)
            if record is not None and record.running:
                self._probe(local, container, record)

    def run_sandbox(self, pod: Pod, ip: str) -> None:
        local = self._pods.setdefault(pod.metadata.uid, LocalPod(pod))
        local.pod = pod
        self._set(local, local.state._replace(sandbox=Sandbox("", ip, self._clock.now(), ready=False)))
        self._spawn(self._make_sandbox, local, ip)

    def pull_image(self, pod: Pod, container: AnyContainer) -> None:
        local = self._pods[pod.metadata.uid]
        before = local.state.images.get(container.image)
        failures = before.failures if before is not None else 0
        self._put_image(local, container.image, Image(started_at=self._clock.now(), failures=failures))
        self._spawn(self._pull, local, container, failures)

    def start_container(self, pod: Pod, container: AnyContainer, restart_count: int, crashes: int) -> None:
        local = self._pods[pod.metadata.uid]
        local.pod = pod
        image_id = local.state.images[container.image].id
        record = ContainerRecord(container.name, "", image_id, restart_count, crashes, image=container.image)
        last = local.state.containers.get(container.name)
        if last is not None and last.exited:
            older = local.state.previous.get(container.name)
            if older is not None:
                self._spawn(self._discard, local, older)
            self._set(local, local.state._replace(previous={**local.state.previous, container.name: last}))
        self._put(local, record)
        self._spawn(self._start, local, container, record)

    def stop_container(self, uid: str, name: str, by: float) -> None:
        local = self._pods[uid]
        record = local.state.containers[name]
        self._put(local, record._replace(stop_by=by))
        local.nudge(name)
        if record.id and name not in local.stopping:
            local.stopping.add(name)
            self._spawn(self._stop, local, name)

    def stop_sandbox(self, uid: str) -> None:
        local = self._pods[uid]
        local.cancel_probes()
        self._set(local, local.state._replace(sandbox=None))
        self._spawn(self._remove_sandbox, uid)

    def forget(self, uid: str) -> None:
        self._spawn(self._destroy, uid, self._pods.pop(uid, None), self._found.pop(uid, []))

    def update_pod(self, pod: Pod) -> None:
        local = self._pods.get(pod.metadata.uid)
        if local is None:
            return
        old, local.pod = local.pod, pod
        before = {container.name: container for container in all_containers(old)}
        for container in all_containers(pod):
            was, record = before.get(container.name), local.state.containers.get(container.name)
            if was is not None and record is not None and record.running and was.resources != container.resources:
                self._spawn(self._service.limit_container, local.ids[container.name], limits_of(container))
        told = (old.metadata.labels, old.metadata.annotations)
        if local.state.sandbox is not None and told != (pod.metadata.labels, pod.metadata.annotations):
            self._spawn(self._refresh, local)

    def images(self, node: str) -> Sequence[tuple[str, Image]]:
        found = {
            name: image
            for local in self._pods.values()
            if local.pod.spec.node_name == node
            for name, image in local.state.images.items()
            if image.id
        }
        return list(found.items())

    async def exec(
        self, uid: str, container: str, command: Sequence[str], *, stdin: bool = False, tty: bool = False
    ) -> Execution:
        return await _refusing(self._service.exec(self._id(uid, container), command, stdin=stdin, tty=tty))

    async def attach(self, uid: str, container: str, *, stdin: bool = False) -> Execution:
        return await _refusing(self._service.attach(self._id(uid, container), stdin=stdin))

    async def logs(self, uid: str, container: str, options: LogOptions) -> AsyncIterator[bytes]:
        local = self._pods.get(uid)
        records = {} if local is None else local.state.previous if options.previous else local.state.containers
        record = records.get(container)
        if local is None or record is None or not record.id:
            which = "previous terminated container" if options.previous else "container"
            raise NotRunning(f'{which} "{container}" not found')
        path = self._log_path(local.pod, container, record.restart_count)

        def still_written() -> bool:
            current = local.state.containers.get(container)
            return current is not None and current.id == record.id and not current.exited

        try:
            async for chunk in read_log(path, options, still_written):
                yield chunk
        except FileNotFoundError:
            raise NotRunning(f'the log of container "{container}" is gone') from None

    async def dial(self, uid: str, port: int) -> ByteStream:
        local = self._pods.get(uid)
        if local is None or local.state.sandbox is None:
            raise NotRunning("the pod is not running")
        return await self._service.dial(uid, local.state.sandbox.ip, port)

    async def stats(self, uid: str) -> Mapping[str, ContainerUsage]:
        local = self._pods.get(uid)
        if local is None:
            return {}
        names = {local.ids[name]: name for name, record in local.state.containers.items() if record.running}
        return {names[id_]: usage for id_, usage in (await self._service.stats(list(names))).items()}

    def probed(self, uid: str) -> Mapping[tuple[str, str, bool], int]:
        local = self._pods.get(uid)
        return local.probed if local is not None else {}

    async def node_stats(self, node: str) -> NodeUsage:
        return await self._service.node_stats()

    # What commands lead to. Each task looks again, after every wait, whether its pod is still wanted.

    async def _make_sandbox(self, local: LocalPod, ip: str) -> None:
        pod, uid, delay = local.pod, local.pod.metadata.uid, FIRST_RETRY
        while self._pods.get(uid) is local:
            changed = local.changed
            try:
                host_ip = self._references.host_ip(pod)
                local.folders = await self._volumes.prepare(local.pod, (ip, host_ip))
                await run_sync(self._write_hosts, pod, ip)
                config = SandboxConfig(
                    uid, pod.metadata.namespace, pod.metadata.name, hostname_of(pod), ip, pod.spec.host_network
                )
                address = await self._service.run_sandbox(config)
            except VolumeError as error:
                self._tell(local, "Warning", "FailedMount", str(error))
            except (CriError, OSError) as error:
                self._tell(local, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            else:
                if self._pods.get(uid) is local:
                    self._set(local, local.state._replace(sandbox=Sandbox(uid, address, self._clock.now())))
                return
            with anyio.move_on_after(delay):
                await changed.wait()
            delay = min(delay * 2, LONGEST_RETRY)

    async def _refresh(self, local: LocalPod) -> None:
        """Bring what is mounted up to date."""
        sandbox = local.state.sandbox
        if sandbox is None:
            return
        try:
            local.folders = await self._volumes.prepare(local.pod, (sandbox.ip, self._references.host_ip(local.pod)))
        except VolumeError as error:
            self._tell(local, "Warning", "FailedMount", str(error))

    async def _pull(self, local: LocalPod, container: AnyContainer, failures: int) -> None:
        name, policy, began = container.image, container.image_pull_policy, self._clock.now()
        reason, error = "", ""
        for reference in local.pod.spec.image_pull_secrets:
            if self._references.secret(local.pod.metadata.namespace, reference.name) is None:
                message = (
                    f"Unable to retrieve some image pull secrets ({reference.name}); "
                    "attempting to pull the image may not succeed."
                )
                self._tell(local, "Warning", "FailedToRetrieveImagePullSecret", message)
        info = ImageInfo("")
        try:
            info = await self._service.pull_image(name, use_present=policy != "Always")
            if policy == "Never" and not info.was_present:
                reason = "ErrImageNeverPull"
                error = f'Container image "{name}" is not present with pull policy of Never'
            elif not (container.command or info.command):
                reason = "ErrImagePull"
                error = (
                    f'image "{name}" says nothing of what to run: give the container a command, '
                    "or describe the image in the images file (--images-file)"
                )
        except CriError as refused:
            reason, error = "ErrImagePull", str(refused)
        now = self._clock.now()
        if error:
            image = Image("", 0, False, began, now, error, failures + 1, reason)
        else:
            local.images[name] = info
            was_present = info.was_present and policy != "Always"
            image = Image(info.id, info.size_bytes, was_present, began, now)
        self._put_image(local, name, image)

    async def _start(self, local: LocalPod, container: AnyContainer, record: ContainerRecord) -> None:
        pod, name = local.pod, container.name
        try:
            info = await self._create(local, container, record)
        except (ConfigError, DownwardError, OSError) as error:
            self._tell(local, "Warning", "Failed", f"Error: {error}", container)
            reason = "CreateContainerConfigError"
            now = self._clock.now()
            self._update(local, record, finished_at=now, reason=reason, message=str(error), stop_by=None)
            return
        except CriError as error:
            self._tell(local, "Warning", "Failed", f"Error: {error}", container)
            now, words = self._clock.now(), str(error)
            changes = {"started_at": now, "finished_at": now, "exit_code": CANNOT_START}
            id_ = f"{self._scheme}://{pod.metadata.uid}-{name}-{record.restart_count}"
            self._update(local, record, id=id_, reason="StartError", message=words, **changes)
            return
        if self._pods.get(pod.metadata.uid) is not local:
            await self._kill(info.id)
            return
        local.ids[name] = info.id
        hook = container.lifecycle.post_start if container.lifecycle is not None else None
        health = initial_health(container)
        if hook is not None:
            health = Health(started=False, ready=False)
        current = self._update(
            local, record, id=f"{self._scheme}://{info.id}", started_at=info.started_at, health=health
        )
        if (early := self._early.pop(info.id, None)) is not None:
            self._exited(early)
            return
        if current.stop_by is not None:
            self.stop_container(pod.metadata.uid, name, current.stop_by)
            return
        if hook is not None and not await self._post_start(local, container, hook):
            return
        self._probe(local, container, local.state.containers[name])

    async def _create(self, local: LocalPod, container: AnyContainer, record: ContainerRecord) -> ContainerInfo:
        pod, sandbox = local.pod, local.state.sandbox
        if sandbox is None:
            raise ConfigError("the sandbox is gone")
        image = local.images.get(container.image)
        if image is None:  # known to the kubelet before this one
            image = local.images[container.image] = await self._service.pull_image(container.image, use_present=True)
        around = Surroundings(
            (sandbox.ip, self._references.host_ip(pod)),
            self._references.allocatable(pod),
            self._references.services(),
            {**self._own(pod, sandbox.ip), **self._own_variables},
        )
        variables = environment(pod, container, around, self._references)
        folder = self._pod_folder(pod.metadata.uid)
        prepared = Prepared(
            image,
            local.folders,
            folder / "etc-hosts",
            folder / "resolv.conf",
            folder / "containers" / container.name / f"{record.restart_count}.last-words",
            self._log_path(pod, container.name, record.restart_count),
        )
        labels = labels_of(pod, container, record, sandbox.ip)
        config = await run_sync(container_config, pod, container, record.restart_count, variables, prepared, labels)
        return await self._service.start_container(config)

    def _own(self, pod: Pod, ip: str) -> Mapping[str, str]:
        """What every container is told of itself, so that plain programs can listen where they should."""
        return {
            "POD_IP": ip,
            "POD_NAME": pod.metadata.name,
            "POD_NAMESPACE": pod.metadata.namespace,
            "NODE_NAME": pod.spec.node_name,
        }

    async def _post_start(self, local: LocalPod, container: AnyContainer, hook: LifecycleHandler) -> bool:
        outcome = await self._run_hook(local, container, hook)
        record = local.state.containers[container.name]
        if outcome.good:
            if record.running:
                self._update(local, record, health=initial_health(container))
            return True
        self._tell(local, "Warning", "FailedPostStartHook", f"PostStartHook failed: {outcome.output}", container)
        if record.running:
            await self._kill(local.ids[container.name])
        return False

    async def _stop(self, local: LocalPod, name: str) -> None:
        """Run the hook, ask the container to end, and make it."""
        container = next((c for c in all_containers(local.pod) if c.name == name), None)
        lifecycle = container.lifecycle if container is not None else None
        try:
            if container is not None and lifecycle is not None and lifecycle.pre_stop is not None:
                with anyio.move_on_after(max(0.0, self._left(local, name))):
                    outcome = await self._run_hook(local, container, lifecycle.pre_stop)
                    if not outcome.good:
                        words = f"PreStopHook failed: {outcome.output}"
                        self._tell(local, "Warning", "FailedPreStopHook", words, container)
            asked = lifecycle.stop_signal if lifecycle is not None and lifecycle.stop_signal else "SIGTERM"
            await self._service.signal_container(local.ids[name], getattr(signal, asked, signal.SIGTERM))
            asked_at = self._clock.now()
            while local.runs(name):
                left = max(self._left(local, name), asked_at + LEAST_GRACE - self._clock.now())
                changed = local.nudged(name)
                if left <= 0:
                    await self._kill(local.ids[name])
                with anyio.move_on_after(left if left > 0 else 1.0):
                    await changed.wait()
        except CriError as error:
            log.warning("container not stopped", container=name, why=str(error))
        finally:
            local.stopping.discard(name)

    def _left(self, local: LocalPod, name: str) -> float:
        record = local.state.containers.get(name)
        return 0.0 if record is None or record.stop_by is None else record.stop_by - self._clock.now()

    async def _destroy(self, uid: str, local: LocalPod | None, found: Sequence[ContainerInfo]) -> None:
        """End what still runs of a pod that nobody wants, and remove all that was its own."""
        ids = {info.id for info in found}
        if local is not None:
            local.cancel_probes()
            local.wake_all()
            ids |= local.all_ids()
        ended = {id_: self._ends.setdefault(id_, anyio.Event()) for id_ in ids}
        running = {info.id for info in await self._service.containers() if not info.finished_at} & ids
        for id_ in running:
            await self._kill(id_)
        with anyio.move_on_after(KILL_SECONDS):
            for id_ in running:
                await ended[id_].wait()
        for id_ in ids:
            await self._service.remove_container(id_)
            self._ends.pop(id_, None)
        await self._service.remove_sandbox(uid)
        await self._volumes.remove(uid)
        await run_sync(self._remove_files, uid)

    async def _discard(self, local: LocalPod, record: ContainerRecord) -> None:
        """Remove an attempt that nobody can ask for any more, with its log."""
        path = self._log_path(local.pod, record.name, record.restart_count)

        def unlink() -> None:
            for file in path.parent.glob(f"{path.name}*"):
                file.unlink(missing_ok=True)

        await self._service.remove_container(record.id.rpartition("/")[2])
        await run_sync(unlink)

    async def _remove_sandbox(self, uid: str) -> None:
        await self._service.remove_sandbox(uid)

    async def _kill(self, id_: str) -> None:
        await self._service.signal_container(id_, signal.SIGKILL)

    def _exited(self, info: ContainerInfo) -> None:
        if (end := self._ends.get(info.id)) is not None:
            end.set()
        uid, name = info.labels["uid"], info.labels[CONTAINER]
        local = self._pods.get(uid)
        record = local.state.containers.get(name) if local is not None else None
        if local is None or record is None or local.ids.get(name) != info.id:
            self._early[info.id] = info
            if local is None or (record is not None and record.id):
                del self._early[info.id]
            return
        local.cancel_probes(name)
        self._spawn(self._finish, local, record, info)

    async def _finish(self, local: LocalPod, record: ContainerRecord, info: ContainerInfo) -> None:
        """Note how a container ended, with its last words."""
        name = record.name
        container = next((c for c in all_containers(local.pod) if c.name == name), None)
        file = self._pod_folder(local.pod.metadata.uid) / "containers" / name / f"{record.restart_count}.last-words"
        log_path = self._log_path(local.pod, name, record.restart_count)
        policy = container.termination_message_policy if container is not None else ""
        message = await run_sync(last_words, file, log_path, policy, info.exit_code)
        self._update(
            local,
            record,
            finished_at=info.finished_at,
            exit_code=info.exit_code,
            reason=info.reason,
            message=message,
        )
        local.nudge(name)

    # Probes and hooks.

    def _probe(self, local: LocalPod, container: AnyContainer, record: ContainerRecord) -> None:
        if not has_probes(container) or not record.running:
            return

        async def ask(probe: Probe) -> Outcome:
            return await self._ask(local, container, probe)

        def on_health(health: Health) -> None:
            current = local.state.containers[container.name]
            if current.id == record.id and current.running:
                self._update(local, current, health=health)

        def on_answer(kind: str, outcome: Outcome) -> None:
            local.probed[container.name, kind, outcome.good] += 1
            if not outcome.good:
                words = f"{kind.capitalize()} probe failed: {outcome.output}"
                self._tell(local, "Warning", "Unhealthy", words, container)

        prober = Prober(container, ask, on_health, on_answer)
        age = self._clock.now() - record.started_at

        async def run() -> None:
            with local.probing(container.name):
                await prober.run(age)

        self._spawn(run)

    async def _ask(self, local: LocalPod, container: AnyContainer, probe: Probe) -> Outcome:
        seconds = probe.timeout_seconds or 1
        with anyio.move_on_after(seconds):
            try:
                if probe.exec is not None:
                    return await self._run_command(local, container, probe.exec.command)
                if probe.http_get is not None:
                    return await self._questioner.http_get(container, self._ip(local), probe.http_get)
                if probe.tcp_socket is not None:
                    return await self._questioner.tcp_socket(container, self._ip(local), probe.tcp_socket)
                if probe.grpc is not None:
                    return await self._questioner.grpc(self._ip(local), probe.grpc)
                return Outcome(True)
            except (CriError, LookupError) as error:
                return Outcome(False, str(error))
        if probe.exec is not None:
            words = " ".join(probe.exec.command)
            return Outcome(False, f'command timed out: "{words}" timed out after {seconds}s')
        return Outcome(False, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)")

    async def _run_hook(self, local: LocalPod, container: AnyContainer, hook: LifecycleHandler) -> Outcome:
        try:
            if hook.exec is not None:
                return await self._run_command(local, container, hook.exec.command)
            if hook.http_get is not None:
                return await self._questioner.http_get(container, self._ip(local), hook.http_get)
            if hook.sleep is not None:
                await anyio.sleep(hook.sleep.seconds)
        except (CriError, LookupError) as error:
            return Outcome(False, str(error))
        return Outcome(True)

    async def _run_command(self, local: LocalPod, container: AnyContainer, command: Sequence[str]) -> Outcome:
        execution = await self._service.exec(local.ids[container.name], command, stdin=False, tty=False)
        output = b""
        try:
            async for chunk in execution.stdout:
                output = (output + chunk)[:MOST_OUTPUT]
            if execution.stderr is not None:
                async for chunk in execution.stderr:
                    output = (output + chunk)[:MOST_OUTPUT]
            code = await execution.wait()
        finally:
            with anyio.CancelScope(shield=True):
                await execution.aclose()
        return Outcome(code == 0, output.decode(errors="replace"))

    # Small things.

    def _something_changed(self, namespace: str) -> None:
        """Something that pods of a namespace may show or wait for is new."""
        for local in self._pods.values():
            if local.pod.metadata.namespace == namespace and local.pod.spec.volumes:
                local.wake_waiting()
                if local.state.sandbox is not None and local.state.sandbox.ready:
                    self._spawn(self._refresh, local)

    def _ip(self, local: LocalPod) -> str:
        return local.state.sandbox.ip if local.state.sandbox is not None else ""

    def _id(self, uid: str, name: str) -> str:
        local = self._pods.get(uid)
        record = local.state.containers.get(name) if local is not None else None
        if local is None or record is None or not record.running:
            raise NotRunning(f"container not found ({name})" if record is None else f"container {name} is not running")
        return local.ids[name]

    @property
    def _scheme(self) -> str:
        return self.version.partition(":")[0]

    def _pod_folder(self, uid: str) -> Path:
        return self._folder / "pods" / uid

    def _log_path(self, pod: Pod, container: str, attempt: int) -> Path:
        metadata = pod.metadata
        return self._folder / "logs" / metadata.uid / container / f"{attempt}.log"

    def _write_hosts(self, pod: Pod, ip: str) -> None:
        folder = self._pod_folder(pod.metadata.uid)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "etc-hosts").write_text(hosts_file(pod, ip, self._dns.domain))
        machines_own = RESOLVER.read_text() if RESOLVER.is_file() else ""
        if (text := resolver_file(pod, self._dns, machines_own)) is not None:
            (folder / "resolv.conf").write_text(text)

    def _remove_files(self, uid: str) -> None:
        shutil.rmtree(self._pod_folder(uid), ignore_errors=True)
        shutil.rmtree(self._folder / "logs" / uid, ignore_errors=True)

    def _tell(
        self, local: LocalPod, type_: str, reason: str, message: str, container: AnyContainer | None = None
    ) -> None:
        pod = local.pod
        field_path = f"spec.containers{{{container.name}}}" if container is not None else ""
        recorder = self._events.recorder("kubelet", pod.spec.node_name)
        recorder.event(pod, type_, reason, message, field_path=field_path)

    def _update(self, local: LocalPod, record: ContainerRecord, **changes: object) -> ContainerRecord:
        """Change the attempt that `record` is about, if it is still the current one."""
        current = local.state.containers.get(record.name)
        if current is None or current.restart_count != record.restart_count:
            return record
        changed = current._replace(**changes)  # type: ignore[arg-type]
        self._put(local, changed)
        return changed

    def _put(self, local: LocalPod, record: ContainerRecord) -> None:
        self._set(local, local.state._replace(containers={**local.state.containers, record.name: record}))

    def _put_image(self, local: LocalPod, name: str, image: Image) -> None:
        self._set(local, local.state._replace(images={**local.state.images, name: image}))

    def _set(self, local: LocalPod, state: RuntimeState) -> None:
        local.state = state
        self._on_change(local.pod.metadata.uid)

    def _spawn(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        assert self._tasks is not None, "the runtime does not run"
        self._tasks.start_soon(self._guarded, work, *args)

    async def _guarded(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        """One pod's trouble must not end the others."""
        try:
            await work(*args)
        except CriError as error:
            log.warning("runtime refused", why=str(error))
        except Exception:
            log.exception("runtime work failed")


async def _refusing(asked: Awaitable[Execution]) -> Execution:
    try:
        return await asked
    except CriError as error:
        raise UnsupportedByRuntime(str(error)) from error
