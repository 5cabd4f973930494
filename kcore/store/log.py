"""What is kept of the events beyond the life of the process; and the log that keeps nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from kcore.store.store import Event

__all__ = ["Entry", "Log", "MemoryLog"]


class Entry(NamedTuple):
    """One event as the log holds it. `deleted`: `data` is the final state of an object that is gone."""

    revision: int
    key: str
    deleted: bool
    data: bytes


class Log(Protocol):
    """An append-only sequence of events, less those that neither the state nor the history needs any more.

    All methods block. Once the store runs, `write`, `forget` and `close` are called from its writer thread alone.
    """

    durable: bool
    """Whether `write` is worth waiting for; if not, it is never called."""

    def compacted(self) -> Mapping[str, int]:
        """Per bucket, the oldest revision from which its events are complete: what `forget` was last told."""

    def entries(self) -> Iterable[Entry]:
        """Everything kept, in revision order: folded, it gives the current state and the recent history."""

    def write(self, events: Sequence[Event]) -> None:
        """Append a batch: all of it on disk, or none and StoreUnavailable."""

    def forget(self, dropped: Sequence[Event], compacted: Mapping[str, int]) -> None:
        """Let go of what nobody can ask for now that history has dropped these events: the states they replaced,
        and the tombstones. An entry that is forgotten too late does no harm."""

    def close(self) -> None: ...


class MemoryLog:
    """A log for a store whose life is the process's."""

    durable = False

    def compacted(self) -> Mapping[str, int]:
        return {}

    def entries(self) -> Iterable[Entry]:
        return ()

    def write(self, events: Sequence[Event]) -> None: ...

    def forget(self, dropped: Sequence[Event], compacted: Mapping[str, int]) -> None: ...

    def close(self) -> None: ...
