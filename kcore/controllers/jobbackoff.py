"""How long a Job waits before it replaces failed pods: 10 s after the first failure in a row, then twice as long
each time, ten minutes at most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kcore.api.core_v1 import ContainerStatus, Pod
from kcore.api.timestamp import parse
from kcore.controllers.pods import condition

__all__ = ["Failures", "finished_at", "seconds_left"]

FIRST = 10.0
LONGEST = 600.0


class Failures(NamedTuple):
    """Failures since the last success, and when the last of them was."""

    in_a_row: int = 0
    last: float = 0.0

    def after(self, succeeded: Sequence[Pod], failed: Sequence[Pod]) -> Failures:
        """The record once these pods, newly seen, are counted in."""
        ends = sorted(map(finished_at, failed))
        if not succeeded:
            return Failures(self.in_a_row + len(ends), ends[-1]) if ends else self
        success = max(map(finished_at, succeeded))
        later = [end for end in ends if end > success]
        return Failures(len(later), later[-1]) if later else Failures()

    def seconds_left(self, now: float) -> float:
        return seconds_left(self.in_a_row, self.last, now)


def seconds_left(failures: int, last: float, now: float) -> float:
    """Until a pod may be created again after so many failures in a row."""
    if failures == 0:
        return 0.0
    delay: float = min(FIRST * 2.0 ** min(failures - 1, 10), LONGEST)
    return max(0.0, last + delay - now)


def finished_at(pod: Pod) -> float:
    """When a pod ended, as well as it can be told: by its containers, by when it ceased to be ready, by when it was
    deleted, or else when it was created."""
    sidecars = {c.name for c in pod.spec.init_containers if c.restart_policy == "Always"}
    statuses = (
        *pod.status.container_statuses,
        *(s for s in pod.status.init_container_statuses if s.name in sidecars),
    )
    ended = _last_end(statuses)
    if ended is not None:
        return ended
    ready = condition(pod, "Ready")
    if ready is not None and ready.status == "False" and ready.last_transition_time:
        return parse(ready.last_transition_time)
    metadata = pod.metadata
    if metadata.deletion_timestamp is not None:
        return parse(metadata.deletion_timestamp) - (metadata.deletion_grace_period_seconds or 0)
    return parse(metadata.creation_timestamp) if metadata.creation_timestamp else 0.0


def _last_end(statuses: Iterable[ContainerStatus]) -> float | None:
    """None where a container has not ended."""
    ends = []
    for status in statuses:
        ended = status.state.terminated
        if ended is None or not ended.finished_at:
            return None
        ends.append(parse(ended.finished_at))
    return max(ends, default=None)
