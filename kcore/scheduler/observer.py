"""What informers tell of the cluster, as changes of cache and queue: nodes, pods, and all that may let a pod hope."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping

from kcore.api.core_v1 import Node, PersistentVolume, PersistentVolumeClaim, Pod
from kcore.api.object import Object
from kcore.api.resource_v1 import DeviceClass, ResourceClaim, ResourceSlice
from kcore.api.storage_v1 import CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment
from kcore.client.informer import Informers
from kcore.kit.clock import Clock
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.framework import ClusterEvent
from kcore.scheduler.queue import SchedulingQueue
from kcore.scheduler.waiting import WaitingPods

__all__ = ["ClusterObserver"]

TERMINAL = ("Succeeded", "Failed")

WATCHED: Mapping[type[Object], ClusterEvent] = {
    PersistentVolumeClaim: ClusterEvent.CLAIM,
    PersistentVolume: ClusterEvent.VOLUME,
    StorageClass: ClusterEvent.STORAGE_CLASS,
    CSINode: ClusterEvent.CSI_NODE,
    CSIDriver: ClusterEvent.CSI_DRIVER,
    CSIStorageCapacity: ClusterEvent.CSI_CAPACITY,
    VolumeAttachment: ClusterEvent.DETACHED,
    ResourceClaim: ClusterEvent.RESOURCE_CLAIM,
    ResourceSlice: ClusterEvent.RESOURCE_SLICE,
    DeviceClass: ClusterEvent.DEVICE_CLASS,
}
"""What may let a pod hope beside nodes and pods."""


class ClusterObserver:
    """Watches for the schedulers of `names`; `wake` is called whenever there may be something to do."""

    def __init__(
        self,
        informers: Informers,
        cache: SchedulerCache,
        queue: SchedulingQueue,
        waiting: WaitingPods,
        clock: Clock,
        names: Container[str],
        wake: Callable[[], None],
    ) -> None:
        self._nodes = informers.of(Node)
        self._pods = informers.of(Pod)
        self._watched = [(informers.of(kind), event) for kind, event in WATCHED.items()]
        self._cache = cache
        self._queue = queue
        self._waiting = waiting
        self._clock = clock
        self._names = names
        self._wake = wake

    async def start(self) -> None:
        """Return once cache and queue know the whole cluster."""
        await self._nodes.wait_synced()
        await self._pods.wait_synced()
        self._nodes.add_handler(self._node_changed)
        self._pods.add_handler(self.pod_changed)
        for informer, event in self._watched:
            informer.add_handler(self._notice(event))

    def _notice(self, event: ClusterEvent) -> Callable[[Object | None, Object | None], None]:
        """What to do when an object changes of which pods may hope."""

        def changed(old: Object | None, new: Object | None) -> None:
            if (new is None) == (event is ClusterEvent.DETACHED):
                self._queue.move(event, old, new, self._clock.now())
                self._wake()

        return changed

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        if new is None:
            assert old is not None
            self._cache.remove_node(old.metadata.name)
            self._queue.move(ClusterEvent.NODE_DELETED, old, None, self._clock.now())
            self._wake()
            return
        self._cache.set_node(new)
        event = _node_event(old, new)
        if event:
            self._queue.move(event, old, new, self._clock.now())
            self._wake()

    def pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        """A pod has come, gone, or is another than before."""
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            self._pod_gone(old)
            old = None
        if new is None:
            return
        if new.status.phase in TERMINAL:
            self._pod_gone(new)
        elif new.spec.node_name:
            self._pod_placed(old, new)
        elif new.spec.scheduler_name in self._names:
            self._pod_waiting(old, new)

    def _pod_gone(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        self._queue.delete(uid)
        self._waiting.reject(uid, "the pod is gone")
        if self._cache.is_placed(uid):
            self._cache.remove_pod(uid)
            self._queue.move(ClusterEvent.POD_DELETED, pod, None, self._clock.now(), self._expected(pod))
            self._wake()

    def _expected(self, pod: Pod) -> Collection[str]:
        """For whom room is kept on a pod's node."""
        node = self._cache.get(pod.spec.node_name)
        return tuple(node.ghosts) if node is not None else ()

    def _pod_placed(self, old: Pod | None, new: Pod) -> None:
        self._queue.delete(new.metadata.uid)
        self._cache.set_pod(new)
        if old is None or not old.spec.node_name:
            self._queue.move(ClusterEvent.POD_ADDED, None, new, self._clock.now())
            self._wake()
        elif old.metadata.labels != new.metadata.labels or old.spec.containers != new.spec.containers:
            self._queue.move(ClusterEvent.POD_UPDATED, old, new, self._clock.now(), self._expected(new))
            self._wake()

    def _pod_waiting(self, old: Pod | None, new: Pod) -> None:
        uid, now = new.metadata.uid, self._clock.now()
        if new.metadata.deletion_timestamp is not None:
            self._queue.delete(uid)
        elif uid in self._queue and old is not None:
            self._queue.update(old, new, now)
        else:
            self._queue.add(new, now)
            self._queue.move(ClusterEvent.POD_WAITING, None, new, now)
            nominated = new.status.nominated_node_name
            if nominated and self._cache.get(nominated) is not None and not self._cache.is_placed(uid):
                self._cache.nominate(self._queue[uid].info, nominated)  # somebody's victims are leaving already
        self._wake()


def _node_event(old: Node | None, new: Node) -> ClusterEvent:
    """What a change of a node is, as far as pods may hope from it."""
    if old is None:
        return ClusterEvent.NODE_ADDED
    event = ClusterEvent(0)
    if old.status.allocatable != new.status.allocatable:
        event |= ClusterEvent.NODE_ALLOCATABLE
    if old.metadata.labels != new.metadata.labels:
        event |= ClusterEvent.NODE_LABEL
    if old.spec.taints != new.spec.taints:
        event |= ClusterEvent.NODE_TAINT
    if old.spec.unschedulable != new.spec.unschedulable:
        event |= ClusterEvent.NODE_UNSCHEDULABLE
    return event
