"""Events of events.k8s.io/v1 and of core/v1 are one and the same."""

from __future__ import annotations

from typing import Any

import pytest

from kcore.api.errors import AlreadyExists, Conflict
from tests.registry.conftest import Api, seen

CORE = "events"
VIEW = "events.events.k8s.io"


def event(name: str = "e") -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "involvedObject": {"kind": "Pod", "namespace": "ns", "name": "p"},
        "reason": "Made",
        "message": "it was made",
        "type": "Normal",
    }


async def test_an_event_is_seen_through_both_kinds(api: Api) -> None:
    made = await api.create(CORE, event())
    shown = api.get(VIEW, "e")
    assert shown["metadata"] == made["metadata"]
    assert shown["regarding"] == made["involvedObject"]
    assert shown["note"] == "it was made"
    assert api.names(VIEW) == ["e"]
    assert api.list(VIEW, limit=1).remaining_item_count is None


async def test_one_name_is_taken_in_both(api: Api) -> None:
    await api.create(CORE, event())
    again = {
        "metadata": {"name": "e"},
        "eventTime": "2023-11-14T22:13:20.000000Z",
        "reportingController": "example.com/c",
        "reportingInstance": "i",
        "action": "Make",
        "reason": "Made",
        "type": "Normal",
        "regarding": {"kind": "Pod", "namespace": "ns", "name": "p"},
    }
    with pytest.raises(AlreadyExists):
        await api.create(VIEW, again)
    again["metadata"] = {"name": "other"}
    await api.create(VIEW, again)
    assert api.get(CORE, "other")["reportingComponent"] == "example.com/c"


async def test_a_change_through_one_is_watched_through_the_other(api: Api) -> None:
    version = str(api.store.revision)
    watches = [api.watch(kind, resource_version=version) for kind in (CORE, VIEW)]
    named = api.watch(VIEW, resource_version=version, field_selector="metadata.name=e")
    await api.create(CORE, event())
    await api.patch(VIEW, "e", {"metadata": {"labels": {"a": "b"}}})
    await api.delete(VIEW, "e")
    expected = [("ADDED", "e"), ("MODIFIED", "e"), ("DELETED", "e")]
    assert [seen(watch) for watch in (*watches, named)] == [expected] * 3


async def test_versions_hold_across_views(api: Api) -> None:
    made = await api.create(CORE, event())
    await api.patch(CORE, "e", {"metadata": {"labels": {"a": "b"}}})
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"], "labels": {"a": "c"}}}
    with pytest.raises(Conflict):
        await api.patch(VIEW, "e", stale)
