"""What the store holds under a prefix, kept at hand: for rules that are objects and concern many requests."""

from __future__ import annotations

from collections.abc import Mapping

from kcore.store.store import Channel, Compacted, EventType, Record, Store

__all__ = ["Mirror"]


class Mirror:
    """Follows the store whenever it is asked. That nothing has happened meanwhile is one attribute's word: `stale`."""

    def __init__(self, store: Store, prefix: str) -> None:
        self.stale = True
        """Whether there is anything to follow: set in the very commit that changes something here."""
        self._store = store
        self._prefix = prefix
        self._records: dict[str, Record] = {}
        self._channel: Channel | None = None

    @property
    def records(self) -> Mapping[str, Record]:
        """By key, in no order; as of the last `follow`."""
        return self._records

    def follow(self) -> bool:
        """Catch up with the store; answers whether anything changed."""
        if not self.stale:
            return False
        self.stale = False
        if self._channel is None:
            self._begin()
            return True
        try:
            events = self._channel.take_nowait()
        except Compacted:
            self._channel.close()
            self._begin()
            return True
        for event in events:
            if event.type is EventType.DELETED:
                self._records.pop(event.record.key, None)
            else:
                self._records[event.record.key] = event.record
        return bool(events)

    def _begin(self) -> None:
        since = self._store.revision
        self._records = {record.key: record for record in self._store.range(self._prefix).records}
        self._channel = self._store.watch(self._prefix, since=since)
        self._channel.on_published(self._note)

    def _note(self) -> None:
        self.stale = True
