"""Watches over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

from kcore.api.core_v1 import ConfigMap
from kcore.api.meta_v1 import ObjectMeta
from kcore.registry.request import Request
from kcore.server import stream
from kcore.store.history import Window
from kcore.store.store import EventType
from tests.server.serving import ADMIN, CONFIGMAPS, Door, configmap, serving
from tests.store.guarantees import (
    Change,
    Seen,
    check_ordered,
    check_reliable,
    check_resumable,
    check_unique,
)

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


async def take(events: AsyncIterator[Any], count: int) -> list[Any]:
    return [await anext(events) for _ in range(count)]


def change(event: Any) -> Change:
    metadata = event["object"]["metadata"]
    return Change(int(metadata["resourceVersion"]), metadata["name"], EventType[event["type"]], event["object"])


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    with anyio.fail_after(5):
        while not condition():  # noqa: ASYNC110  # what is waited for has no event of its own
            await asyncio.sleep(0)


async def make_history(door: Door) -> list[Change]:
    """Creates, updates and deletes, all answered: what every watch must show."""
    written = []
    for i in range(20):
        created = await door.create(f"c{i}")
        written.append(change({"type": "ADDED", "object": created}))
        if i % 2:
            document = configmap(f"c{i}") | {"data": {"i": str(i)}}
            updated = await door.ask("PUT", f"{CONFIGMAPS}/c{i}", document)
            written.append(change({"type": "MODIFIED", "object": updated.json}))
    return written


@pytest.mark.parametrize("broken_after", [None, 7])
async def test_watch_keeps_its_promises(broken_after: int | None) -> None:
    async with serving() as door:
        since = (await door.ask("GET", CONFIGMAPS)).json["metadata"]["resourceVersion"]
        seen = Seen(int(since))
        written = await make_history(door)
        if broken_after is not None:
            async with door.watching(f"{CONFIGMAPS}?watch=true&resourceVersion={since}") as events:
                seen.batches += [[change(event)] for event in await take(events, broken_after)]
            seen.resume(seen.changes()[-1].revision)
            since = str(seen.changes()[-1].revision)
        async with door.watching(f"{CONFIGMAPS}?watch=true&resourceVersion={since}") as events:
            seen.batches += [[change(event)] for event in await take(events, len(written) - len(seen.changes()))]
        for check in (check_ordered, check_unique, check_reliable, check_resumable):
            check(written, seen)


async def test_watch_ends_with_its_timeout() -> None:
    async with serving() as door:
        path = f"{CONFIGMAPS}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true"
        async with door.watching(path) as events, asyncio.timeout(5):
            kinds = [event["type"] async for event in events]
        assert kinds == ["BOOKMARK"]


async def test_too_old_watch_is_told_so_in_the_stream() -> None:
    async with serving(history=Window(events=2)) as door:
        since = (await door.create("first"))["metadata"]["resourceVersion"]
        for i in range(10):
            await door.create(f"c{i}")
        path = f"{CONFIGMAPS}?watch=true&resourceVersion={since}"
        async with door.watching(path) as events, asyncio.timeout(5):
            told = [event async for event in events]
        assert [event["type"] for event in told] == ["ERROR"]
        assert (told[0]["object"]["code"], told[0]["object"]["reason"]) == (410, "Expired")


async def test_legacy_watch_path_of_one_object() -> None:
    async with serving() as door:
        await door.create("a")
        await door.create("b")
        path = CONFIGMAPS.replace("/v1/", "/v1/watch/")
        async with door.watching(f"{path}/b?resourceVersion=0&timeoutSeconds=1") as events:
            assert [event["object"]["metadata"]["name"] async for event in events] == ["b"]


async def test_only_the_first_table_of_a_watch_tells_the_columns() -> None:
    async with serving() as door:
        await door.create("a")
        await door.create("b")
        async with door.watching(f"{CONFIGMAPS}?watch=true&resourceVersion=0", Accept=TABLE) as events:
            first, second = await take(events, 2)
        assert first["object"]["columnDefinitions"]
        assert second["object"]["columnDefinitions"] is None
        assert second["object"]["rows"][0]["cells"][0] == "b"


async def test_watch_in_yaml_is_not_acceptable() -> None:
    async with serving() as door:
        answer = await door.ask("GET", f"{CONFIGMAPS}?watch=true", Accept="application/yaml")
        assert answer.code == 406
        assert "application/json;stream=watch" in answer.body.decode()


async def test_stopping_server_ends_watches_in_good_order() -> None:
    async with serving() as door:
        ended = anyio.Event()

        async def follow() -> None:
            async with door.watching(f"{CONFIGMAPS}?watch=true") as events:
                assert [event async for event in events] == []
            ended.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await until(lambda: bool(door.server.streams))
            door.server.end_streams()
            with anyio.fail_after(5):
                await ended.wait()


async def test_client_that_goes_leaves_nothing_behind() -> None:
    async with serving() as door:
        async with door.watching(f"{CONFIGMAPS}?watch=true"):
            assert len(door.server.streams) == 1
        await until(lambda: not door.server.streams)


async def test_slow_reader_misses_nothing_and_holds_up_nobody() -> None:
    async with serving() as door:
        kind = door.registry.scheme.of(ConfigMap)
        bulk = {"x": "y" * 20_000}
        path = f"{CONFIGMAPS}?watch=true&resourceVersion={door.registry.store.revision}"
        async with door.watching(path) as slow, door.watching(path) as quick:
            for i in range(400):
                request = Request("create", kind, "default", "", ADMIN)
                await door.registry.create(request, ConfigMap(metadata=ObjectMeta(name=f"b{i}"), data=bulk))
                if i % 10 == 9:
                    await take(quick, 10)
            names = [event["object"]["metadata"]["name"] for event in await take(slow, 400)]
        assert names == [f"b{i}" for i in range(400)]


def test_encoded_lines_are_shared_by_all_watchers() -> None:
    encoded = []

    def line(event: Any) -> bytes:
        encoded.append(event)
        return b"line\n"

    lines = stream.cached_lines(line)
    batch: list[Any] = [object(), object()]
    assert lines.chunk(batch) == lines.chunk(batch) == b"line\nline\n"
    assert lines.chunk(batch[:1]) == b"line\n"
    assert len(encoded) == 2
