"""Mirrors: rules at hand, and whether they have changed."""

from __future__ import annotations

import pytest

from kcore.registry.mirror import Mirror
from kcore.store.embedded import EmbeddedStore
from kcore.store.history import Window
from kcore.store.log import MemoryLog
from tests.store.objects import TreeCodec, delete, put


@pytest.fixture
def store() -> EmbeddedStore:
    return EmbeddedStore(TreeCodec(), MemoryLog(), history=Window(events=4))


@pytest.fixture
async def mirror(store: EmbeddedStore) -> Mirror:
    await store.commit(put("rules/a"))
    mirror = Mirror(store, "rules/")
    assert mirror.follow()
    return mirror


async def test_mirror_is_stale_from_the_commit_on_that_changes_it(store: EmbeddedStore, mirror: Mirror) -> None:
    stale = []
    for key in ("pods/a/x", "rules/b"):
        await store.commit(put(key))
        stale.append(mirror.stale)
    assert stale == [False, True]
    assert mirror.follow()
    assert set(mirror.records) == {"rules/a", "rules/b"}
    assert not mirror.follow()


async def test_mirror_forgets_what_was_deleted(store: EmbeddedStore, mirror: Mirror) -> None:
    await store.commit(delete("rules/a"))
    assert mirror.follow()
    assert not mirror.records


async def test_mirror_that_fell_off_the_history_begins_anew(store: EmbeddedStore, mirror: Mirror) -> None:
    for number in range(20):
        await store.commit(put("rules/b", number=number))
    await store.commit(delete("rules/a"))
    assert mirror.follow()
    assert set(mirror.records) == {"rules/b"}
    await store.commit(put("rules/c"))
    assert mirror.stale
