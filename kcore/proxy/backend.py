"""What turns rules into forwarding. The choice of one is the user's: `--proxy-mode`."""

from __future__ import annotations

from typing import Any, Protocol

from anyio.abc import TaskStatus

from kcore.proxy.rules import Diff

__all__ = ["Backend", "BackendFault"]


class Backend(Protocol):
    """Told one difference after the other, the first against nothing."""

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Hold whatever it needs until cancelled. Started once `apply` may be called."""

    async def apply(self, diff: Diff) -> None:
        """Make it hold. Raises `BackendFault` where it could not; then the next call may be told the same again."""

    def statistics(self) -> Any:
        """What it has done, as JSON."""


class BackendFault(Exception):
    """The machine refused; the message says what."""
