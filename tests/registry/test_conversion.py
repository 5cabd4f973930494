"""Versions that a webhook converts: what it is asked, what is believed of its answers, and how reads wait for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

from kcore.api.errors import ApiError
from kcore.api.kind import Kind
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta
from kcore.api.object import CustomResource
from kcore.api.scheme import Scheme
from kcore.client.client import Listed, WatchEvent
from kcore.client.local import LocalClient
from kcore.kit.clock import Chance
from kcore.registry.codec import StoreCodec
from kcore.registry.converting import converted
from kcore.registry.request import ListOptions, PatchType
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.registry.watching import Watch
from kcore.registry.webhook_client import CallFailed, Target
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog
from tests.registry.conftest import Api, HandClock, tree
from tests.registry.widgets import asking, define, turn, version, widget

STRING = {"type": "string"}
WHOLE = {"type": "object", "properties": {"full": STRING}}
SPLIT = {"type": "object", "properties": {"first": STRING, "last": STRING}}
WEBHOOK: Any = {
    "strategy": "Webhook",
    "webhook": {"clientConfig": {"url": "https://hook.example/convert"}, "conversionReviewVersions": ["v1"]},
}


def split_or_join(obj: Any, wanted: str) -> Any:
    """v1 has a full name, v2 has its halves."""
    spec = obj["spec"]
    if wanted.endswith("/v2"):
        first, _, last = spec["full"].partition(" ")
        return {**obj, "apiVersion": wanted, "spec": {"first": first, "last": last}}
    return {**obj, "apiVersion": wanted, "spec": {"full": f"{spec['first']} {spec['last']}"}}


Batches = AbstractAsyncContextManager[AsyncIterator[Sequence[WatchEvent[CustomResource]]]]


class Converter:
    """The webhook. `spoil` changes its answers."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.spoil: Callable[[Any], Any] = lambda review: review

    async def call(self, target: Target, document: bytes, *, seconds: float) -> bytes:
        assert target.url == "https://hook.example/convert"
        review = json.loads(document)
        request = review["request"]
        self.requests.append(request)
        await anyio.lowlevel.checkpoint()
        objects = [split_or_join(obj, request["desiredAPIVersion"]) for obj in request["objects"]]
        response = {"uid": request["uid"], "convertedObjects": objects, "result": {"status": "Success"}}
        answer = self.spoil({"kind": "ConversionReview", "apiVersion": review["apiVersion"], "response": response})
        return json.dumps(answer).encode()

    @property
    def batches(self) -> list[tuple[str, int]]:
        return [(request["desiredAPIVersion"], len(request["objects"])) for request in self.requests]


class Converted(Api):
    """Widgets of two versions, the first stored."""

    converter: Converter
    v1: Kind
    v2: Kind

    async def read(self, kind: Kind, name: str = "w") -> Any:
        return tree(await converted(lambda: self.registry.get(asking("get", kind, name))))

    async def page(self, kind: Kind, **options: Any) -> list[Any]:
        page = await converted(lambda: self.registry.list(asking("list", kind, ""), ListOptions(**options)))
        return [tree(record) for record in page.records]

    async def watching(self, kind: Kind, **options: Any) -> Watch:
        return await converted(lambda: self.registry.watch(asking("watch", kind, ""), ListOptions(**options)))

    async def make(self, kind: Kind, name: str = "w", **spec: Any) -> Any:
        return tree(await self.registry.create(asking("create", kind, name), widget(name, **spec)))


@pytest.fixture
async def api(clock: HandClock) -> Converted:
    scheme, converter = Scheme(), Converter()
    store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog())
    api = Converted(Registry(store, scheme, STRATEGIES, clock, Chance(7), webhooks=converter), clock)
    await api.create("namespaces", {"metadata": {"name": "ns"}})
    versions = version("v1", WHOLE, selectableFields=[]), version("v2", SPLIT, selectableFields=[])
    api.converter = converter
    api.v1 = await define(api, *versions, conversion=WEBHOOK)
    v2 = scheme.find("example.com", "v2", "widgets")
    assert v2 is not None
    api.v2 = v2
    return api


async def test_each_version_sees_its_own_form(api: Converted) -> None:
    made = await api.make(api.v2, first="Ada", last="Lovelace")
    assert (made["apiVersion"], made["spec"]) == ("example.com/v2", {"first": "Ada", "last": "Lovelace"})
    assert (await api.read(api.v1))["spec"] == {"full": "Ada Lovelace"}
    assert (await api.read(api.v2))["spec"] == {"first": "Ada", "last": "Lovelace"}


async def test_webhook_is_asked_in_upstreams_form(api: Converted) -> None:
    made = await api.make(api.v1, full="Ada Lovelace")
    await api.read(api.v2)
    (request,) = api.converter.requests
    assert request["desiredAPIVersion"] == "example.com/v2"
    assert request["objects"] == [{"kind": "Widget", **made}]


async def test_stored_version_needs_no_webhook(api: Converted) -> None:
    await api.make(api.v1, full="Ada Lovelace")
    assert (await api.page(api.v1))[0]["spec"] == {"full": "Ada Lovelace"}
    assert api.converter.requests == []


async def test_lists_are_converted_together_and_remembered(api: Converted) -> None:
    for i in range(5):
        await api.make(api.v1, f"w{i}", full=f"Ada {i}")
    assert [obj["spec"]["last"] for obj in await api.page(api.v2)] == ["0", "1", "2", "3", "4"]
    assert api.converter.batches == [("example.com/v2", 5)]
    await api.page(api.v2)
    assert len(api.converter.requests) == 1
    await api.make(api.v1, "w5", full="Ada 5")
    assert len(await api.page(api.v2)) == 6
    assert api.converter.batches[1:] == [("example.com/v2", 1)]


async def test_large_lists_are_asked_in_parts(api: Converted) -> None:
    for i in range(501):
        await api.make(api.v1, f"w{i}", full=f"Ada {i}")
    assert len(await api.page(api.v2)) == 501
    assert [count for _, count in api.converter.batches] == [500, 1]


async def test_a_list_is_of_one_moment_whatever_is_written_meanwhile(api: Converted) -> None:
    await api.make(api.v1, "a", full="Ada A")
    writes = 0

    async def call(target: Target, document: bytes, *, seconds: float) -> bytes:
        nonlocal writes
        writes += 1
        await api.make(api.v1, f"x{writes}", full="Ada X")
        return await Converter.call(api.converter, target, document, seconds=seconds)

    api.converter.call = call  # type: ignore[method-assign]
    assert [obj["metadata"]["name"] for obj in await api.page(api.v2)] == ["a"]
    assert writes == 1


async def test_field_and_label_selectors_see_the_converted_form(api: Converted) -> None:
    await api.make(api.v1, full="Ada Lovelace")
    assert await api.page(api.v2, label_selector="a=b") == []
    assert len(await api.page(api.v2, field_selector="metadata.name=w", limit=1)) == 1


async def test_updates_and_patches_change_what_is_stored(api: Converted) -> None:
    await api.make(api.v1, full="Ada Lovelace")
    patch = msgspec.json.encode({"spec": {"last": "Byron"}})
    patched = tree(await api.registry.patch(asking("patch", api.v2), PatchType.MERGE, patch))
    assert (patched["spec"], patched["metadata"]["generation"]) == ({"first": "Ada", "last": "Byron"}, 2)
    new = CustomResource(
        metadata=ObjectMeta(name="w", resource_version=patched["metadata"]["resourceVersion"]),
        content={"spec": {"first": "Augusta", "last": "Byron"}},
    )
    await api.registry.update(asking("update", api.v2), new)
    assert (await api.read(api.v1))["spec"] == {"full": "Augusta Byron"}


async def test_nothing_is_written_where_nothing_changed(api: Converted) -> None:
    made = await api.make(api.v1, full="Ada Lovelace")
    patch = msgspec.json.encode({"spec": {"last": "Lovelace"}})
    patched = tree(await api.registry.patch(asking("patch", api.v2), PatchType.MERGE, patch))
    assert patched["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_applies_work_in_every_version(api: Converted) -> None:
    await api.make(api.v1, full="Ada Lovelace")
    body = {"apiVersion": "example.com/v2", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"last": "Byron"}}
    request = asking("patch", api.v2, field_manager="alpha", force=True)
    await api.registry.patch(request, PatchType.APPLY, msgspec.json.encode(body))
    assert (await api.read(api.v1))["spec"] == {"full": "Ada Byron"}


async def test_deletion_shows_the_object_in_the_version_asked(api: Converted) -> None:
    await api.make(api.v1, full="Ada Lovelace")
    watch = await api.watching(api.v2, resource_version=str(api.store.revision))
    await api.registry.delete(asking("delete", api.v2), DeleteOptions())
    (event,) = await watch.next_batch()
    assert (event.type.value, tree(event.record)["spec"]["first"]) == ("DELETED", "Ada")


async def test_collections_are_deleted_in_any_version(api: Converted) -> None:
    for i in range(3):
        await api.make(api.v1, f"w{i}", full=f"Ada {i}")
    page = await api.registry.delete_collection(asking("deletecollection", api.v2, ""), DeleteOptions(), ListOptions())
    assert [tree(record)["spec"]["last"] for record in page.records] == ["0", "1", "2"]
    assert await api.page(api.v1) == []


async def test_watches_see_every_version_in_order(api: Converted) -> None:
    await api.make(api.v1, "a", full="Ada A")
    watch = await api.watching(api.v2, resource_version="0")
    await api.make(api.v1, "b", full="Ada B")
    await api.make(api.v2, "c", first="Ada", last="C")
    found: list[tuple[str, str]] = []
    with anyio.fail_after(5):
        while len(found) < 3:
            found += [(event.type.value, tree(event.record)["spec"]["last"]) for event in await watch.next_batch()]
    assert found == [("ADDED", "A"), ("ADDED", "B"), ("ADDED", "C")]


async def test_readers_that_do_not_wait_are_woken_when_events_are_converted(api: Converted) -> None:
    watch = await api.watching(api.v2, resource_version=str(api.store.revision), allow_watch_bookmarks=True)
    woken = anyio.Event()
    watch.on_ready(woken.set)
    assert watch.background is not None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch.background)
        await api.make(api.v1, "b", full="Ada B")
        assert watch.take_nowait() == ()
        with anyio.fail_after(5):
            await woken.wait()
        assert [tree(event.record)["spec"]["last"] for event in watch.take_nowait()] == ["B"]
        bookmark = watch.bookmark()
        assert bookmark is not None
        assert tree(bookmark.record)["apiVersion"] == "example.com/v2"
        tasks.cancel_scope.cancel()


async def test_a_watch_ends_with_the_webhooks_error(api: Converted) -> None:
    watch = await api.watching(api.v2, resource_version=str(api.store.revision))
    api.converter.spoil = lambda review: {**review, "response": None}
    await api.make(api.v1, full="Ada Lovelace")
    with pytest.raises(ApiError, match="no response provided"):
        await watch.next_batch()


def changed(review: Any, **more: Any) -> Any:
    obj = review["response"]["convertedObjects"][0]
    return {**review, "response": {**review["response"], "convertedObjects": [{**obj, **more}]}}


def answering(review: Any, **more: Any) -> Any:
    return {**review, "response": {**review["response"], **more}}


def relabelled(review: Any, **more: Any) -> Any:
    return changed(review, metadata={**review["response"]["convertedObjects"][0]["metadata"], **more})


ASKED = "conversion webhook for example.com/v1, Kind=Widget "


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        pytest.param(lambda r: {**r, "response": None}, "failed: no response provided", id="nothing"),
        pytest.param(
            lambda r: {**r, "apiVersion": "v1", "kind": "Pod"},
            "failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got /v1, Kind=Pod",
            id="something else",
        ),
        pytest.param(lambda r: answering(r, uid="x"), "failed: expected response.uid=", id="of another request"),
        pytest.param(
            lambda r: answering(r, result={"status": "Failure", "message": "no way"}), "failed: no way", id="a refusal"
        ),
        pytest.param(
            lambda r: answering(r, result={"status": "Failure"}),
            "failed: response.result.status was 'Failure', not 'Success'",
            id="a silent refusal",
        ),
        pytest.param(lambda r: answering(r, convertedObjects=[]), "returned 0 objects, expected 1", id="too few"),
        pytest.param(
            lambda r: changed(r, apiVersion="example.com/v1"),
            "returned invalid object at index 0: invalid groupVersion (expected example.com/v2, received ",
            id="another version",
        ),
        pytest.param(
            lambda r: changed(r, kind="Gadget"),
            "returned invalid object at index 0: invalid kind (expected Widget, received Gadget)",
            id="another kind",
        ),
        pytest.param(
            lambda r: relabelled(r, name="x"), "returned invalid object: must have the same name: w != x", id="a name"
        ),
        pytest.param(
            lambda r: relabelled(r, uid="x"), "returned invalid object: must have the same UID: ", id="another uid"
        ),
        pytest.param(
            lambda r: relabelled(r, labels={"a": 1}),
            "returned invalid metadata: metadata.labels[a] must be a string, but is int64 in converted object",
            id="a label that is none",
        ),
        pytest.param(
            lambda r: relabelled(r, labels={"a b": "c"}),
            "returned invalid metadata: metadata.labels: Invalid value: ",
            id="a bad label",
        ),
        pytest.param(lambda r: "text", "failed: ", id="no review"),
    ],
)
async def test_bad_answers_are_told_in_upstreams_words(api: Converted, spoil: Any, why: str) -> None:
    await api.make(api.v1, full="Ada Lovelace")
    api.converter.spoil = spoil
    with pytest.raises(ApiError) as refused:
        await api.read(api.v2)
    assert (refused.value.code, refused.value.status.reason) == (500, "")
    assert refused.value.message.startswith(ASKED + why)


async def test_only_labels_and_annotations_may_change(api: Converted) -> None:
    await api.make(api.v1, full="Ada Lovelace")
    api.converter.spoil = lambda r: relabelled(r, labels={"a": "b"}, creationTimestamp=None, finalizers=["x/y"])
    metadata = (await api.read(api.v2))["metadata"]
    assert metadata["labels"] == {"a": "b"}
    assert metadata["creationTimestamp"] == "2023-11-14T22:13:20Z"
    assert "finalizers" not in metadata


async def test_unreachable_webhooks_fail_the_request(api: Converted) -> None:
    async def call(target: Target, document: bytes, *, seconds: float) -> bytes:
        raise CallFailed('Post "https://hook.example/convert": dial tcp: connection refused')

    await api.make(api.v1, full="Ada Lovelace")
    api.converter.call = call  # type: ignore[method-assign]
    for attempt in (api.read(api.v2), api.page(api.v2), api.make(api.v2, "x", first="a", last="b")):
        with pytest.raises(ApiError, match=r"failed: Post .*: dial tcp: connection refused"):
            await attempt
    assert len(await api.page(api.v1)) == 1


async def test_objects_stay_in_the_version_they_were_written_in(api: Converted) -> None:
    await api.make(api.v1, "old", full="Ada Old")
    await _store_v2(api)
    await api.make(api.v2, "new", first="Ada", last="New")
    assert api.converter.requests == []
    assert (await api.read(api.v2, "old"))["spec"] == {"first": "Ada", "last": "Old"}
    assert (await api.read(api.v1, "new"))["spec"] == {"full": "Ada New"}
    assert api.converter.batches == [("example.com/v2", 1), ("example.com/v1", 1)]


async def test_an_update_without_change_rewrites_an_old_object(api: Converted) -> None:
    made = await api.make(api.v1, "old", full="Ada Old")
    await _store_v2(api)
    patch = asking("patch", api.v2, "old")
    written = tree(await api.registry.patch(patch, PatchType.MERGE, b"{}"))
    assert written["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
    stored = api.store.get(api.v2.key("ns", "old"))
    assert stored is not None
    assert stored.obj.api_version == "example.com/v2"
    again = tree(await api.registry.patch(asking("patch", api.v2, "old"), PatchType.MERGE, b"{}"))
    assert again["metadata"]["resourceVersion"] == written["metadata"]["resourceVersion"]


async def test_definition_remembers_every_version_that_was_stored(api: Converted) -> None:
    await _store_v2(api)
    definition = api.get("customresourcedefinitions", "widgets.example.com")
    assert definition["status"]["storedVersions"] == ["v1", "v2"]


async def _store_v2(api: Converted) -> None:
    versions = version("v1", WHOLE, storage=False, selectableFields=[]), version("v2", SPLIT, selectableFields=[])
    patch = {"spec": {"versions": [versions[0], {**versions[1], "storage": True}]}}
    await api.patch("customresourcedefinitions", "widgets.example.com", patch)
    await turn()
    v2 = api.registry.scheme.find("example.com", "v2", "widgets")
    assert v2 is not None
    api.v2 = v2


async def test_clients_of_the_same_process_wait_for_the_webhook(api: Converted) -> None:
    await api.make(api.v1, full="Ada Lovelace")
    client = LocalClient(api.registry)
    listed: Listed[CustomResource] = await client.list(api.v2)
    assert listed.items[0].content["spec"] == {"first": "Ada", "last": "Lovelace"}
    watching: Batches = client.watch(api.v2, resource_version=listed.resource_version)
    async with watching as batches:
        await api.make(api.v1, "x", full="Ada X")
        (event,) = await anext(batches)
    assert isinstance(event.object, CustomResource)
    assert event.object.content["spec"] == {"first": "Ada", "last": "X"}


async def test_the_first_reviews_are_understood(clock: HandClock, api: Converted) -> None:
    old = {**WEBHOOK, "webhook": {**WEBHOOK["webhook"], "conversionReviewVersions": ["v9", "v1beta1"]}}
    await api.patch("customresourcedefinitions", "widgets.example.com", {"spec": {"conversion": old}})
    await turn()
    await api.make(api.v1, full="Ada Lovelace")
    api.converter.spoil = lambda r: answering({**r, "apiVersion": "", "kind": ""}, uid="")
    assert (await api.read(api.v2))["spec"] == {"first": "Ada", "last": "Lovelace"}
