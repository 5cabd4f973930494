"""The recipe of watch: initial events, then what the store's channel hands out, as far as it is selected."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from kcore.api.errors import Expired
from kcore.api.kind import Kind
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import encode_object
from kcore.registry.pipeline import Pipeline
from kcore.registry.request import ListOptions, Request
from kcore.registry.selection import Selection, select
from kcore.registry.versions import check_watch_options, parse_version, too_large
from kcore.store.store import Channel, Compacted, Event, EventType, Record

__all__ = ["Watch", "watch"]


_INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}


def watch(pipe: Pipeline, req: Request, options: ListOptions) -> Watch:
    """Open a watch. One that starts too long ago opens too, and says so with its first batch, as upstream's does."""
    check_watch_options(options)
    selection = select(pipe.strategy(req.kind), options.label_selector, options.field_selector)
    version = parse_version(options.resource_version)
    store = pipe.store(req.kind)
    initial = options.send_initial_events
    if initial is None:
        initial = version == 0
    if initial and version > store.revision:
        raise too_large(version, store.revision)
    prefix = req.kind.prefix(req.namespace or selection.namespace or "")
    since = store.revision if initial or version == 0 else version
    first: list[Event] = []
    if initial:
        page = store.range(prefix)
        since = page.revision
        first = [Event(EventType.ADDED, record) for record in selection.pick(page.records)]
        if options.send_initial_events and options.allow_watch_bookmarks:
            first.append(_bookmark(req.kind, since, _INITIAL_EVENTS_END))
    try:
        channel: Channel = store.watch(prefix, since=since, index=selection.index)
    except Compacted as e:
        channel = _Late(e)
    return Watch(req.kind, channel, None if selection.empty else selection, first, options)


class Watch:
    """Batches of events in revision order.

    Watchers that select the same and stand at the same position are handed the very same batch of the very same
    Event objects, so that encoded forms may be cached by either.
    """

    def __init__(
        self, kind: Kind, channel: Channel, selection: Selection | None, first: Sequence[Event], options: ListOptions
    ) -> None:
        self._kind = kind
        self._channel = channel
        self._selection = selection
        self._first = first
        self._bookmarks = options.allow_watch_bookmarks
        self.timeout_seconds = options.timeout_seconds
        """After how long the reader should end the watch (None: as it likes)."""
        self.background: Callable[[], Coroutine[Any, Any, None]] | None = getattr(channel, "run", None)
        """What must run beside a reader that does not wait (`take_nowait`), if anything must."""

    async def next_batch(self) -> Sequence[Event]:
        """Wait for events and take what is ready, never empty: first the initial ones with the bookmark that ends
        them, if asked for. Raises `kcore.api.errors.Expired`, to be written as an ERROR event, once the watcher fell
        behind the history; anyio.ClosedResourceError after `close`."""
        if self._first:
            return self._take_first()
        while True:
            try:
                batch = await self._channel.next_batch()
            except Compacted as e:
                raise _expired(e) from None
            if self._selection is None:
                return batch
            selected = self._selection.filter(batch)
            if selected:
                return selected

    def take_nowait(self) -> Sequence[Event]:
        """What is ready now, perhaps nothing. Raises as `next_batch`."""
        if self._first:
            return self._take_first()
        try:
            batch = self._channel.take_nowait()
        except Compacted as e:
            raise _expired(e) from None
        return batch if self._selection is None or not batch else self._selection.filter(batch)

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Call `wake` (once per loop turn at most) when events become ready: for readers that run no task.

        The first `take_nowait` should not wait for it: initial events are ready at once."""
        self._channel.on_ready(wake)

    def bookmark(self) -> Event | None:
        """A BOOKMARK event saying how far the watch has come, for the reader to send about once a minute and before
        its timeout; None where the client did not ask for bookmarks."""
        return _bookmark(self._kind, self._channel.revision) if self._bookmarks and not self._first else None

    def close(self) -> None:
        self._channel.close()

    def _take_first(self) -> Sequence[Event]:
        first, self._first = self._first, ()
        return first


def _bookmark(kind: Kind, revision: int, annotations: dict[str, str] | None = None) -> Event:
    metadata = ObjectMeta(resource_version=str(revision), annotations=annotations or {})
    version = kind.api_version if kind.definition is not None else ""
    obj = kind.type(api_version=version, metadata=metadata)
    return Event(EventType.BOOKMARK, Record("", revision, obj, encode_object(obj)))


def _expired(e: Compacted) -> Expired:
    return Expired(f"too old resource version: {e.revision} ({e.oldest})")


class _Late:
    """The channel of a watch that came too late."""

    def __init__(self, why: Compacted) -> None:
        self._why = why
        self.revision = why.revision

    async def next_batch(self) -> Sequence[Event]:
        raise self._why

    def take_nowait(self) -> Sequence[Event]:
        raise self._why

    def on_ready(self, wake: Callable[[], None]) -> None:
        wake()

    def on_published(self, note: Callable[[], None]) -> None:
        note()

    def close(self) -> None:
        pass
