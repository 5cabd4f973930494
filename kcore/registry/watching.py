"""A watch as the registry serves it: initial events, then what the store's channel hands out, selected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from kcore.store.store import Event

__all__ = ["Watch"]


class Watch(Protocol):
    """Batches of events in revision order. An unselected watch hands out the store's own Event objects, shared by
    all watchers, so that encoded forms may be cached by event."""

    @property
    def timeout_seconds(self) -> int | None:
        """After how long the reader should end the watch (None: as it likes)."""

    async def next_batch(self) -> Sequence[Event]:
        """Wait for events and take what is ready, never empty: first the initial ones with the bookmark that ends
        them, if asked for. Raises `kcore.api.errors.Expired`, to be written as an ERROR event, once the watcher fell
        behind the history; anyio.ClosedResourceError after `close`."""

    def take_nowait(self) -> Sequence[Event]:
        """What is ready now, perhaps nothing. Raises as `next_batch`."""

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Call `wake` (once per loop turn at most) when events become ready: for readers that run no task."""

    def bookmark(self) -> Event | None:
        """A BOOKMARK event saying how far the watch has come, for the reader to send about once a minute and before
        its timeout; None where the client did not ask for bookmarks."""

    def close(self) -> None: ...
