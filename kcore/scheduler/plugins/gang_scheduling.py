"""Pods that are of use only together start together: the members of a pod group.

A pod names its group, and how many members there must be, by labels; an annotation may say how long those that have
a node wait for the others. Members do not enter the queue before there are enough of them; each that has found its
node waits there, keeping its room, until enough others have. When one of them gives up, all do, and their room is free.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kcore.api.core_v1 import Pod
from kcore.api.object import Object
from kcore.client.informer import Informers
from kcore.scheduler.cache import SchedulerCache
from kcore.scheduler.framework import ClusterEvent, Code, CycleState, Hint, Status, unresolvable
from kcore.scheduler.pod_info import PodInfo
from kcore.scheduler.waiting import WaitingPods

__all__ = ["GROUP", "MIN_AVAILABLE", "TIMEOUT", "GangScheduling"]

GROUP = "pod-group.scheduling.sigs.k8s.io/name"
MIN_AVAILABLE = "pod-group.scheduling.sigs.k8s.io/min-available"
TIMEOUT = "pod-group.scheduling.sigs.k8s.io/timeout-seconds"
DEFAULT_SECONDS = 60.0
BY_GROUP = "pod group"
TERMINAL = ("Succeeded", "Failed")


class _Group(NamedTuple):
    """What a member says of its group."""

    key: str
    least: int
    seconds: float


def group_of(pod: Pod) -> _Group | None:
    """The group of a pod; None: it is in none. A minimum or a timeout that is no number counts as not given."""
    name = pod.metadata.labels.get(GROUP)
    if not name:
        return None
    least = pod.metadata.labels.get(MIN_AVAILABLE, "")
    seconds = pod.metadata.annotations.get(TIMEOUT, "")
    return _Group(
        f"{pod.metadata.namespace}/{name}",
        int(least) if least.isdecimal() else 1,
        float(seconds) if seconds.isdecimal() else DEFAULT_SECONDS,
    )


def _key(pod: Pod) -> tuple[str, ...]:
    group = group_of(pod)
    return (group.key,) if group is not None and pod.status.phase not in TERMINAL else ()


class GangScheduling:
    name = "GangScheduling"

    def __init__(self, informers: Informers, cache: SchedulerCache, waiting: WaitingPods) -> None:
        self._cache = cache
        self._pods = informers.of(Pod)
        self._pods.add_index(BY_GROUP, _key)
        self._waiting = waiting

    def pre_enqueue(self, pod: Pod) -> Status | None:
        group = group_of(pod)
        if group is None or group.least <= 1:
            return None
        there = len({*[member.metadata.uid for member in self._members(group)], pod.metadata.uid})
        if there >= group.least:
            return None
        return unresolvable(f"pod group {group.key} has {there} of at least {group.least} pods")

    def reserve(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None:
        return None

    def unreserve(self, state: CycleState, pod: PodInfo, node_name: str) -> None:
        """One has given up: so must those that wait for it, unless enough have started without it."""
        group = group_of(pod.pod)
        if group is None:
            return
        held = self._held(group)
        started = [uid for uid in self._placed(group) if uid not in held and uid != pod.uid]
        if len(started) >= group.least:
            return
        for uid in held:
            self._waiting.reject(uid, f'pod group {group.key}: member "{pod.pod.metadata.name}" was not scheduled')

    def permit(self, state: CycleState, pod: PodInfo, node_name: str) -> tuple[Status | None, float]:
        group = group_of(pod.pod)
        if group is None or group.least <= 1:
            return None, 0.0
        if len(self._placed(group)) < group.least:
            return Status(Code.WAIT), group.seconds
        for uid in self._held(group):
            self._waiting.allow(uid)
        return None, 0.0

    def events(self) -> Mapping[ClusterEvent, Hint | None]:
        return {
            ClusterEvent.POD_WAITING | ClusterEvent.POD_ADDED: _is_member,
            ClusterEvent.POD_DELETED: lambda pod, old, new: not _is_member(pod, None, old),
            ClusterEvent.NODE: None,
        }

    def _members(self, group: _Group) -> list[Pod]:
        return self._pods.by_index(BY_GROUP, group.key)

    def _placed(self, group: _Group) -> list[str]:
        """The uids of members that have a node, be it only in thought."""
        uids = [member.metadata.uid for member in self._members(group)]
        return [uid for uid in uids if self._cache.is_placed(uid)]

    def _held(self, group: _Group) -> list[str]:
        """The uids of members that have a node and wait."""
        found = []
        for waiting in self._waiting:
            theirs = group_of(waiting.pod.pod)
            if theirs is not None and theirs.key == group.key:
                found.append(waiting.pod.uid)
        return found


def _is_member(pod: PodInfo, old: Object | None, new: Object | None) -> bool:
    """Whether the change is about the pod's own group. What a group that gave up leaves free is for others."""
    mine, theirs = group_of(pod.pod), group_of(new) if isinstance(new, Pod) else None
    return mine is not None and theirs is not None and mine.key == theirs.key
