"""What was before this process: fake containers are as their statuses have them."""

from __future__ import annotations

from kcore.api.core_v1 import ContainerStatus
from kcore.api.timestamp import parse
from kcore.node.runtime import HEALTHY, ContainerRecord, Health

__all__ = ["record_of"]


def record_of(status: ContainerStatus) -> ContainerRecord | None:
    """The record of a container whose status was written before."""
    running = status.state.running
    ended = status.state.terminated or (status.last_state.terminated if status.state.waiting else None)
    if running is None and ended is None:
        return None
    state = running or ended
    assert state is not None
    return ContainerRecord(
        name=status.name,
        id=status.container_id or (ended.container_id if ended else ""),
        image_id=status.image_id,
        restart_count=status.restart_count,
        crashes=status.restart_count,
        started_at=parse(state.started_at) if state.started_at else 1.0,
        finished_at=(parse(ended.finished_at) if ended.finished_at else 1.0) if ended else 0.0,
        exit_code=ended.exit_code if ended else 0,
        signal=ended.signal if ended else 0,
        message=ended.message if ended else "",
        image=status.image,
        reason=ended.reason if ended and ended.reason not in ("Completed", "Error") else "",
        health=Health(started=status.started is not False, ready=status.ready) if running else HEALTHY,
        resources=status.resources,
    )
