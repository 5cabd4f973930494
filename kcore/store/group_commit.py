"""The group commit: many commits, one flush.

Commits issued in one turn of the event loop, or while a flush is under way, form the next batch. A writer thread
puts it on disk; only then does the loop apply its events and answer the callers. Three crossings between loop and
thread are made per batch, however large it is, because each may have to wait for the interpreter lock.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import NamedTuple

import anyio
import msgspec
import structlog
from anyio.abc import TaskStatus

from kcore.store.log import Log
from kcore.store.store import Event, StoreUnavailable

__all__ = ["GroupCommit"]

log = structlog.get_logger(__name__)

# What one batch may carry at most: applying it to the indexes has to fit into one short turn of the loop.
BATCH_EVENTS_MAX = 1_000


class Commit(msgspec.Struct, frozen=True):
    events: Sequence[Event]
    done: asyncio.Future[None] | None
    """Where its caller waits, unless that is for a later one."""


class Forget(NamedTuple):
    """Work for the writer when no batch waits: see `Log.forget`."""

    dropped: Sequence[Event]
    compacted: Mapping[str, int]


Batch = Sequence[Commit]


class GroupCommit:
    """Puts commits on disk in their order, and tells the store what became of them.

    A batch that can not be written fails together with everything that was queued behind it, since that may have
    been built upon it. The next commit tries the disk again, so writes resume by themselves once it has recovered.
    """

    def __init__(
        self, storage: Log, apply: Callable[[Sequence[Event]], None], drop_pending: Callable[[], None]
    ) -> None:
        self._log = storage
        self._apply = apply
        self._drop_pending = drop_pending
        self._commits: list[Commit] = []
        self._flushing = False
        self._failing = False
        self._to_writer: SimpleQueue[Batch | Forget | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: asyncio.Event | None = None

    async def commit(self, *steps: Sequence[Event]) -> None:
        """Return once the events of all steps, each a revision of its own, are durable and applied."""
        if self._loop is None:
            self._drop_pending()
            raise StoreUnavailable("the store does not run: it has not been started, or has been stopped")
        done = self._loop.create_future()
        if not self._commits and not self._flushing:
            self._loop.call_soon(self._flush)
        *before, last = steps
        self._commits += [Commit(events, None) for events in before]
        self._commits.append(Commit(last, done))
        await done

    def forget(self, dropped: Sequence[Event], compacted: Mapping[str, int]) -> None:
        self._to_writer.put(Forget(dropped, compacted))

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Write until cancelled; then finish what was begun, and close the log."""
        loop = self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        closed = asyncio.Event()
        writer = threading.Thread(target=self._write, args=(loop, closed), name="store-writer", daemon=True)
        writer.start()
        task_status.started()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await self._drain()
                self._loop = None
                self._to_writer.put(None)
                await closed.wait()
                writer.join()

    async def _drain(self) -> None:
        assert self._idle is not None
        while self._commits or self._flushing:
            self._idle.clear()
            await self._idle.wait()

    def _flush(self) -> None:
        """Hand the next batch to the writer."""
        if self._flushing or not self._commits:
            return
        count = events = 0
        for commit in self._commits:
            events += len(commit.events)
            if count and events > BATCH_EVENTS_MAX:
                break
            count += 1
        batch, self._commits = self._commits[:count], self._commits[count:]
        self._flushing = True
        self._to_writer.put(batch)

    def _flushed(self, batch: Batch, error: StoreUnavailable | None) -> None:
        """Back on the loop: the batch is on disk, or not."""
        self._flushing = False
        if error is None:
            self._recovered()
            for commit in batch:
                self._apply(commit.events)
                if (
                    commit.done is not None and not commit.done.done()
                ):  # its caller was cancelled; the commit happened all the same
                    commit.done.set_result(None)
        else:
            self._fail(batch, error)
        if self._commits:
            self._flush()
        elif self._idle is not None:
            self._idle.set()

    def _fail(self, batch: Batch, error: StoreUnavailable) -> None:
        if not self._failing:
            self._failing = True
            log.error("store_write_failed", reason=str(error))
        behind, self._commits = self._commits, []
        self._drop_pending()
        for commit in (*batch, *behind):
            if commit.done is not None and not commit.done.done():
                commit.done.set_exception(StoreUnavailable(str(error)))

    def _recovered(self) -> None:
        if self._failing:
            self._failing = False
            log.info("store_write_recovered")

    def _write(self, loop: asyncio.AbstractEventLoop, closed: asyncio.Event) -> None:
        """The writer thread."""
        while (work := self._to_writer.get()) is not None:
            if isinstance(work, Forget):
                self._forget(work)
                continue
            loop.call_soon_threadsafe(self._flushed, work, self._write_batch(work))
        self._log.close()
        with suppress(RuntimeError):  # the loop may have been closed by force
            loop.call_soon_threadsafe(closed.set)

    def _write_batch(self, batch: Batch) -> StoreUnavailable | None:
        try:
            self._log.write([event for commit in batch for event in commit.events])
        except StoreUnavailable as unavailable:
            return unavailable
        except Exception as error:  # whatever it is, the callers must hear of it and the writer must live on
            log.exception("store_write_crashed")
            return StoreUnavailable(f"the log can not be written: {error!r}")
        return None

    def _forget(self, work: Forget) -> None:
        try:
            self._log.forget(work.dropped, work.compacted)
        except StoreUnavailable as unavailable:
            # The entries stay until the next start, which takes them for history and has them dropped again.
            log.warning("store_compaction_failed", reason=str(unavailable))
