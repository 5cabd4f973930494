"""The pods that wait for a node.

    active         ready to be tried, in the order of QueueSort
    backoff        failed a moment ago, ready later; tried early when there is nothing else to do
    unschedulable  fitted nowhere, or are gated: wait until something happens that a plugin which refused them
                   hopes from, or for five minutes

The queue knows no time and sleeps nowhere: whoever calls says what time it is.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from kcore.api.core_v1 import Pod
from kcore.api.object import Object
from kcore.scheduler.framework import ClusterEvent, Hint, Status
from kcore.scheduler.pod_info import PodInfo

__all__ = ["QueueStatistics", "QueuedPod", "SchedulingQueue"]

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 10.0
LONGEST_UNSCHEDULABLE = 300.0

MayEnqueue = Callable[[Pod], Status | None]
SortKey = Callable[[PodInfo, float], tuple[Any, ...]]


class Place(Enum):
    ACTIVE = "active"
    BACKOFF = "backoff"
    UNSCHEDULABLE = "unschedulable"
    IN_FLIGHT = "in flight"


class QueuedPod:
    """A pod on its way to a node. `plugins` are those that refused it last, `gated_by` the one that keeps it out."""

    __slots__ = ("attempts", "backoff_until", "gated_by", "info", "place", "plugins", "since", "ticket", "urgent")

    def __init__(self, info: PodInfo, now: float) -> None:
        self.info = info
        self.attempts = 0
        self.since = now
        self.plugins: frozenset[str] = frozenset()
        self.gated_by = ""
        self.place = Place.UNSCHEDULABLE
        self.backoff_until = 0.0
        self.ticket = 0
        self.urgent = True
        """Whether its back-off may be cut short: not after an error, which trying again soon would repeat."""


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
    ) -> None:
        self._may_enqueue = may_enqueue
        self._sort_key = sort_key
        self._events = events
        self._pods: dict[str, QueuedPod] = {}
        self._active: list[tuple[tuple[Any, ...], int, str]] = []
        self._backoff: list[tuple[float, int, str]] = []
        self._waiting: dict[str, float] = {}
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
        if queued.place is Place.ACTIVE:
            self._activate(queued)
        elif queued.place is Place.UNSCHEDULABLE:
            self._admit(queued, now)

    def delete(self, uid: str) -> None:
        """A pod needs no node any more: it is gone, or has one."""
        if self._pods.pop(uid, None) is not None:
            self._waiting.pop(uid, None)

    def pop(self, now: float) -> QueuedPod | None:
        """The next pod to try; `delete`, `refused` or `failed` must follow."""
        self._flush(now)
        queued = self._pop_active() or self._pop_backoff()
        if queued is not None:
            queued.place = Place.IN_FLIGHT
            queued.attempts += 1
        return queued

    def refused(self, queued: QueuedPod, plugins: frozenset[str], now: float) -> None:
        """The popped pod fits nowhere: these plugins said so."""
        if queued.info.uid not in self._pods:
            return
        queued.plugins = plugins
        queued.urgent = True
        queued.backoff_until = now + _backoff(queued.attempts)
        queued.place = Place.UNSCHEDULABLE
        self._waiting[queued.info.uid] = now

    def failed(self, queued: QueuedPod, now: float) -> None:
        """Something went wrong with the popped pod that says nothing about the cluster: try again later."""
        if queued.info.uid not in self._pods:
            return
        queued.plugins = frozenset()
        queued.urgent = False
        queued.backoff_until = now + _backoff(queued.attempts)
        self._back_off(queued)

    def move(self, event: ClusterEvent, old: Object | None, new: Object | None, now: float) -> None:
        """Something happened: wake the pods whose refusing plugins hope from it."""
        if not self._waiting:
            return
        for uid in list(self._waiting):
            queued = self._pods[uid]
            if self._hopes(queued, event, old, new):
                if queued.gated_by:
                    self._admit(queued, now)
                else:
                    self._wake(queued, now)

    def _hopes(self, queued: QueuedPod, event: ClusterEvent, old: Object | None, new: Object | None) -> bool:
        """Whether one of the plugins that refused a pod may let it pass after this."""
        refusing = (queued.gated_by,) if queued.gated_by else queued.plugins
        for name in refusing:
            for known, hint in self._events.get(name, {}).items():
                if event & known and (hint is None or hint(queued.info.pod, old, new)):
                    return True
        return not refusing

    def next_deadline(self) -> float | None:
        """When there will be something to do without anything happening."""
        deadlines = [self._backoff[0][0]] if self._backoff else []
        if self._waiting:
            deadlines.append(next(iter(self._waiting.values())) + LONGEST_UNSCHEDULABLE)
        return min(deadlines, default=None)

    def _admit(self, queued: QueuedPod, now: float) -> None:
        """Let a pod into the queue, unless a PreEnqueue plugin keeps it out."""
        objection = self._may_enqueue(queued.info.pod)
        queued.gated_by = objection.plugin if objection is not None else ""
        if objection is not None:
            queued.place = Place.UNSCHEDULABLE
            self._waiting[queued.info.uid] = now
        else:
            self._wake(queued, now)

    def _wake(self, queued: QueuedPod, now: float) -> None:
        self._waiting.pop(queued.info.uid, None)
        if now < queued.backoff_until:
            self._back_off(queued)
        else:
            self._activate(queued)

    def _activate(self, queued: QueuedPod) -> None:
        queued.place = Place.ACTIVE
        self._ticket += 1
        queued.ticket = self._ticket
        heapq.heappush(self._active, (self._sort_key(queued.info, queued.since), queued.ticket, queued.info.uid))

    def _back_off(self, queued: QueuedPod) -> None:
        queued.place = Place.BACKOFF
        self._ticket += 1
        queued.ticket = self._ticket
        heapq.heappush(self._backoff, (queued.backoff_until, queued.ticket, queued.info.uid))

    def _flush(self, now: float) -> None:
        """Move what has waited long enough."""
        while self._backoff and self._backoff[0][0] <= now:
            queued = self._current(heapq.heappop(self._backoff))
            if queued is not None:
                self._activate(queued)
        while self._waiting:
            uid, since = next(iter(self._waiting.items()))
            if now - since < LONGEST_UNSCHEDULABLE:
                break
            queued = self._pods[uid]
            if queued.gated_by:
                del self._waiting[uid]
                self._waiting[uid] = now
            else:
                self._wake(queued, now)

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

    def _current(self, entry: tuple[Any, int, str]) -> QueuedPod | None:
        """The pod of a heap entry, unless it went elsewhere since."""
        queued = self._pods.get(entry[2])
        return queued if queued is not None and queued.ticket == entry[1] else None


def _backoff(attempts: int) -> float:
    return min(FIRST_BACKOFF * 2.0 ** min(attempts - 1, 10), LONGEST_BACKOFF)


def _differs(old: Pod, new: Pod) -> bool:
    """Whether a change of a waiting pod may change what becomes of it."""
    return (
        old.spec != new.spec
        or old.metadata.labels != new.metadata.labels
        or old.metadata.annotations != new.metadata.annotations
    )
