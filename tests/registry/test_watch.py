from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kcore.api.errors import BadRequest, Expired, Invalid, Timeout
from tests.registry.conftest import Api, seen


async def label(api: Api, name: str, value: str) -> None:
    await api.update("configmaps", {"metadata": {"name": name, "labels": {"w": value}}})


async def make(api: Api, name: str, value: str = "1") -> None:
    await api.create("configmaps", {"metadata": {"name": name, "labels": {"w": value}}})


@pytest.mark.parametrize("version", ["", "0"])
async def test_watch_without_a_version_starts_with_what_stands(api: Api, version: str) -> None:
    await make(api, "b")
    await make(api, "a")
    watch = api.watch("configmaps", resource_version=version)
    assert seen(watch) == [("ADDED", "a"), ("ADDED", "b")]
    await label(api, "a", "2")
    assert seen(watch) == [("MODIFIED", "a")]


async def test_watch_from_a_version_shows_what_followed(api: Api) -> None:
    await make(api, "a")
    version = str(api.store.revision)
    await label(api, "a", "2")
    await api.delete("configmaps", "a")
    assert seen(api.watch("configmaps", resource_version=version)) == [("MODIFIED", "a"), ("DELETED", "a")]


async def test_objects_enter_and_leave_a_selection(api: Api) -> None:
    start = str(api.store.revision)
    await make(api, "a")
    for value in ("1x", "1", "2", "3", "1"):
        await label(api, "a", value)
    await api.delete("configmaps", "a")
    watch = api.watch("configmaps", resource_version=start, label_selector="w=1")
    events = watch.take_nowait()
    assert [(e.type.value, e.record.obj.metadata.labels["w"]) for e in events] == [
        ("ADDED", "1"),
        ("DELETED", "1"),
        ("ADDED", "1"),
        ("DELETED", "1"),
        ("ADDED", "1"),
        ("DELETED", "1"),
    ]
    versions = [int(e.record.obj.metadata.resource_version) for e in events]
    assert versions == sorted(set(versions))


async def test_what_left_is_shown_as_it_last_matched(api: Api) -> None:
    await make(api, "a")
    watch = api.watch("configmaps", resource_version=str(api.store.revision), label_selector="w=1")
    await label(api, "a", "2")
    (event,) = watch.take_nowait()
    shown = msgspec.json.decode(event.record.data)
    assert shown["metadata"]["labels"] == {"w": "1"}
    assert shown["metadata"]["resourceVersion"] == str(api.store.revision)


async def test_watchers_of_one_selection_share_their_events(api: Api) -> None:
    version = str(api.store.revision)
    one, two = (api.watch("configmaps", resource_version=version, label_selector="w=1") for _ in range(2))
    await make(api, "a")
    assert one.take_nowait() is two.take_nowait()


async def test_watch_of_one_object(api: Api) -> None:
    version = str(api.store.revision)
    watch = api.watch("configmaps", resource_version=version, field_selector="metadata.name=b")
    await make(api, "a")
    await make(api, "b")
    assert seen(watch) == [("ADDED", "b")]


async def test_watch_is_confined_to_its_namespace(api: Api) -> None:
    await api.create("namespaces", {"metadata": {"name": "other"}})
    version = str(api.store.revision)
    watches = [
        api.watch("configmaps", "other", resource_version=version),
        api.watch("configmaps", "", resource_version=version, field_selector="metadata.namespace=other"),
        api.watch("configmaps", "", resource_version=version, field_selector="metadata.namespace!=ns"),
    ]
    await make(api, "a")
    await api.create("configmaps", {"metadata": {"name": "o"}}, api.request("create", "configmaps", namespace="other"))
    assert [seen(watch) for watch in watches] == [[("ADDED", "o")]] * 3


async def test_initial_events_end_with_a_bookmark(api: Api) -> None:
    await make(api, "a")
    watch = api.watch(
        "configmaps", send_initial_events=True, resource_version_match="NotOlderThan", allow_watch_bookmarks=True
    )
    events = await watch.next_batch()
    assert [e.type.value for e in events] == ["ADDED", "BOOKMARK"]
    assert msgspec.json.decode(events[1].record.data)["metadata"] == {
        "resourceVersion": str(api.store.revision),
        "annotations": {"k8s.io/initial-events-end": "true"},
    }


async def test_initial_events_may_be_declined(api: Api) -> None:
    await make(api, "a")
    watch = api.watch("configmaps", send_initial_events=False, resource_version_match="NotOlderThan")
    assert seen(watch) == []
    await make(api, "b")
    assert seen(watch) == [("ADDED", "b")]


async def test_bookmarks_tell_how_far_the_watch_has_come(api: Api) -> None:
    watch = api.watch("configmaps", resource_version=str(api.store.revision), allow_watch_bookmarks=True)
    await make(api, "a")
    assert seen(watch) == [("ADDED", "a")]
    bookmark = watch.bookmark()
    assert bookmark is not None
    assert bookmark.record.obj.metadata.resource_version == str(api.store.revision)
    assert api.watch("configmaps").bookmark() is None


async def test_watch_from_beyond_the_history_ends_in_expired(forgetful: Api) -> None:
    for i in range(3):
        await make(forgetful, f"c{i}")
    watch = forgetful.watch("configmaps", resource_version="1")
    with pytest.raises(Expired, match=r"too old resource version: 1 \(\d+\)"):
        await watch.next_batch()


async def test_watch_that_waits_for_the_future_fails(api: Api) -> None:
    with pytest.raises(Timeout, match="Too large resource version"):
        api.watch(
            "configmaps", send_initial_events=True, resource_version_match="NotOlderThan", resource_version="99999"
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"send_initial_events": True},
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
        (
            {"resource_version": "1", "resource_version_match": "Exact"},
            "[resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is "
            'provided, resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"]',
        ),
    ],
)
async def test_contradictory_options(api: Api, options: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid) as refusal:
        api.watch("configmaps", **options)
    assert refusal.value.message == f'ListOptions.meta.k8s.io "" is invalid: {message}'


async def test_bad_versions_and_selectors(api: Api) -> None:
    for options in ({"resource_version": "abc"}, {"label_selector": "a in ("}, {"field_selector": "data=1"}):
        with pytest.raises(BadRequest):
            api.watch("configmaps", **options)
