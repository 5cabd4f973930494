"""The checkers themselves: a sound history passes all, and each broken promise is noticed by the one that names it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from kcore.store.store import EventType
from tests.store.guarantees import (
    CHECKERS,
    Bookmark,
    Change,
    Seen,
    check_all,
    check_atomic,
    check_bookmarkable,
    check_ordered,
    check_reliable,
    check_resumable,
    check_unique,
)

A = Change(2, "pods/a", EventType.ADDED, "a2")
B = Change(3, "pods/b", EventType.ADDED, "b3")
C = Change(3, "pods/c", EventType.ADDED, "c3")
D = Change(4, "pods/a", EventType.DELETED, "a4")
WRITTEN = [A, B, C, D]


def test_sound_history_passes_every_checker() -> None:
    seen = Seen(1, batches=[[A], Bookmark(2), [B, C], [D], Bookmark(4)], resumed=[(2, 2)])
    check_all(WRITTEN, seen)


def test_unheard_end_is_no_loss() -> None:
    check_all(WRITTEN, Seen(1, batches=[[A]]))


def test_changes_not_wanted_are_no_loss() -> None:
    check_all(WRITTEN, Seen(1, wants=lambda change: change.key == "pods/a", batches=[[A], [D]]))


@pytest.mark.parametrize(
    ("checker", "seen"),
    [
        (check_ordered, Seen(1, batches=[[B, C, A]])),
        (check_unique, Seen(1, batches=[[A], [A]])),
        (check_atomic, Seen(1, batches=[[A, B], [C]])),
        (check_reliable, Seen(1, batches=[[A], [D]])),
        (check_reliable, Seen(1, batches=[[A], Bookmark(4)])),
        (check_reliable, Seen(1, batches=[[A._replace(state="other")]])),
        (check_reliable, Seen(1, batches=[[A, Change(2, "pods/x", EventType.ADDED, "x")]])),
        (check_resumable, Seen(1, batches=[[A], [D]], resumed=[(1, 2)])),
        (check_bookmarkable, Seen(1, batches=[Bookmark(3), [B, C]])),
        (check_bookmarkable, Seen(1, batches=[Bookmark(3), Bookmark(2)])),
    ],
)
def test_broken_promise_is_noticed(checker: Callable[[Sequence[Change], Seen], None], seen: Seen) -> None:
    assert checker in CHECKERS
    with pytest.raises(AssertionError):
        checker(WRITTEN, seen)
