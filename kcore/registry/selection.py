"""Which objects of a kind a list or watch is about: label and field selectors, compiled once for each text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from kcore.api.errors import BadRequest
from kcore.api.field import quote
from kcore.api.object import encode_object
from kcore.api.selectors import EVERYTHING, Selector, SelectorError, parse_field_selector, parse_label_selector
from kcore.registry.strategy import Strategy
from kcore.store.store import Event, EventType, Record

__all__ = ["Selection", "select"]

_COMMON: dict[str, Callable[[Any], str]] = {
    "metadata.name": lambda obj: obj.metadata.name,
    "metadata.namespace": lambda obj: obj.metadata.namespace,
}

Term = tuple[Callable[[Any], str], str, bool]


class Selection:
    """What a pair of selectors selects. Shared by all requests that say the same.

    `name` and `namespace` are the only ones that can match, where the selectors say so; `index` narrows a watch.
    """

    __slots__ = ("_filtered", "_labels", "_last", "_terms", "empty", "index", "name", "namespace")

    def __init__(self, strategy: Strategy, labels: Selector, terms: Sequence[tuple[str, str, bool]]) -> None:
        readers = {**_COMMON, **strategy.selectable}
        self._labels = None if labels is EVERYTHING or labels.empty else labels
        self._terms: tuple[Term, ...] = tuple((readers[name], value, equal) for name, value, equal in terms)
        self._last: Sequence[Event] = ()
        self._filtered: Sequence[Event] = ()
        self.empty = not self._terms and self._labels is None
        exact = {name: value for name, value, equal in terms if equal}
        self.name = exact.get("metadata.name")
        self.namespace = exact.get("metadata.namespace")
        indexed = ("metadata.name", *strategy.indexed)
        self.index = next(((name, exact[name]) for name in indexed if name in exact), None)

    def matches(self, obj: Any) -> bool:
        labels = self._labels
        if labels is not None and not labels.matches(obj.metadata.labels):
            return False
        for read, value, equal in self._terms:  # noqa: SIM110  # a generator would double the price
            if (read(obj) == value) is not equal:
                return False
        return True

    def pick(self, records: Sequence[Record]) -> Sequence[Record]:
        if self.empty:
            return records
        matches = self.matches
        return [record for record in records if matches(record.obj)]

    def filter(self, batch: Sequence[Event]) -> Sequence[Event]:
        """The events as they look from here: an object that comes to match is ADDED, one that ceases to is DELETED.

        Watchers at one position get the same batch from the store, so the last answer often serves again.
        """
        if batch is not self._last:
            self._filtered = tuple(seen for event in batch if (seen := self._see(event)) is not None)
            self._last = batch
        return self._filtered

    def _see(self, event: Event) -> Event | None:
        previous = event.previous
        before = previous is not None and self.matches(previous.obj)
        if event.type is EventType.DELETED:
            return event if before else None
        if self.matches(event.record.obj):
            if before or event.type is EventType.ADDED:
                return event
            return Event(EventType.ADDED, event.record, previous)
        return _left(event, previous) if before and previous is not None else None


def _left(event: Event, previous: Record) -> Event:
    """The object as it last matched, at the revision at which it ceased to."""
    obj = previous.obj
    metadata = msgspec.structs.replace(obj.metadata, resource_version=str(event.revision))
    obj = msgspec.structs.replace(obj, metadata=metadata)
    return Event(EventType.DELETED, Record(previous.key, event.revision, obj, encode_object(obj)), previous)


@lru_cache(maxsize=2048)
def select(strategy: Strategy, label_selector: str, field_selector: str) -> Selection:
    """Parse and check both selectors. Raises BadRequest."""
    try:
        labels = parse_label_selector(label_selector)
        fields = parse_field_selector(field_selector)
    except SelectorError as e:
        raise BadRequest(str(e)) from None
    for requirement in fields.requirements:
        _check_field(strategy, requirement.field)
    return Selection(strategy, labels, fields.requirements)


def _check_field(strategy: Strategy, name: str) -> None:
    known = strategy.selectable
    if name in known or name == "metadata.name":
        return
    if name == "metadata.namespace" and (strategy.kind.namespaced or not known):
        return
    if known or strategy.kind.definition is not None:
        raise BadRequest(f"field label not supported: {name}")
    raise BadRequest(f'{quote(name)} is not a known field selector: only "metadata.name", "metadata.namespace"')
