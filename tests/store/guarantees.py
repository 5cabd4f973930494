"""The promises of a watch, each with the name etcd gives it, checked on a recorded history.

A history is what the writers were answered, in revision order (`written`), and what one watch saw (`Seen`). Nothing
here knows where they come from: a store, a simulated cluster, or a watch over HTTP. Each checker raises
AssertionError and says what was broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from kcore.store.store import Event, EventType

__all__ = [
    "CHECKERS",
    "Bookmark",
    "Change",
    "Seen",
    "check_all",
    "check_atomic",
    "check_bookmarkable",
    "check_ordered",
    "check_reliable",
    "check_resumable",
    "check_unique",
]


class Change(NamedTuple):
    """One change of one object. `state`: what it was after it, in any form that compares (bytes, a JSON tree)."""

    revision: int
    key: str
    type: EventType
    state: Any

    @classmethod
    def of(cls, event: Event) -> Change:
        return cls(event.revision, event.record.key, event.type, event.record.data)


class Bookmark(NamedTuple):
    """The watch claimed to have handed out everything up to this revision."""

    revision: int


@dataclass
class Seen:
    """What one watch was given, batch by batch, with the bookmarks in between.

    `wants` tells which changes the watch was to be shown. `resumed` has, for each time the watch was broken and begun
    again, the index into `batches` of what came next and the revision it was resumed from.
    """

    since: int
    wants: Callable[[Change], bool] = lambda change: True
    batches: list[Sequence[Change] | Bookmark] = field(default_factory=list)
    resumed: list[tuple[int, int]] = field(default_factory=list)

    def resume(self, since: int) -> None:
        self.resumed.append((len(self.batches), since))

    def changes(self) -> list[Change]:
        return [change for batch in self.batches if not isinstance(batch, Bookmark) for change in batch]


def check_ordered(written: Sequence[Change], seen: Seen) -> None:
    """Revisions never go back."""
    for before, after in pairwise(seen.changes()):
        assert before.revision <= after.revision, f"{after} came after {before}"


def check_unique(written: Sequence[Change], seen: Seen) -> None:
    """No change is shown twice."""
    shown: set[tuple[int, str]] = set()
    for change in seen.changes():
        assert (change.revision, change.key) not in shown, f"{change} was shown twice"
        shown.add((change.revision, change.key))


def check_atomic(written: Sequence[Change], seen: Seen) -> None:
    """The changes of one commit arrive together: no batch ends in the middle of a revision."""
    last = -1
    for batch in seen.batches:
        if not isinstance(batch, Bookmark) and batch:
            assert batch[0].revision > last, f"revision {last} was split over two batches"
            last = batch[-1].revision


def check_reliable(written: Sequence[Change], seen: Seen) -> None:
    """Between the start and the last thing heard no wanted change is missing, altered or invented."""
    heard = _heard(seen)
    expected = {(c.revision, c.key): c for c in written if seen.since < c.revision <= heard and seen.wants(c)}
    shown = {(change.revision, change.key): change for change in seen.changes()}
    missing = [change for place, change in expected.items() if place not in shown]
    assert not missing, f"never shown: {missing[:3]}"
    invented = [change for place, change in shown.items() if expected.get(place) != change]
    assert not invented, f"shown but never written so: {invented[:3]}"


def check_resumable(written: Sequence[Change], seen: Seen) -> None:
    """A watch resumed from a revision starts with the first wanted change after it."""
    for index, since in seen.resumed:
        first = next((b[0] for b in seen.batches[index:] if not isinstance(b, Bookmark) and b), None)
        expected = next((c for c in written if c.revision > since and seen.wants(c)), None)
        if first is not None:
            assert first == expected, f"resumed at {since} with {first}, not {expected}"


def check_bookmarkable(written: Sequence[Change], seen: Seen) -> None:
    """Nothing at or below a bookmark's revision comes after it, and bookmarks never go back."""
    promised = seen.since
    for batch in seen.batches:
        if isinstance(batch, Bookmark):
            assert batch.revision >= promised, f"bookmark {batch.revision} after {promised}"
            promised = batch.revision
            continue
        for change in batch:
            assert change.revision > promised, f"{change} came after a bookmark of {promised}"


CHECKERS = (check_ordered, check_unique, check_atomic, check_reliable, check_resumable, check_bookmarkable)


def check_all(written: Iterable[Change], seen: Seen) -> None:
    history = list(written)
    for check in CHECKERS:
        check(history, seen)


def _heard(seen: Seen) -> int:
    """The newest revision that the watch has spoken of."""
    heard = seen.since
    for batch in seen.batches:
        if isinstance(batch, Bookmark):
            heard = max(heard, batch.revision)
        elif batch:
            heard = max(heard, batch[-1].revision)
    return heard
