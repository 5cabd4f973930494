"""Pods that have a node and must not be bound yet: a Permit plugin said WAIT.

Whoever holds this can let a waiting pod go on, or send it back; time does the latter. A pod that waits stays assumed
on its node, so that its room is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import NamedTuple

from kcore.scheduler.pod_info import PodInfo

__all__ = ["WaitingPod", "WaitingPods"]


class WaitingPod(NamedTuple):
    """One of them; `plugin` is the one that asked to wait."""

    pod: PodInfo
    node_name: str
    plugin: str


class _Held(NamedTuple):
    waiting: WaitingPod
    allowed: Callable[[], None]
    rejected: Callable[[str], None]
    timer: asyncio.TimerHandle


class WaitingPods:
    """All waiting pods, by uid."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    def __iter__(self) -> Iterator[WaitingPod]:
        return iter([held.waiting for held in self._held.values()])

    def __len__(self) -> int:
        return len(self._held)

    def hold(
        self, waiting: WaitingPod, seconds: float, allowed: Callable[[], None], rejected: Callable[[str], None]
    ) -> None:
        """Keep a pod until one of the two callbacks is called, at the latest after so many seconds."""
        uid = waiting.pod.uid
        reason = f'pod "{waiting.pod.pod.metadata.name}" rejected while waiting on permit: timeout'
        timer = asyncio.get_running_loop().call_later(seconds, self.reject, uid, reason)
        self._held[uid] = _Held(waiting, allowed, rejected, timer)

    def allow(self, uid: str) -> bool:
        """Let a pod be bound; False: it is not waiting."""
        held = self._take(uid)
        if held is not None:
            held.allowed()
        return held is not None

    def reject(self, uid: str, reason: str) -> bool:
        """Send a pod back to the queue; False: it is not waiting."""
        held = self._take(uid)
        if held is not None:
            held.rejected(reason)
        return held is not None

    def _take(self, uid: str) -> _Held | None:
        held = self._held.pop(uid, None)
        if held is not None:
            held.timer.cancel()
        return held
