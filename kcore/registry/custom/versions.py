"""The versions of one definition share a place in the store, where each object stays as the version it was written in.

`VersionStore` is the store as one version sees it. What stands in that version is handed through untouched; the rest is
converted: at once where the definition's conversion is None, and by its webhook else, which takes waiting for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import anyio

from kcore.api.errors import ApiError
from kcore.api.object import CustomResource, encode_object
from kcore.registry.converting import NotConverted
from kcore.registry.custom.strategy import CustomResourceStrategy
from kcore.store.store import Channel, Compacted, Event, Op, Page, Record, Store

__all__ = ["VersionStore"]

_KEPT_MAX = 8192
_READY_MAX = 1024

_Range = tuple[str, int | None, str, int]


class VersionStore:
    """`Store` for the keys of one custom kind alone."""

    def __init__(self, store: Store, strategy: CustomResourceStrategy) -> None:
        self._store = store
        self._strategy = strategy
        self._version = strategy.kind.api_version
        self._prefix = strategy.kind.prefix()
        self._kept: dict[tuple[str, int], Record] = {}
        """Conversions made lately, by key and revision."""
        self._pages: dict[_Range, Page] = {}
        """Pages on offer to whom they were converted for."""

    @property
    def revision(self) -> int:
        return self._store.revision

    @property
    def oldest_revision(self) -> int:
        return self._store.oldest_revision

    def get(self, key: str) -> Record | None:
        return self._one(self._store.get(key))

    def head(self, key: str) -> Record | None:
        return self._one(self._store.head(key))

    def _one(self, record: Record | None) -> Record | None:
        if record is None:
            return None
        shown = self._shown(record)
        if shown is None:
            raise _Missing(self, (record,))
        return shown

    def range(self, prefix: str, *, at: int | None = None, after: str = "", limit: int = 0) -> Page:
        asked = (prefix, at, after, limit)
        page = self._pages.get(asked)
        if page is None:
            page = self._store.range(prefix, at=at, after=after, limit=limit)
        shown = self._all_shown(page.records)
        if shown is None:
            raise _Missing(self, page.records, asked, page)
        return page if shown is page.records else page._replace(records=shown)

    async def commit(self, *ops: Op) -> Sequence[Record]:
        stored = await self._store.commit(*[await self._inward(op) for op in ops])
        await self.convert([record for record in stored if record.key.startswith(self._prefix)])
        return [self._shown(r) or r if r.key.startswith(self._prefix) else r for r in stored]

    async def _inward(self, op: Op) -> Op:
        """A change as it is stored; those of other kinds, made together with this one's, as they are."""
        if not op.key.startswith(self._prefix):
            return op
        return op._replace(obj=await self._strategy.stored(op.obj))

    def watch(self, prefix: str, *, since: int, index: tuple[str, str] | None = None) -> Channel:
        return VersionChannel(self._store.watch(prefix, since=since, index=index), self)

    def offer(self, asked: _Range, page: Page) -> None:
        self._pages[asked] = page

    def withdraw(self, asked: _Range) -> None:
        self._pages.pop(asked, None)

    # --- conversion ---

    def _shown(self, record: Record) -> Record | None:
        """A record as this version shows it; None: the webhook has to be asked."""
        if record.obj.api_version == self._version:
            return record
        if self._strategy.by_webhook:
            return self._kept.get((record.key, record.revision))
        return _record(record, self._strategy.from_stored(record.obj))

    def _all_shown(self, records: Sequence[Record]) -> Sequence[Record] | None:
        version = self._version
        if all(record.obj.api_version == version for record in records):
            return records
        shown = [self._shown(record) for record in records]
        return None if any(record is None for record in shown) else shown  # type: ignore[return-value]

    def shown_event(self, event: Event) -> Event | None:
        record = self._shown(event.record)
        previous = event.previous and self._shown(event.previous)
        if record is None or (previous is None and event.previous is not None):
            return None
        unchanged = record is event.record and previous is event.previous
        return event if unchanged else Event(event.type, record, previous)

    async def convert(self, records: Iterable[Record]) -> None:
        """Have the webhook convert what is not of this version. Raises ApiError."""
        missing = [record for record in records if self._shown(record) is None]
        by_version: dict[str, list[Record]] = {}
        for record in missing:
            by_version.setdefault(record.obj.api_version, []).append(record)
        while len(self._kept) > _KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        for same in by_version.values():
            objects = await self._strategy.converted([record.obj for record in same])
            for record, obj in zip(same, objects, strict=True):
                self._kept[record.key, record.revision] = _record(record, obj)


def _record(record: Record, obj: CustomResource) -> Record:
    return Record(record.key, record.revision, obj, encode_object(obj))


class _Missing(NotConverted):
    def __init__(
        self, store: VersionStore, records: Sequence[Record], asked: _Range | None = None, page: Page | None = None
    ) -> None:
        super().__init__()
        self._store = store
        self._records = records
        self._asked = asked
        self._page = page

    async def convert(self) -> None:
        await self._store.convert(self._records)

    def offer(self) -> None:
        if self._asked is not None and self._page is not None:
            self._store.offer(self._asked, self._page)

    def withdraw(self) -> None:
        if self._asked is not None:
            self._store.withdraw(self._asked)


class VersionChannel:
    """A channel whose events are shown in one version.

    Who waits for batches (`next_batch`) waits for their conversion as well. For others `run` has to go on beside them:
    it converts what comes, in order, and holds it ready for `take_nowait`.
    """

    def __init__(self, channel: Channel, store: VersionStore) -> None:
        self._channel = channel
        self._store = store
        self._ready: list[Event] = []
        self._error: Exception | None = None
        self._reached = channel.revision
        self._busy = False
        self._taken = anyio.Event()
        self._wake: Callable[[], None] = _nobody
        self._note: Callable[[], None] = _nobody

    @property
    def revision(self) -> int:
        """How far the reader has come: not farther than what was converted."""
        if not self._busy and not self._ready:
            self._reached = self._channel.revision
        return self._reached

    async def next_batch(self) -> Sequence[Event]:
        batch = await self._channel.next_batch()
        self._busy = True
        try:
            return await self._converted(batch)
        finally:
            self._busy = False

    async def _converted(self, batch: Sequence[Event]) -> Sequence[Event]:
        await self._store.convert(r for event in batch for r in (event.record, event.previous) if r is not None)
        shown = [self._store.shown_event(event) for event in batch]
        if all(a is b for a, b in zip(shown, batch, strict=True)):
            return batch  # the very same, so that what others encoded serves here as well
        return [event for event in shown if event is not None]

    async def run(self) -> None:
        """Convert until there is an error, which `take_nowait` raises then.

        It does not run far ahead of the reader, who falls behind the history like any other."""
        while self._error is None:
            if len(self._ready) > _READY_MAX:
                self._taken = anyio.Event()
                await self._taken.wait()
            try:
                self._ready += await self.next_batch()
            except (ApiError, Compacted) as error:
                self._error = error
            self._note()
            self._wake()

    def take_nowait(self) -> Sequence[Event]:
        if self._ready:
            ready, self._ready = self._ready, []
            self._taken.set()
            return ready
        if self._error is not None:
            raise self._error
        return ()

    def on_ready(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def on_published(self, note: Callable[[], None]) -> None:
        self._note = note

    def close(self) -> None:
        self._channel.close()


def _nobody() -> None:
    pass
