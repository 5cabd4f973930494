"""What all parts of the kuberuntime share: the pods, how their states change, who is told, and where tasks run."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

import structlog
from anyio.abc import TaskGroup

from kcore.api.core_v1 import Pod
from kcore.client.events import EventBroadcaster
from kcore.kit.clock import Clock
from kcore.node.cri import CriError
from kcore.node.kuberuntime.local_pod import LocalPod
from kcore.node.runtime import AnyContainer, ContainerRecord, Image, OnRuntimeChange, RuntimeState

__all__ = ["PodTable"]

log = structlog.get_logger(__name__)


class PodTable:
    """The pods by their uid."""

    def __init__(self, events: EventBroadcaster, clock: Clock, folder: Path) -> None:
        self.pods: dict[str, LocalPod] = {}
        self.clock = clock
        self.on_change: OnRuntimeChange = lambda uid: None
        self.tasks: TaskGroup | None = None
        self._events = events
        self._folder = folder

    def wants(self, local: LocalPod) -> bool:
        """Whether a pod is still the one that somebody wants: to be asked after every wait."""
        return self.pods.get(local.pod.metadata.uid) is local

    def pod_folder(self, uid: str) -> Path:
        return self._folder / "pods" / uid

    def log_path(self, pod: Pod, container: str, attempt: int) -> Path:
        metadata = pod.metadata
        return self._folder / "logs" / metadata.uid / container / f"{attempt}.log"

    def last_words_path(self, pod: Pod, container: str, attempt: int) -> Path:
        """What a container finds as its termination log."""
        return self.pod_folder(pod.metadata.uid) / "containers" / container / f"{attempt}.last-words"

    def uids_with_files(self) -> Collection[str]:
        """The pods that have files here, perhaps nothing else any more: who removed them was interrupted."""
        return {file.name for kind in ("pods", "logs") for file in self._folder.glob(f"{kind}/*")}

    def remove_files(self, uid: str) -> None:
        shutil.rmtree(self.pod_folder(uid), ignore_errors=True)
        shutil.rmtree(self._folder / "logs" / uid, ignore_errors=True)

    def tell(
        self, local: LocalPod, type_: str, reason: str, message: str, container: AnyContainer | None = None
    ) -> None:
        pod = local.pod
        field_path = f"spec.containers{{{container.name}}}" if container is not None else ""
        recorder = self._events.recorder("kubelet", pod.spec.node_name)
        recorder.event(pod, type_, reason, message, field_path=field_path)

    def update(self, local: LocalPod, record: ContainerRecord, **changes: object) -> ContainerRecord:
        """Change the attempt that `record` is about, if it is still the current one."""
        current = local.state.containers.get(record.name)
        if current is None or current.restart_count != record.restart_count:
            return record
        changed = current._replace(**changes)  # type: ignore[arg-type]
        self.put(local, changed)
        return changed

    def put(self, local: LocalPod, record: ContainerRecord) -> None:
        self.set(local, local.state._replace(containers={**local.state.containers, record.name: record}))

    def put_image(self, local: LocalPod, name: str, image: Image) -> None:
        self.set(local, local.state._replace(images={**local.state.images, name: image}))

    def put_volume(self, local: LocalPod, name: str, image: Image) -> None:
        self.set(local, local.state._replace(volumes={**local.state.volumes, name: image}))

    def set(self, local: LocalPod, state: RuntimeState) -> None:
        local.state = state
        self.on_change(local.pod.metadata.uid)

    def spawn(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        assert self.tasks is not None, "the runtime does not run"
        self.tasks.start_soon(self._guarded, work, *args)

    async def _guarded(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        """One pod's trouble must not end the others."""
        try:
            await work(*args)
        except CriError as error:
            log.warning("runtime refused", why=str(error))
        except Exception:
            log.exception("runtime work failed")
