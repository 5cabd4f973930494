"""The pods that wait for a node.

    active         ready to be tried, in the order of QueueSort
    backoff        failed a moment ago, ready later; tried early when there is nothing else to do
    unschedulable  fitted nowhere, or are gated: wait until something happens that a plugin which refused them
                   hopes from, or for five minutes

The queue knows no time and sleeps nowhere: whoever calls says what time it is.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

from kcore.api.core_v1 import Pod
from kcore.api.object import Object
from kcore.scheduler.framework import ClusterEvent, Hint, Status
from kcore.scheduler.pod_info import PodInfo

__all__ = ["QueueStatistics", "QueuedPod", "SchedulingQueue"]

BACKOFF = (1.0, 10.0)
"""How many seconds a pod waits after its first failure, and at most; each further failure doubles it."""
LONGEST_UNSCHEDULABLE = 300.0

FAILURE = "ScheduleAttemptFailure"

MayEnqueue = Callable[[Pod], Status | None]
SortKey = Callable[[PodInfo, float], tuple[Any, ...]]
Alike = Callable[[str, PodInfo], Hashable]
"""Equal for pods to which all hints of a plugin answer the same, unless room is kept for one of them."""


LABELS: Mapping[ClusterEvent, str] = {
    ClusterEvent.NODE_ADDED: "NodeAdd",
    ClusterEvent.NODE_DELETED: "NodeDelete",
    ClusterEvent.NODE_ALLOCATABLE: "NodeUpdateNodeAllocatable",
    ClusterEvent.NODE_LABEL: "NodeUpdateNodeLabel",
    ClusterEvent.NODE_TAINT: "NodeUpdateNodeTaint",
    ClusterEvent.NODE_UNSCHEDULABLE: "NodeUpdateNodeTaint",
    ClusterEvent.POD_ADDED: "AssignedPodAdd",
    ClusterEvent.POD_UPDATED: "AssignedPodUpdate",
    ClusterEvent.POD_DELETED: "AssignedPodDelete",
    ClusterEvent.POD_WAITING: "UnschedulablePodAdd",
    ClusterEvent.CLAIM: "PersistentVolumeClaimAdd",
    ClusterEvent.VOLUME: "PersistentVolumeAdd",
    ClusterEvent.STORAGE_CLASS: "StorageClassAdd",
    ClusterEvent.CSI_NODE: "CSINodeAdd",
    ClusterEvent.CSI_DRIVER: "CSIDriverUpdate",
    ClusterEvent.CSI_CAPACITY: "CSIStorageCapacityAdd",
    ClusterEvent.DETACHED: "VolumeAttachmentDelete",
    ClusterEvent.RESOURCE_CLAIM: "ResourceClaimUpdate",
    ClusterEvent.RESOURCE_SLICE: "ResourceSliceAdd",
    ClusterEvent.DEVICE_CLASS: "DeviceClassAdd",
}


class Place(Enum):
    ACTIVE = "active"
    BACKOFF = "backoff"
    UNSCHEDULABLE = "unschedulable"
    IN_FLIGHT = "in flight"


class QueuedPod:
    """A pod on its way to a node. `plugins` are those that refused it last, `gated_by` the one that keeps it out."""

    __slots__ = (
        "attempts",
        "backoff_until",
        "gated_by",
        "info",
        "is_stale",
        "place",
        "plugins",
        "seconds",
        "since",
        "ticket",
        "urgent",
        "waits",
    )

    def __init__(self, info: PodInfo, now: float) -> None:
        self.info = info
        self.attempts = 0
        self.since = now
        self.plugins: frozenset[str] = frozenset()
        self.gated_by = ""
        self.place = Place.UNSCHEDULABLE
        self.backoff_until = 0.0
        self.ticket = 0
        self.seconds = 0.0
        """How long the last decision took."""
        self.is_stale = False
        """Whether it has changed while it was being tried."""
        self.urgent = True
        """Whether its back-off may be cut short: not after an error, which trying again soon would repeat."""
        self.waits: Sequence[tuple[str, Hashable]] = ()
        """The plugins that are in the way, and with whom it waits there."""

    @property
    def state(self) -> str:
        """Where it is, in words."""
        return "gated" if self.gated_by else self.place.value


class QueueStatistics(NamedTuple):
    active: int
    backoff: int
    unschedulable: int
    gated: int
    in_flight: int


class SchedulingQueue:
    """All pods without a node, by uid."""

    def __init__(
        self,
        may_enqueue: MayEnqueue,
        sort_key: SortKey,
        events: Mapping[str, Mapping[ClusterEvent, Hint | None]],
        backoff: tuple[float, float] = BACKOFF,
        alike: Alike = lambda plugin, pod: pod.uid,
    ) -> None:
        self._may_enqueue = may_enqueue
        self._alike = alike
        self._backoff_seconds = backoff
        self._sort_key = sort_key
        self._events = events
        self._pods: dict[str, QueuedPod] = {}
        self._active: list[tuple[tuple[Any, ...], int, str]] = []
        self._backoff: list[tuple[float, int, str]] = []
        self._waiting: dict[str, float] = {}
        self._waiting_for: dict[str, dict[Hashable, dict[str, None]]] = {}
        """Who waits, by the plugin that is in the way; those that are alike together, so that one is asked for all."""
        self._hoping: dict[ClusterEvent, dict[str, Sequence[Hint | None]]] = {}
        self._in_flight: dict[str, int] = {}
        """How much had happened when each pod was popped, the first one first."""
        self._missed: deque[tuple[ClusterEvent, Object | None, Object | None]] = deque()
        """What has happened since the first of these was popped."""
        self._happened = 0
        self.incoming: Counter[tuple[str, str]] = Counter()
        """How many pods have come to each queue, and why."""
        self._ticket = 0

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    def __getitem__(self, uid: str) -> QueuedPod:
        return self._pods[uid]

    def statistics(self) -> QueueStatistics:
        places = [pod.place for pod in self._pods.values()]
        gated = sum(bool(pod.gated_by) for pod in self._pods.values())
        return QueueStatistics(
            places.count(Place.ACTIVE),
            places.count(Place.BACKOFF),
            places.count(Place.UNSCHEDULABLE) - gated,
            gated,
            places.count(Place.IN_FLIGHT),
        )

    def refusals(self) -> Iterator[tuple[str, str]]:
        """For each pod that waits the plugins that refused it, with its scheduler's name."""
        for uid in self._waiting:
            queued = self._pods[uid]
            for plugin in queued.plugins:
                yield plugin, queued.info.pod.spec.scheduler_name

    def add(self, pod: Pod, now: float) -> None:
        """A pod without a node has appeared."""
        queued = QueuedPod(PodInfo(pod), now)
        self._pods[queued.info.uid] = queued
        self._admit(queued, now)

    def update(self, old: Pod, new: Pod, now: float) -> None:
        """A waiting pod has changed. Only its own status, or who manages it: then it waits on as before."""
        queued = self._pods.get(new.metadata.uid)
        if queued is None:
            self.add(new, now)
            return
        if not _differs(old, new):
            queued.info = queued.info.renewed(new)
            return
        queued.info = PodInfo(new)
        if queued.place is Place.IN_FLIGHT:
            queued.is_stale = True
        elif queued.place is Place.ACTIVE:
            self._activate(queued, "PodUpdate")
        elif queued.place is Place.UNSCHEDULABLE:
            self._admit(queued, now, "PodUpdate")

    def delete(self, uid: str) -> None:
        """A pod needs no node any more: it is gone, or has one."""
        queued = self._pods.pop(uid, None)
        if queued is not None:
            self._end_wait(queued)
            self._land(uid)

    def pop(self, now: float) -> QueuedPod | None:
        """The next pod to try; `delete`, `refused` or `failed` must follow."""
        self._flush(now)
        queued = self._pop_active() or self._pop_backoff()
        if queued is not None:
            queued.place = Place.IN_FLIGHT
            queued.attempts += 1
            queued.is_stale = False
            self._in_flight[queued.info.uid] = self._happened
        return queued

    def refused(self, queued: QueuedPod, plugins: frozenset[str], now: float) -> None:
        """The popped pod fits nowhere: these plugins said so. What has happened since it was popped may have been
        what it waits for."""
        missed = self._missed_since(queued.info.uid)
        self._land(queued.info.uid)
        if queued.info.uid not in self._pods:
            return
        queued.plugins = plugins
        queued.urgent = True
        queued.backoff_until = now + self._backoff_after(queued.attempts)
        if queued.is_stale or any(self._missed_hope(queued, *happening) for happening in missed):
            self._back_off(queued, FAILURE)
        else:
            self._wait(queued, now, FAILURE)

    def failed(self, queued: QueuedPod, now: float) -> None:
        """Something went wrong with the popped pod that says nothing about the cluster: try again later."""
        self._land(queued.info.uid)
        if queued.info.uid not in self._pods:
            return
        queued.plugins = frozenset()
        queued.urgent = False
        queued.backoff_until = now + self._backoff_after(queued.attempts)
        self._back_off(queued, FAILURE)

    def move(
        self,
        event: ClusterEvent,
        old: Object | None,
        new: Object | None,
        now: float,
        apart: Collection[str] = (),
    ) -> None:
        """Something happened: wake the pods whose refusing plugins hope from it. `apart` are those that have a hope
        of their own in it, because room is kept for them there."""
        if self._in_flight and len(self._interested(event)) > 1:
            self._missed.append((event, old, new))
            self._happened += 1
        if not self._waiting:
            return
        for plugin, hints in self._interested(event).items():
            for group in list(self._waiting_for.get(plugin, {}).values()):
                one = next((uid for uid in group if uid not in apart), None)
                if one is not None and _hopes(self._pods[one], hints, old, new):
                    self._rouse([uid for uid in group if uid not in apart], now, label(event))
            concerned = [uid for uid in apart if uid in self._waiting and plugin in self._reasons(self._pods[uid])]
            self._rouse([uid for uid in concerned if _hopes(self._pods[uid], hints, old, new)], now, label(event))

    def _rouse(self, uids: Iterable[str], now: float, why: str) -> None:
        for uid in uids:
            queued = self._pods[uid]
            if queued.gated_by:
                self._admit(queued, now, why)
            else:
                self._wake(queued, now, why)

    def _interested(self, event: ClusterEvent) -> Mapping[str, Sequence[Hint | None]]:
        """The plugins that hope from an event, with their hints; `""`: pods that nobody in particular refused hope
        from all."""
        plugins = self._hoping.get(event)
        if plugins is None:
            plugins = self._hoping[event] = {"": (None,)}
            for name, events in self._events.items():
                hints = [hint for known, hint in events.items() if event & known]
                if hints:
                    plugins[name] = hints
        return plugins

    def _missed_hope(self, queued: QueuedPod, event: ClusterEvent, old: Object | None, new: Object | None) -> bool:
        """Whether a plugin that has refused the pod would have let it hope from this."""
        interested = self._interested(event)
        return any(_hopes(queued, interested.get(name, ()), old, new) for name in self._reasons(queued))

    def _missed_since(self, uid: str) -> list[tuple[ClusterEvent, Object | None, Object | None]]:
        """What has happened since a pod was popped."""
        since = self._in_flight.get(uid, self._happened)
        return list(islice(self._missed, len(self._missed) - (self._happened - since), None))

    def _land(self, uid: str) -> None:
        """A pod is in flight no more, and what only it has missed may be forgotten."""
        if self._in_flight.pop(uid, None) is None:
            return
        oldest = next(iter(self._in_flight.values()), self._happened)
        while len(self._missed) > self._happened - oldest:
            self._missed.popleft()

    def _wait(self, queued: QueuedPod, now: float, why: str) -> None:
        """Let a pod wait for what may help it."""
        self.incoming["gated" if queued.gated_by else "unschedulable", why] += 1
        queued.place = Place.UNSCHEDULABLE
        uid = queued.info.uid
        self._waiting[uid] = now
        queued.waits = [(plugin, self._company(plugin, queued)) for plugin in self._reasons(queued)]
        for plugin, key in queued.waits:
            self._waiting_for.setdefault(plugin, {}).setdefault(key, {})[uid] = None

    def _company(self, plugin: str, queued: QueuedPod) -> Hashable:
        return queued.info.uid if queued.gated_by or not plugin else self._alike(plugin, queued.info)

    def _end_wait(self, queued: QueuedPod) -> None:
        uid = queued.info.uid
        if self._waiting.pop(uid, None) is not None:
            for plugin, key in queued.waits:
                groups = self._waiting_for[plugin]
                del groups[key][uid]
                if not groups[key]:
                    del groups[key]
            queued.waits = ()

    @staticmethod
    def _reasons(queued: QueuedPod) -> Iterable[str]:
        return (queued.gated_by,) if queued.gated_by else queued.plugins or ("",)

    def next_deadline(self) -> float | None:
        """When there will be something to do without anything happening."""
        deadlines = [self._backoff[0][0]] if self._backoff else []
        if self._waiting:
            deadlines.append(next(iter(self._waiting.values())) + LONGEST_UNSCHEDULABLE)
        return min(deadlines, default=None)

    def _admit(self, queued: QueuedPod, now: float, why: str = "PodAdd") -> None:
        """Let a pod into the queue, unless a PreEnqueue plugin keeps it out."""
        objection = self._may_enqueue(queued.info.pod)
        self._end_wait(queued)
        queued.gated_by = objection.plugin if objection is not None else ""
        if objection is not None:
            self._wait(queued, now, why)
        else:
            self._wake(queued, now, why)

    def _wake(self, queued: QueuedPod, now: float, why: str) -> None:
        self._end_wait(queued)
        if now < queued.backoff_until:
            self._back_off(queued, why)
        else:
            self._activate(queued, why)

    def _activate(self, queued: QueuedPod, why: str) -> None:
        self.incoming["active", why] += 1
        queued.place = Place.ACTIVE
        self._ticket += 1
        queued.ticket = self._ticket
        heapq.heappush(self._active, (self._sort_key(queued.info, queued.since), queued.ticket, queued.info.uid))

    def _back_off(self, queued: QueuedPod, why: str) -> None:
        self.incoming["backoff", why] += 1
        queued.place = Place.BACKOFF
        self._ticket += 1
        queued.ticket = self._ticket
        heapq.heappush(self._backoff, (queued.backoff_until, queued.ticket, queued.info.uid))

    def _flush(self, now: float) -> None:
        """Move what has waited long enough."""
        while self._backoff and self._backoff[0][0] <= now:
            queued = self._current(heapq.heappop(self._backoff))
            if queued is not None:
                self._activate(queued, "BackoffComplete")
        while self._waiting:
            uid, since = next(iter(self._waiting.items()))
            if now - since < LONGEST_UNSCHEDULABLE:
                break
            queued = self._pods[uid]
            if queued.gated_by:
                del self._waiting[uid]
                self._waiting[uid] = now
            else:
                self._wake(queued, now, "UnschedulableTimeout")

    def _pop_active(self) -> QueuedPod | None:
        while self._active:
            queued = self._current(heapq.heappop(self._active))
            if queued is not None:
                return queued
        return None

    def _pop_backoff(self) -> QueuedPod | None:
        """With nothing else to do, back-off ends early for those whom only other pods' turns made wait."""
        errors = []
        found = None
        while self._backoff and found is None:
            entry = heapq.heappop(self._backoff)
            queued = self._current(entry)
            if queued is not None and queued.urgent:
                found = queued
            elif queued is not None:
                errors.append(entry)
        for entry in errors:
            heapq.heappush(self._backoff, entry)
        return found

    def _backoff_after(self, attempts: int) -> float:
        first, longest = self._backoff_seconds
        return min(first * 2.0 ** min(attempts - 1, 30), longest)

    def _current(self, entry: tuple[Any, int, str]) -> QueuedPod | None:
        """The pod of a heap entry, unless it went elsewhere since."""
        queued = self._pods.get(entry[2])
        return queued if queued is not None and queued.ticket == entry[1] else None


def _hopes(queued: QueuedPod, hints: Iterable[Hint | None], old: Object | None, new: Object | None) -> bool:
    """Whether one of the hints lets the pod hope."""
    return any(hint is None or hint(queued.info, old, new) for hint in hints)


@cache
def label(event: ClusterEvent) -> str:
    """What metrics call an event."""
    return next((name for known, name in LABELS.items() if event & known), "Unknown")


def _differs(old: Pod, new: Pod) -> bool:
    """Whether a change of a waiting pod may change what becomes of it."""
    return (
        old.spec != new.spec
        or old.metadata.labels != new.metadata.labels
        or old.metadata.annotations != new.metadata.annotations
        or old.status.resource_claim_statuses != new.status.resource_claim_statuses
    )
