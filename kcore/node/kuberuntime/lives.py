"""The lives of containers: started, watched, asked to end, made to end, and how they ended."""

from __future__ import annotations

import signal

import anyio
import structlog
from anyio.to_thread import run_sync

from kcore.api.core_v1 import LifecycleHandler
from kcore.node.containers import all_containers
from kcore.node.cri import ContainerInfo, CriError, RuntimeService
from kcore.node.downward import DownwardError
from kcore.node.kuberuntime.environment import ConfigError
from kcore.node.kuberuntime.health import Examiner
from kcore.node.kuberuntime.last_words import last_words
from kcore.node.kuberuntime.local_pod import CONTAINER, LocalPod
from kcore.node.kuberuntime.preparation import Preparation
from kcore.node.kuberuntime.probes import initial_health
from kcore.node.kuberuntime.table import PodTable
from kcore.node.runtime import AnyContainer, ContainerRecord, Health

__all__ = ["ContainerLives"]

LEAST_GRACE = 2.0
CANNOT_START = 128

log = structlog.get_logger(__name__)


class ContainerLives:
    """Each method that waits looks again, afterwards, whether its pod is still wanted."""

    def __init__(self, table: PodTable, service: RuntimeService, preparation: Preparation, examiner: Examiner) -> None:
        self._table = table
        self._service = service
        self._preparation = preparation
        self._examiner = examiner
        self._scheme = service.version.partition(":")[0]
        self._early: dict[str, ContainerInfo] = {}
        self.ends: dict[str, anyio.Event] = {}
        """Set when the container of that id has ended, for those who wait for it."""

    def order_stop(self, local: LocalPod, name: str) -> None:
        """Have a container end that was told when it has to."""
        local.nudge(name)
        record = local.state.containers[name]
        if record.id and name not in local.stopping:
            local.stopping.add(name)
            self._table.spawn(self.stop, local, name)

    async def start(self, local: LocalPod, container: AnyContainer, record: ContainerRecord) -> None:
        pod, name = local.pod, container.name
        try:
            info = await self._preparation.create(local, container, record)
        except (ConfigError, DownwardError, OSError) as error:
            self._table.tell(local, "Warning", "Failed", f"Error: {error}", container)
            reason = "CreateContainerConfigError"
            now = self._table.clock.now()
            self._table.update(local, record, finished_at=now, reason=reason, message=str(error), stop_by=None)
            return
        except CriError as error:
            self._table.tell(local, "Warning", "Failed", f"Error: {error}", container)
            now, words = self._table.clock.now(), str(error)
            changes = {"started_at": now, "finished_at": now, "exit_code": CANNOT_START}
            id_ = f"{self._scheme}://{pod.metadata.uid}-{name}-{record.restart_count}"
            self._table.update(local, record, id=id_, reason="StartError", message=words, **changes)
            return
        if not self._table.wants(local):
            await self.kill(info.id)
            return
        local.ids[name] = info.id
        hook = container.lifecycle.post_start if container.lifecycle is not None else None
        health = initial_health(container)
        if hook is not None:
            health = Health(started=False, ready=False)
        current = self._table.update(
            local, record, id=f"{self._scheme}://{info.id}", started_at=info.started_at, health=health
        )
        if (early := self._early.pop(info.id, None)) is not None:
            self.exited(early)
            return
        if current.stop_by is not None:
            self.order_stop(local, name)
            return
        if hook is not None and not await self._post_start(local, container, hook):
            return
        self._examiner.watch(local, container, local.state.containers[name])

    async def _post_start(self, local: LocalPod, container: AnyContainer, hook: LifecycleHandler) -> bool:
        outcome = await self._examiner.run_hook(local, container, hook)
        record = local.state.containers[container.name]
        if outcome.good:
            if record.running:
                self._table.update(local, record, health=initial_health(container))
            return True
        self._table.tell(local, "Warning", "FailedPostStartHook", f"PostStartHook failed: {outcome.output}", container)
        if record.running:
            await self.kill(local.ids[container.name])
        return False

    async def stop(self, local: LocalPod, name: str) -> None:
        """Run the hook, ask the container to end, and make it."""
        container = next((c for c in all_containers(local.pod) if c.name == name), None)
        lifecycle = container.lifecycle if container is not None else None
        try:
            if container is not None and lifecycle is not None and lifecycle.pre_stop is not None:
                with anyio.move_on_after(max(0.0, self._left(local, name))):
                    outcome = await self._examiner.run_hook(local, container, lifecycle.pre_stop)
                    if not outcome.good:
                        words = f"PreStopHook failed: {outcome.output}"
                        self._table.tell(local, "Warning", "FailedPreStopHook", words, container)
            asked = lifecycle.stop_signal if lifecycle is not None and lifecycle.stop_signal else "SIGTERM"
            await self._service.signal_container(local.ids[name], getattr(signal, asked, signal.SIGTERM))
            asked_at = self._table.clock.now()
            while local.runs(name):
                left = max(self._left(local, name), asked_at + LEAST_GRACE - self._table.clock.now())
                changed = local.nudged(name)
                if left <= 0:
                    await self.kill(local.ids[name])
                with anyio.move_on_after(left if left > 0 else 1.0):
                    await changed.wait()
        except CriError as error:
            log.warning("container not stopped", container=name, why=str(error))
        finally:
            local.stopping.discard(name)

    def _left(self, local: LocalPod, name: str) -> float:
        record = local.state.containers.get(name)
        return 0.0 if record is None or record.stop_by is None else record.stop_by - self._table.clock.now()

    async def kill(self, id_: str) -> None:
        await self._service.signal_container(id_, signal.SIGKILL)

    def exited(self, info: ContainerInfo) -> None:
        if (end := self.ends.get(info.id)) is not None:
            end.set()
        uid, name = info.labels["uid"], info.labels[CONTAINER]
        local = self._table.pods.get(uid)
        record = local.state.containers.get(name) if local is not None else None
        if local is None or record is None or local.ids.get(name) != info.id:
            self._early[info.id] = info
            if local is None or (record is not None and record.id):
                del self._early[info.id]
            return
        local.cancel_probes(name)
        self._table.spawn(self._finish, local, record, info)

    async def _finish(self, local: LocalPod, record: ContainerRecord, info: ContainerInfo) -> None:
        """Note how a container ended, with its last words."""
        name = record.name
        container = next((c for c in all_containers(local.pod) if c.name == name), None)
        file = self._table.last_words_path(local.pod, name, record.restart_count)
        log_path = self._table.log_path(local.pod, name, record.restart_count)
        policy = container.termination_message_policy if container is not None else ""
        message = await run_sync(last_words, file, log_path, policy, info.exit_code)
        self._table.update(
            local,
            record,
            finished_at=info.finished_at,
            exit_code=info.exit_code,
            reason=info.reason,
            message=message,
        )
        local.nudge(name)
