"""Whatever happens, who lists with a selector and then watches with it knows what a new list would tell."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcore.registry.request import ListPage
from kcore.registry.watching import Watch
from kcore.store.store import EventType
from tests.registry.conftest import Api, HandClock, new_api

NAMES = st.sampled_from(["a", "b", "c"])
LABELS = st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["1", "2"]))
STEPS = st.lists(st.tuples(NAMES, st.one_of(st.none(), LABELS)), min_size=1, max_size=12)
SELECTORS = ("x=1", "x!=1", "x,y", "!x", "x in (1,2),y notin (2)")


async def step(api: Api, name: str, labels: dict[str, str] | None) -> None:
    """Give an object its labels, or delete it."""
    document = {"metadata": {"name": name, "labels": labels or {}}}
    if labels is not None and api.exists("configmaps", name):
        await api.update("configmaps", document)
    elif labels is not None:
        await api.create("configmaps", document)
    elif api.exists("configmaps", name):
        await api.delete("configmaps", name)


def known(page: ListPage) -> dict[str, int]:
    return {record.obj.metadata.name: record.revision for record in page.records}


def follow(state: dict[str, int], watch: Watch) -> None:
    """Apply what a watch has ready, checking that each event makes sense where it comes."""
    last = 0
    for event in watch.take_nowait():
        name = event.record.obj.metadata.name
        assert event.revision > last
        last = event.revision
        if event.type is EventType.DELETED:
            del state[name]
        else:
            assert (name in state) is (event.type is EventType.MODIFIED)
            state[name] = event.revision


@settings(max_examples=60, deadline=None)
@given(before=STEPS, after=STEPS)
@pytest.mark.parametrize("selector", SELECTORS)
def test_selected_watch_keeps_a_list_current(
    selector: str, before: list[tuple[str, Any]], after: list[tuple[str, Any]]
) -> None:
    async def program() -> None:
        api = await new_api(HandClock())
        for name, labels in before:
            await step(api, name, labels)
        page = api.list("configmaps", label_selector=selector)
        state = known(page)
        watch = api.watch("configmaps", label_selector=selector, resource_version=page.resource_version)
        half = len(after) // 2
        for steps in (after[:half], after[half:]):
            for name, labels in steps:
                await step(api, name, labels)
            follow(state, watch)
        assert state == known(api.list("configmaps", label_selector=selector))

    asyncio.run(program())
