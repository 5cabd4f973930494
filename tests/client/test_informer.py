from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from kcore.api.core_v1 import ConfigMap, Container, Pod, PodSpec
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta
from tests.sim.world import World, world


@asynccontextmanager
async def filled() -> AsyncIterator[World]:
    async with world() as w:
        await w.create_namespace()
        for name in ("a", "b"):
            await w.client.create(config_map(name, "blue"))
        yield w


def config_map(name: str, color: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="ns", labels={"color": color}))


def color(obj: ConfigMap) -> tuple[str, ...]:
    return (obj.metadata.labels["color"],)


async def test_cache_holds_what_was_there_and_follows_what_happens() -> None:
    async with filled() as w:
        informer = w.informers.of(ConfigMap)
        await w.tasks.start(w.informers.run)
        assert informer.synced
        assert {obj.metadata.name for obj in informer.values()} == {"a", "b"}
        created = await w.client.create(config_map("c", "red"))
        await w.client.delete(ConfigMap, "a", "ns")
        await w.settle()
        assert informer.get("ns/a") is None
        assert informer.get_object("ns", "c") is created


async def test_handlers_hear_of_every_change_once_and_in_order() -> None:
    async with filled() as w:
        heard: list[tuple[str, str]] = []

        def on_change(old: ConfigMap | None, new: ConfigMap | None) -> None:
            some = new or old
            assert some is not None
            what = "added" if old is None else "gone" if new is None else "changed"
            heard.append((what, some.metadata.name))

        w.informers.of(ConfigMap).add_handler(on_change)
        await w.tasks.start(w.informers.run)
        assert heard == [("added", "a"), ("added", "b")]
        a = await w.client.get(ConfigMap, "a", "ns")
        await w.client.update(replace(a, data={"x": "y"}))
        await w.client.delete(ConfigMap, "b", "ns")
        await w.settle()
        assert heard[2:] == [("changed", "a"), ("gone", "b")]


async def test_late_handler_is_told_of_what_is_there() -> None:
    async with filled() as w:
        await w.tasks.start(w.informers.run)
        informer = w.informers.of(ConfigMap)
        await informer.wait_synced()
        names: list[str] = []
        informer.add_handler(lambda old, new: names.append(new.metadata.name if new else ""))
        assert names == ["a", "b"]


def fail(old: ConfigMap | None, new: ConfigMap | None) -> None:
    raise RuntimeError("a fault of its own")


async def test_handler_that_fails_does_not_blind_the_others() -> None:
    async with filled() as w:
        seen: list[ConfigMap | None] = []
        informer = w.informers.of(ConfigMap)
        informer.add_handler(fail)
        informer.add_handler(lambda old, new: seen.append(new))
        await w.tasks.start(w.informers.run)
        assert len(seen) == 2


async def test_index_follows_objects_that_change_their_value() -> None:
    async with filled() as w:
        informer = w.informers.of(ConfigMap)
        informer.add_index("color", color)
        await w.tasks.start(w.informers.run)
        a = await w.client.get(ConfigMap, "a", "ns")
        await w.client.update(replace(a, metadata=replace(a.metadata, labels={"color": "red"})))
        await w.settle()
        assert [obj.metadata.name for obj in informer.by_index("color", "red")] == ["a"]
        assert [obj.metadata.name for obj in informer.by_index("color", "blue")] == ["b"]
        await w.client.delete(ConfigMap, "a", "ns")
        await w.settle()
        assert informer.by_index("color", "red") == []


async def test_caches_are_shared_by_kind_and_selector() -> None:
    async with filled() as w:
        one = w.informers.of(ConfigMap)
        assert w.informers.of(w.client.scheme.of(ConfigMap)) is one
        narrow = w.informers.of(ConfigMap, field_selector="metadata.name=b")
        await w.tasks.start(w.informers.run)
        assert [obj.metadata.name for obj in narrow.values()] == ["b"]
        assert len(one) == 2


async def test_cache_asked_for_while_running_starts_at_once() -> None:
    async with filled() as w:
        await w.tasks.start(w.informers.run)
        informer = w.informers.of(ConfigMap)
        await informer.wait_synced()
        assert len(informer) == 2


async def test_index_is_asked_again_only_for_what_it_reads() -> None:
    asked: list[str] = []

    def by_phase(pod: Pod) -> tuple[str, ...]:
        return (pod.status.phase,)

    def by_node(pod: Pod) -> tuple[str, ...]:
        asked.append(pod.status.phase)
        return (pod.spec.node_name,)

    async with filled() as w:
        informer = w.informers.of(Pod)
        informer.add_index("phase", by_phase, reads_status=True)
        informer.add_index("node", by_node)
        await w.tasks.start(w.informers.run)
        spec = PodSpec(containers=(Container(name="app", image="app:1"),), node_name="n1")
        pod = await w.client.create(Pod(metadata=ObjectMeta(name="p", namespace="ns"), spec=spec))
        await w.settle()
        running = replace(pod.status, phase="Running")
        pod = await w.client.update(replace(pod, status=running), subresource="status")
        await w.settle()
        assert informer.by_index("node", "n1") == informer.by_index("phase", "Running") == [pod]
        assert not informer.by_index("phase", "Pending")
        assert asked == ["Pending"]
        pod = await w.client.update(replace(pod, metadata=replace(pod.metadata, labels={"a": "b"})))
        await w.settle()
        assert informer.by_index("node", "n1") == [pod]
        assert asked[1:] == ["Running", "Running"]


async def test_change_that_comes_with_the_end_is_not_told() -> None:
    async with filled() as w:
        heard: list[tuple[Pod | None, Pod | None]] = []
        w.informers.of(Pod).add_handler(lambda old, new: heard.append((old, new)))
        await w.tasks.start(w.informers.run)
        spec = PodSpec(containers=(Container(name="app", image="app:1"),), node_name="n1")
        pod = await w.client.create(Pod(metadata=ObjectMeta(name="p", namespace="ns"), spec=spec))
        await w.settle()
        await w.client.delete(Pod, "p", "ns", DeleteOptions(grace_period_seconds=0))
        await w.settle()
        (_, new), (last, gone) = heard
        assert new is pod
        assert gone is None
        assert last is not None
        assert last.metadata.deletion_grace_period_seconds == 0
        assert int(last.metadata.resource_version) == int(pod.metadata.resource_version) + 2
