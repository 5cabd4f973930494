"""The shape of everything that runs: started in one task group, ready by a handshake, stopped by cancelling."""

from __future__ import annotations

from typing import Protocol

from anyio.abc import TaskStatus

__all__ = ["Service"]


class Service(Protocol):
    """A long-running part. `cluster.py` starts services with `task_group.start(service.run)`."""

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Run until cancelled. Calls `task_status.started()` once it truly works."""
