"""Calling webhooks over real TLS on loopback: who is trusted, where Services lead, and how failures are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from kcore.api.core_v1 import Service, ServicePort, ServiceSpec
from kcore.api.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.scheme import Scheme
from kcore.kit.clock import Chance
from kcore.registry.codec import StoreCodec
from kcore.registry.strategies import STRATEGIES
from kcore.registry.webhook_client import CallFailed, ServiceTarget, Target
from kcore.server.outbound import Outbound
from kcore.server.webhook_http import HttpWebhooks
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog
from kcore.store.store import Put
from tests.webhook_server import Hook, Respond, hooking, issue

SERVICE = Service(
    metadata=ObjectMeta(name="hook", namespace="ns"),
    spec=ServiceSpec(type="ClusterIP", ports=(ServicePort(name="https", port=443),)),
)
BY_SERVICE = Target("https://hook.ns.svc:443/check", service=ServiceTarget("ns", "hook"))
TRUST = "tls: failed to verify certificate: x509: certificate signed by unknown authority"


@pytest.fixture
async def store() -> EmbeddedStore:
    return EmbeddedStore(StoreCodec(Scheme(), STRATEGIES), MemoryLog())


@pytest.fixture
async def outbound(store: EmbeddedStore) -> AsyncIterator[Outbound]:
    outbound = Outbound(store, Chance(1))
    yield outbound
    await outbound.close()


@pytest.fixture
def client(outbound: Outbound) -> HttpWebhooks:
    return HttpWebhooks(outbound)


async def put(store: EmbeddedStore, *objects: Any) -> None:
    for obj in objects:
        kind = Scheme().of(type(obj))
        await store.commit(Put(kind.key(obj.metadata.namespace, obj.metadata.name), obj))


def endpoints(port: int, *, ready: bool | None = True, address: str = "127.0.0.1") -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(name=f"hook-{port}-{ready}", namespace="ns", labels={"kubernetes.io/service-name": "hook"}),
        address_type="IPv4",
        endpoints=(Endpoint(addresses=(address,), conditions=EndpointConditions(ready=ready)),),
        ports=(EndpointPort(name="https", port=port),),
    )


async def echo(request: web.BaseRequest) -> web.Response:
    return web.json_response({"seen": json.loads(await request.read())})


def answering(status: int, text: str) -> Respond:
    async def respond(request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, text=text)

    return respond


def at(hook: Hook, path: str = "/") -> Target:
    return Target(hook.url(path), hook.ca_bundle)


async def test_document_is_posted_and_the_answer_returned(tmp_path: Path, client: HttpWebhooks) -> None:
    async with hooking(issue(tmp_path, "127.0.0.1"), echo) as hook:
        answer = await client.call(at(hook, "/check"), b'{"a":1}', seconds=2.5)
        sent = hook.requests[0]
        assert json.loads(answer) == {"seen": {"a": 1}}
        assert (sent.method, sent.path_qs) == ("POST", "/check?timeout=3s")
        assert sent.headers["Content-Type"] == "application/json"


async def test_connection_is_kept_for_the_next_call(tmp_path: Path, client: HttpWebhooks) -> None:
    async with hooking(issue(tmp_path, "127.0.0.1"), echo) as hook:
        for _ in range(3):
            await client.call(at(hook), b"{}", seconds=10)
        assert len({id(request.transport) for request in hook.requests}) == 1


async def test_server_of_another_authority_is_not_trusted(tmp_path: Path, client: HttpWebhooks) -> None:
    async with hooking(issue(tmp_path / "a", "127.0.0.1"), echo) as hook:
        other = Target(hook.url(), _bundle(tmp_path / "b"))
        for target in (other, Target(hook.url())):
            with pytest.raises(CallFailed) as failed:
                await client.call(target, b"{}", seconds=10)
            assert str(failed.value) == f'Post "{hook.url()}?timeout=10s": {TRUST}'
        assert hook.documents == []


def _bundle(folder: Path) -> str:
    return Hook(0, issue(folder, "127.0.0.1").authority).ca_bundle


async def test_trusted_server_of_another_name_is_refused(tmp_path: Path, client: HttpWebhooks) -> None:
    async with hooking(issue(tmp_path, "elsewhere.example"), echo) as hook:
        with pytest.raises(CallFailed, match=r"x509: .*127\.0\.0\.1"):
            await client.call(at(hook), b"{}", seconds=10)
        assert hook.documents == []


async def test_bundle_without_certificates_is_told(client: HttpWebhooks) -> None:
    with pytest.raises(CallFailed, match="unable to load root certificates"):
        await client.call(Target("https://127.0.0.1:1/", "bm90aGluZw=="), b"{}", seconds=10)


async def test_service_is_called_at_a_ready_endpoint(
    tmp_path: Path, client: HttpWebhooks, store: EmbeddedStore
) -> None:
    """Its certificate must be for the name of the Service, whatever address that has."""
    async with hooking(issue(tmp_path, "hook.ns.svc"), echo) as hook:
        await put(store, SERVICE, endpoints(1, ready=False), endpoints(hook.port))
        for _ in range(4):
            await client.call(BY_SERVICE._replace(ca_bundle=hook.ca_bundle), b"{}", seconds=10)
        assert hook.requests[0].path == "/check"
        assert hook.requests[0].headers["Host"] == "hook.ns.svc:443"


async def test_endpoint_with_a_certificate_for_its_address_only_is_refused(
    tmp_path: Path, client: HttpWebhooks, store: EmbeddedStore
) -> None:
    async with hooking(issue(tmp_path, "127.0.0.1"), echo) as hook:
        await put(store, SERVICE, endpoints(hook.port))
        with pytest.raises(CallFailed, match=r"x509: .*hook\.ns\.svc"):
            await client.call(BY_SERVICE._replace(ca_bundle=hook.ca_bundle), b"{}", seconds=10)


async def test_services_that_lead_nowhere_are_told_in_upstreams_words(
    client: HttpWebhooks, store: EmbeddedStore
) -> None:
    async def said(target: Target) -> str:
        with pytest.raises(CallFailed) as failed:
            await client.call(target, b"{}", seconds=10)
        return str(failed.value)

    opening = f'Post "{BY_SERVICE.url}?timeout=10s": '
    assert await said(BY_SERVICE) == opening + 'service "hook" not found'
    await put(store, SERVICE, endpoints(9443, ready=False))
    assert await said(BY_SERVICE) == opening + 'no endpoints available for service "hook"'
    other_port = BY_SERVICE._replace(service=ServiceTarget("ns", "hook", 80))
    assert (await said(other_port)).endswith('no service port 80 found for service "hook"')


async def test_external_name_is_followed(tmp_path: Path, client: HttpWebhooks, store: EmbeddedStore) -> None:
    async with hooking(issue(tmp_path, "hook.ns.svc"), echo) as hook:
        outside = replace(SERVICE, spec=ServiceSpec(type="ExternalName", external_name="127.0.0.1"))
        await put(store, outside)
        service = ServiceTarget("ns", "hook", hook.port)
        await client.call(Target(f"https://hook.ns.svc:{hook.port}/", hook.ca_bundle, service), b"{}", seconds=10)
        assert hook.documents == [{}]


async def test_nobody_there_is_told(client: HttpWebhooks, free_port: Callable[[], int]) -> None:
    port = free_port()
    with pytest.raises(CallFailed) as failed:
        await client.call(Target(f"https://127.0.0.1:{port}/"), b"{}", seconds=10)
    why = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    assert str(failed.value) == f'Post "https://127.0.0.1:{port}/?timeout=10s": {why}'


async def test_slow_webhook_is_given_up(tmp_path: Path, client: HttpWebhooks) -> None:
    async def never(request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(60)
        raise AssertionError

    async with hooking(issue(tmp_path, "127.0.0.1"), never) as hook:
        with pytest.raises(CallFailed, match=r'\?timeout=1s": context deadline exceeded'):
            await client.call(at(hook), b"{}", seconds=0.2)


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (500, "boom", 'an error on the server ("boom") has prevented the request from succeeding'),
        (404, "404 page not found", "the server could not find the requested resource"),
        (302, "", "the server responded with the status code 302 but did not return more information"),
        (409, '{"kind":"Status","apiVersion":"v1","message":"no more today","code":409}', "no more today"),
    ],
)
async def test_answer_that_is_an_error_fails_the_call(
    tmp_path: Path, client: HttpWebhooks, status: int, text: str, words: str
) -> None:
    async with hooking(issue(tmp_path, "127.0.0.1"), answering(status, text)) as hook:
        with pytest.raises(CallFailed) as failed:
            await client.call(at(hook), b"{}", seconds=10)
        assert str(failed.value) == words


async def test_redirects_are_not_followed(tmp_path: Path, client: HttpWebhooks) -> None:
    async def elsewhere(request: web.BaseRequest) -> web.Response:
        return web.Response(status=307, headers={"Location": "/other"})

    async with hooking(issue(tmp_path, "127.0.0.1"), elsewhere) as hook:
        with pytest.raises(CallFailed, match="307"):
            await client.call(at(hook), b"{}", seconds=10)
        assert [request.path for request in hook.requests] == ["/"]


async def test_endless_answer_is_cut_off(tmp_path: Path, client: HttpWebhooks) -> None:
    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" " * 1_000_000)
            await asyncio.sleep(0)  # a closing TLS connection swallows writes without waiting
        return response

    async with hooking(issue(tmp_path, "127.0.0.1"), endless) as hook:
        with pytest.raises(CallFailed, match="larger than"):
            await client.call(at(hook), b"{}", seconds=60)
