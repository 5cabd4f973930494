"""A `Runtime` over any CRI: commands at once, the work in tasks, each step told as a new `RuntimeState`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Collection, Mapping, Sequence
from pathlib import Path

import anyio
from anyio.abc import ByteStream, TaskStatus
from anyio.to_thread import run_sync

from kcore.api.core_v1 import Pod, Volume
from kcore.client.events import EventBroadcaster
from kcore.kit.clock import Clock
from kcore.node.containers import all_containers
from kcore.node.cri import ContainerInfo, CriError, RuntimeService
from kcore.node.kuberuntime.container_config import limits_of
from kcore.node.kuberuntime.health import Examiner
from kcore.node.kuberuntime.lives import ContainerLives
from kcore.node.kuberuntime.local_pod import LocalPod, Restored, restored
from kcore.node.kuberuntime.log_files import read_log
from kcore.node.kuberuntime.preparation import Preparation
from kcore.node.kuberuntime.resolver import ClusterDns
from kcore.node.kuberuntime.table import PodTable
from kcore.node.references import References
from kcore.node.resizes import is_resized, needs_restart
from kcore.node.runtime import (
    NOTHING,
    AnyContainer,
    ContainerRecord,
    ContainerUsage,
    Execution,
    Image,
    LogOptions,
    NodeUsage,
    NotRunning,
    OnRuntimeChange,
    RuntimeState,
    Sandbox,
    UnsupportedByRuntime,
)
from kcore.node.volumes.manager import VolumeManager

__all__ = ["KubeRuntime"]

HOUSEKEEPING_SECONDS = 10.0
KILL_SECONDS = 10.0


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
        self._found: dict[str, list[ContainerInfo]] = {}
        self._table = table = PodTable(events, clock, folder)
        self._preparation = Preparation(table, service, volumes, references, own_variables or {}, dns or ClusterDns())
        self._examiner = Examiner(table, service)
        self._lives = ContainerLives(table, service, self._preparation, self._examiner)

    async def run(self, on_change: OnRuntimeChange, *, task_status: TaskStatus[None]) -> None:
        self._table.on_change = on_change
        try:
            async with anyio.create_task_group() as tasks:
                self._table.tasks = tasks
                await tasks.start(self._service.run, self._lives.exited)
                for info in await self._service.containers():
                    self._found.setdefault(info.labels["uid"], []).append(info)
                for uid in await run_sync(self._table.uids_with_files):
                    self._found.setdefault(uid, [])
                self._references.follow(self._something_changed)
                task_status.started()
                while True:
                    await anyio.sleep(HOUSEKEEPING_SECONDS)
                    for local in list(self._table.pods.values()):
                        await self._keep_house(local)
        finally:
            with anyio.CancelScope(shield=True):
                await self._examiner.aclose()

    async def _keep_house(self, local: LocalPod) -> None:
        """Renew what has come of age, and see whether a pod has used more than it may."""
        if self._volumes.renewal_due(local.pod.metadata.uid):
            self._table.spawn(self._preparation.refresh, local)
        if local.state.sandbox is None or local.state.evicted:
            return
        if (why := await self._volumes.overrun(local.pod)) and self._table.wants(local):
            self._table.tell(local, "Warning", "Evicted", why)
            self._table.set(local, local.state._replace(evicted=why))

    def state(self, uid: str) -> RuntimeState:
        local = self._table.pods.get(uid)
        return local.state if local is not None else NOTHING

    def uids(self) -> Collection[str]:
        return {*self._table.pods, *self._found}

    def recover(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        local = self._table.pods[uid] = LocalPod(pod)
        past: Restored = restored(pod, self._found.pop(uid, ()), self._table.clock.now())
        local.state, local.ids = past.state, dict(past.ids)
        if past.state.sandbox is None:
            return
        self._table.spawn(self._preparation.refresh, local)
        for container in all_containers(pod):
            record = past.state.containers.get(container.name)
            if record is not None and record.running:
                self._examiner.watch(local, container, record)

    def run_sandbox(self, pod: Pod, ip: str) -> None:
        local = self._table.pods.setdefault(pod.metadata.uid, LocalPod(pod))
        local.pod = pod
        self._table.set(local, local.state._replace(sandbox=Sandbox("", ip, self._table.clock.now(), ready=False)))
        self._table.spawn(self._preparation.make_sandbox, local, ip)

    def pull_image(self, pod: Pod, container: AnyContainer) -> None:
        local = self._table.pods[pod.metadata.uid]
        before = local.state.images.get(container.image)
        failures = before.failures if before is not None else 0
        self._table.put_image(local, container.image, Image(started_at=self._table.clock.now(), failures=failures))
        self._table.spawn(self._preparation.pull, local, container, failures)

    def pull_volume(self, pod: Pod, volume: Volume) -> None:
        local, source = self._table.pods[pod.metadata.uid], volume.image
        assert source is not None
        before = local.state.volumes.get(source.reference)
        failures = before.failures if before is not None else 0
        image = Image(started_at=self._table.clock.now(), failures=failures)
        self._table.put_volume(local, source.reference, image)
        self._table.spawn(self._preparation.pull_volume, local, source, failures)

    def start_container(self, pod: Pod, container: AnyContainer, restart_count: int, crashes: int) -> None:
        local = self._table.pods[pod.metadata.uid]
        local.pod = pod
        image_id = local.state.images[container.image].id
        record = ContainerRecord(
            container.name,
            "",
            image_id,
            restart_count,
            crashes,
            image=container.image,
            resources=container.resources,
        )
        last = local.state.containers.get(container.name)
        if last is not None and last.exited:
            older = local.state.previous.get(container.name)
            if older is not None:
                self._table.spawn(self._discard, local, older)
            self._table.set(local, local.state._replace(previous={**local.state.previous, container.name: last}))
        self._table.put(local, record)
        self._table.spawn(self._lives.start, local, container, record)

    def stop_container(self, uid: str, name: str, by: float) -> None:
        local = self._table.pods[uid]
        record = local.state.containers[name]
        self._table.put(local, record._replace(stop_by=by))
        self._lives.order_stop(local, name)

    def stop_sandbox(self, uid: str) -> None:
        local = self._table.pods[uid]
        local.cancel_probes()
        self._table.set(local, local.state._replace(sandbox=None))
        self._table.spawn(self._service.remove_sandbox, uid)

    def forget(self, uid: str) -> None:
        self._table.spawn(self._destroy, uid, self._table.pods.pop(uid, None), self._found.pop(uid, []))

    def update_pod(self, pod: Pod) -> None:
        local = self._table.pods.get(pod.metadata.uid)
        if local is None:
            return
        old, local.pod = local.pod, pod
        for container in all_containers(pod):
            record = local.state.containers.get(container.name)
            if record is None or not record.running or not is_resized(container, record):
                continue
            if not needs_restart(container, record):
                self._table.spawn(self._resize, local, container, record)
        told = (old.metadata.labels, old.metadata.annotations)
        if local.state.sandbox is not None and told != (pod.metadata.labels, pod.metadata.annotations):
            self._table.spawn(self._preparation.refresh, local)

    def images(self, node: str) -> Sequence[tuple[str, Image]]:
        found = {
            name: image
            for local in self._table.pods.values()
            if local.pod.spec.node_name == node
            for name, image in (*local.state.images.items(), *local.state.volumes.items())
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
        local = self._table.pods.get(uid)
        records = {} if local is None else local.state.previous if options.previous else local.state.containers
        record = records.get(container)
        if local is None or record is None or not record.id:
            which = "previous terminated container" if options.previous else "container"
            raise NotRunning(f'{which} "{container}" not found')
        path = self._table.log_path(local.pod, container, record.restart_count)

        def still_written() -> bool:
            current = local.state.containers.get(container)
            return current is not None and current.id == record.id and not current.exited

        try:
            async for chunk in read_log(path, options, still_written):
                yield chunk
        except FileNotFoundError:
            raise NotRunning(f'the log of container "{container}" is gone') from None

    async def dial(self, uid: str, port: int) -> ByteStream:
        local = self._table.pods.get(uid)
        if local is None or local.state.sandbox is None:
            raise NotRunning("the pod is not running")
        return await self._service.dial(uid, local.state.sandbox.ip, port)

    async def stats(self, uid: str) -> Mapping[str, ContainerUsage]:
        local = self._table.pods.get(uid)
        if local is None:
            return {}
        names = {local.ids[name]: name for name, record in local.state.containers.items() if record.running}
        return {names[id_]: usage for id_, usage in (await self._service.stats(list(names))).items()}

    def probed(self, uid: str) -> Mapping[tuple[str, str, bool], int]:
        local = self._table.pods.get(uid)
        return local.probed if local is not None else {}

    async def node_stats(self, node: str) -> NodeUsage:
        return await self._service.node_stats()

    async def _resize(self, local: LocalPod, container: AnyContainer, record: ContainerRecord) -> None:
        await self._service.limit_container(local.ids[container.name], limits_of(container))
        self._table.update(local, record, resources=container.resources)

    async def _destroy(self, uid: str, local: LocalPod | None, found: Sequence[ContainerInfo]) -> None:
        """End what still runs of a pod that nobody wants, and remove all that was its own."""
        ids = {info.id for info in found}
        if local is not None:
            local.cancel_probes()
            local.wake_all()
            ids |= local.all_ids()
        ended = {id_: self._lives.ends.setdefault(id_, anyio.Event()) for id_ in ids}
        running = {info.id for info in await self._service.containers() if not info.finished_at} & ids
        for id_ in running:
            await self._lives.kill(id_)
        with anyio.move_on_after(KILL_SECONDS):
            for id_ in running:
                await ended[id_].wait()
        for id_ in ids:
            await self._service.remove_container(id_)
            self._lives.ends.pop(id_, None)
        await self._service.remove_sandbox(uid)
        await self._volumes.remove(uid)
        await run_sync(self._table.remove_files, uid)

    async def _discard(self, local: LocalPod, record: ContainerRecord) -> None:
        """Remove an attempt that nobody can ask for any more, with its log."""
        path = self._table.log_path(local.pod, record.name, record.restart_count)

        def unlink() -> None:
            for file in path.parent.glob(f"{path.name}*"):
                file.unlink(missing_ok=True)

        await self._service.remove_container(record.id.rpartition("/")[2])
        await run_sync(unlink)

    def _something_changed(self, namespace: str) -> None:
        """Something that pods of a namespace may show or wait for is new."""
        for local in self._table.pods.values():
            if local.pod.metadata.namespace == namespace and local.pod.spec.volumes:
                local.wake_waiting()
                if local.state.sandbox is not None and local.state.sandbox.ready:
                    self._table.spawn(self._preparation.refresh, local)

    def _id(self, uid: str, name: str) -> str:
        local = self._table.pods.get(uid)
        record = local.state.containers.get(name) if local is not None else None
        if local is None or record is None or not record.running:
            raise NotRunning(f"container not found ({name})" if record is None else f"container {name} is not running")
        return local.ids[name]

    @property
    def _scheme(self) -> str:
        return self.version.partition(":")[0]


async def _refusing(asked: Awaitable[Execution]) -> Execution:
    try:
        return await asked
    except CriError as error:
        raise UnsupportedByRuntime(str(error)) from error
