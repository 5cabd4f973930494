"""Two kinds, one object: a store as seen by a kind that is a view of another (events.k8s.io/v1 of core/v1 Events).

The recipes know nothing of it: they run with the view's own strategy over a store that converts at its rim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kcore.api.kind import Kind
from kcore.api.object import encode_object
from kcore.registry.strategy import Strategy
from kcore.store.store import Channel, Event, Op, Page, Record, RevisionMismatch, Store

__all__ = ["ViewStore"]


class ViewStore:
    """`Store` for the keys of one view kind alone."""

    def __init__(self, store: Store, strategy: Strategy, stored: Kind) -> None:
        self._store = store
        self._strategy = strategy
        self._outer = strategy.kind.prefix()
        self._inner = stored.prefix()

    @property
    def revision(self) -> int:
        return self._store.revision

    @property
    def oldest_revision(self) -> int:
        return self._store.oldest_revision

    def get(self, key: str) -> Record | None:
        record = self._store.get(self._key(key))
        return self._show(record) if record else None

    def head(self, key: str) -> Record | None:
        record = self._store.head(self._key(key))
        return self._show(record) if record else None

    def range(self, prefix: str, *, at: int | None = None, after: str = "", limit: int = 0) -> Page:
        page = self._store.range(self._key(prefix), at=at, after=after and self._key(after), limit=limit)
        return page._replace(records=[self._show(record) for record in page.records])

    async def commit(self, *ops: Op) -> Sequence[Record]:
        try:
            records = await self._store.commit(*(self._inward(op) for op in ops))
            return [self._show(r) if r.key.startswith(self._inner) else r for r in records]
        except RevisionMismatch as e:
            if not e.key.startswith(self._inner):
                raise
            raise RevisionMismatch(self._outer + e.key[len(self._inner) :], self._show_any(e.current)) from None

    def _inward(self, op: Op) -> Op:
        """A change as the store beneath takes it; those of other kinds, made together with the view's, as they are."""
        if not op.key.startswith(self._outer):
            return op
        return op._replace(key=self._key(op.key), obj=self._strategy.to_stored(op.obj))

    def watch(self, prefix: str, *, since: int, index: tuple[str, str] | None = None) -> Channel:
        named = index if index and index[0] == "metadata.name" else None
        return _ViewChannel(self._store.watch(self._key(prefix), since=since, index=named), self)

    def show(self, event: Event) -> Event:
        return Event(event.type, self._show(event.record), self._show_any(event.previous))

    def _key(self, key: str) -> str:
        return self._inner + key[len(self._outer) :]

    def _show(self, record: Record) -> Record:
        obj = self._strategy.from_stored(record.obj)
        return Record(self._outer + record.key[len(self._inner) :], record.revision, obj, encode_object(obj))

    def _show_any(self, record: Record | None) -> Record | None:
        return self._show(record) if record else None


class _ViewChannel:
    """A channel whose events are converted as they are taken."""

    def __init__(self, channel: Channel, store: ViewStore) -> None:
        self._channel = channel
        self._store = store

    @property
    def revision(self) -> int:
        return self._channel.revision

    async def next_batch(self) -> Sequence[Event]:
        return [self._store.show(event) for event in await self._channel.next_batch()]

    def take_nowait(self) -> Sequence[Event]:
        return [self._store.show(event) for event in self._channel.take_nowait()]

    def on_ready(self, wake: Callable[[], None]) -> None:
        self._channel.on_ready(wake)

    def on_published(self, note: Callable[[], None]) -> None:
        self._channel.on_published(note)

    def close(self) -> None:
        self._channel.close()
