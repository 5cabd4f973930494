"""The client over HTTP, against kcore's own server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
import yaml
from msgspec.structs import replace

from kcore.api.core_v1 import ConfigMap, Namespace
from kcore.api.errors import AlreadyExists, Conflict, NotFound, ServiceUnavailable, Unauthorized
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta
from kcore.client.client import WatchEvent, WatchType
from kcore.client.http import HttpClient
from kcore.client.informer import Informers
from kcore.client.kubeconfig import Access, KubeconfigError, load
from kcore.registry.authentication import TokenUnion
from kcore.registry.request import User
from kcore.server.authentication import Authenticator, authenticators
from kcore.server.authentication.static_tokens import StaticTokens
from kcore.server.server import ApiServer
from tests.sim.world import world


@asynccontextmanager
async def served(token: str = "secret") -> AsyncIterator[HttpClient]:
    """A client of a server with the namespace `ns`, in which the token `secret` is the administrator's."""
    async with world() as w:
        await w.create_namespace()
        admin = StaticTokens({"secret": User("admin", groups=("system:masters",))})
        server = ApiServer(
            w.registry, w.clock, w.chance, port=0, authenticator=Authenticator(authenticators(TokenUnion([admin])))
        )
        async with anyio.create_task_group() as tasks:
            await tasks.start(server.run)
            async with HttpClient.open(Access(server.url, token=token)) as client:
                yield client
            tasks.cancel_scope.cancel()


def config_map(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="ns", labels={"name": name}), data=data)


async def test_objects_are_written_and_read_back() -> None:
    async with served() as client:
        created = await client.create(config_map("a", x="1"))
        assert created.metadata.uid
        assert (created.kind, created.api_version) == ("", "")
        changed = await client.update(replace(created, data={"x": "2"}))
        assert await client.get(ConfigMap, "a", "ns") == changed
        patched: ConfigMap = await client.patch(ConfigMap, "a", {"data": {"y": "3"}}, "ns")
        assert patched.data == {"x": "2", "y": "3"}
        await client.delete(ConfigMap, "a", "ns", DeleteOptions(propagation_policy="Background"))
        with pytest.raises(NotFound):
            await client.get(ConfigMap, "a", "ns")


async def test_lists_come_in_pages_and_by_selector() -> None:
    async with served() as client:
        for name in "abc":
            await client.create(config_map(name))
        first = await client.list(ConfigMap, "ns", limit=2)
        rest = await client.list(ConfigMap, "ns", limit=2, continue_=first.continue_)
        assert [obj.metadata.name for obj in (*first.items, *rest.items)] == ["a", "b", "c"]
        chosen = await client.list(ConfigMap, label_selector="name in (b)")
        assert [obj.metadata.name for obj in chosen.items] == ["b"]
        await client.delete_collection(ConfigMap, "ns", label_selector="name!=b")
        assert len((await client.list(ConfigMap, "ns")).items) == 1


async def test_watch_brings_what_happened_since() -> None:
    async with served() as client:
        since = (await client.list(ConfigMap)).resource_version
        await client.create(config_map("a"))
        await client.delete(ConfigMap, "a", "ns")
        seen: list[WatchEvent[ConfigMap]] = []
        with anyio.fail_after(10):
            async with client.watch(ConfigMap, resource_version=since) as batches:
                async for events in batches:
                    seen += events
                    if len(seen) >= 2:
                        break
        assert [(e.type, e.object.metadata.name) for e in seen] == [(WatchType.ADDED, "a"), (WatchType.DELETED, "a")]


async def test_failures_are_the_errors_that_the_server_told_of() -> None:
    async with served() as client:
        created = await client.create(config_map("a"))
        with pytest.raises(AlreadyExists, match='configmaps "a" already exists'):
            await client.create(config_map("a"))
        await client.update(replace(created, data={"x": "1"}))
        with pytest.raises(Conflict):
            await client.update(created)
        with pytest.raises(NotFound) as missing:
            await client.get(Namespace, "other")
        assert missing.value.details is not None
        assert (missing.value.details.name, missing.value.details.kind) == ("other", "namespaces")


async def test_wrong_token_is_refused_and_nobody_home_is_said_so() -> None:
    async with served(token="wrong") as client:
        with pytest.raises(Unauthorized):
            await client.get(Namespace, "ns")
    async with HttpClient.open(Access("http://127.0.0.1:1")) as client:
        with pytest.raises(ServiceUnavailable):
            await client.get(Namespace, "ns")


async def test_caches_work_over_http_as_in_process() -> None:
    async with served() as client:
        await client.create(config_map("a"))
        informers = Informers(client)
        informer = informers.of(ConfigMap)
        changed = anyio.Event()
        async with anyio.create_task_group() as tasks:
            with anyio.fail_after(10):
                await tasks.start(informers.run)
                assert informer.get("ns/a") is not None
                informer.add_handler(lambda old, new: changed.set() if old is None and len(informer) > 1 else None)
                await client.create(config_map("b"))
                await changed.wait()
            tasks.cancel_scope.cancel()
        assert informer.get("ns/b") is not None


def test_kubeconfig_gives_server_token_and_namespace(tmp_path: Path) -> None:
    path = tmp_path / "config"
    document = {
        "current-context": "here",
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "team"}},
            {"name": "there", "context": {"cluster": "c", "user": "f"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:8080/"}}],
        "users": [{"name": "u", "user": {"token": "t"}}, {"name": "f", "user": {"tokenFile": "token"}}],
    }
    path.write_text(yaml.safe_dump(document))
    (tmp_path / "token").write_text("from a file\n")
    assert load(path) == Access("http://127.0.0.1:8080", None, "t", "team")
    assert load(path, "there").token == "from a file"
    with pytest.raises(KubeconfigError, match="no context 'nowhere'"):
        load(path, "nowhere")


def test_kubeconfig_that_skips_verification_trusts_anybody(tmp_path: Path) -> None:
    path = tmp_path / "config"
    cluster = {"server": "https://127.0.0.1:6443", "insecure-skip-tls-verify": True}
    document = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
    }
    path.write_text(yaml.safe_dump(document))
    tls = load(path).tls
    assert tls is not None
    assert not tls.check_hostname
