"""Watches over WebSocket, and tokens that travel as subprotocols."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
import pytest

from kcore.api.errors import Unauthorized
from kcore.server import event_socket
from kcore.server.websocket import bearer_token, offered_protocols, wants_websocket
from kcore.store.history import Window
from tests.server.serving import CONFIGMAPS, Door, serving
from tests.server.test_watch import until

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
TOKEN = "base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(b"admin-token").decode().rstrip("=")


@asynccontextmanager
async def socket(
    door: Door, path: str, protocols: Sequence[str] = (), **headers: str
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    if TOKEN not in protocols:
        headers.setdefault("Authorization", "Bearer admin-token")
    async with door.session.ws_connect(door.server.url + path, protocols=protocols, headers=headers) as opened:
        yield opened


async def events(opened: aiohttp.ClientWebSocketResponse, count: int) -> list[Any]:
    """Each is one text message."""
    return [json.loads(await opened.receive_str(timeout=5)) for _ in range(count)]


async def test_each_event_is_one_text_message() -> None:
    async with serving() as door:
        await door.create("a")
        async with socket(door, f"{CONFIGMAPS}?watch=true&resourceVersion=0") as opened:
            await door.create("b")
            found = await events(opened, 2)
        assert [(event["type"], event["object"]["metadata"]["name"]) for event in found] == [
            ("ADDED", "a"),
            ("ADDED", "b"),
        ]
        await until(lambda: not door.server.streams)


async def test_pings_are_answered_and_words_ignored() -> None:
    async with serving() as door, socket(door, f"{CONFIGMAPS}?watch=true") as opened:
        await opened.ping(b"there?")
        await opened.send_str("whatever")
        await opened.send_bytes(b"\0")
        await door.create("a")
        assert (await events(opened, 1))[0]["type"] == "ADDED"


@pytest.mark.parametrize("protocol", ["base64.binary.k8s.io", "binary.k8s.io", "v1.anything"])
async def test_the_offered_subprotocol_is_agreed_to(protocol: str) -> None:
    path = f"{CONFIGMAPS}?watch=true&resourceVersion=0"
    async with serving() as door, socket(door, path, [protocol, TOKEN]) as opened:
        assert opened.protocol == protocol
        await door.create("a")
        assert (await events(opened, 1))[0]["type"] == "ADDED"


async def test_timeout_ends_with_a_bookmark() -> None:
    async with serving() as door:
        path = f"{CONFIGMAPS}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true"
        async with socket(door, path) as opened:
            assert (await events(opened, 1))[0]["type"] == "BOOKMARK"
            assert (await opened.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE


async def test_bookmarks_come_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_socket, "BOOKMARK_INTERVAL", 0.05)
    async with serving() as door, socket(door, f"{CONFIGMAPS}?watch=true&allowWatchBookmarks=true") as opened:
        created = await door.create("a")
        while (await events(opened, 1))[0]["type"] != "ADDED":
            pass
        told = (await events(opened, 1))[0]
        assert told["type"] == "BOOKMARK"
        assert int(told["object"]["metadata"]["resourceVersion"]) >= int(created["metadata"]["resourceVersion"])


async def test_too_old_watch_is_told_so() -> None:
    async with serving(history=Window(events=2)) as door:
        since = (await door.create("first"))["metadata"]["resourceVersion"]
        for i in range(10):
            await door.create(f"c{i}")
        async with socket(door, f"{CONFIGMAPS}?watch=true&resourceVersion={since}") as opened:
            told = await events(opened, 1)
        assert (told[0]["type"], told[0]["object"]["code"]) == ("ERROR", 410)


async def test_tables_travel_too() -> None:
    async with serving() as door:
        await door.create("a")
        async with socket(door, f"{CONFIGMAPS}?watch=true&resourceVersion=0", Accept=TABLE) as opened:
            assert (await events(opened, 1))[0]["object"]["kind"] == "Table"


async def test_stopping_server_closes_sockets() -> None:
    async with serving() as door, socket(door, f"{CONFIGMAPS}?watch=true") as opened:
        await until(lambda: bool(door.server.streams))
        door.server.end_streams()
        with anyio.fail_after(5):
            assert (await opened.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_client_that_vanishes_leaves_nothing_behind() -> None:
    async with serving() as door, socket(door, f"{CONFIGMAPS}?watch=true") as opened:
        await until(lambda: bool(door.server.streams))
        opened._response.close()  # without a word
        await until(lambda: not door.server.streams)


async def test_what_is_no_handshake_is_a_bad_request() -> None:
    async with serving() as door:
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "1"}
        answer = await door.ask("GET", f"{CONFIGMAPS}?watch=true", **headers)
        assert answer.code == 400
        assert not door.server.streams


async def test_forbidden_watches_are_refused_before_the_handshake() -> None:
    async with serving(policed=True) as door:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with door.session.ws_connect(f"{door.server.url}{CONFIGMAPS}?watch=true"):
                pass
        assert refused.value.status == 403


def test_token_is_found_among_the_subprotocols() -> None:
    headers = {"Sec-WebSocket-Protocol": f"one, {TOKEN}"}
    assert (bearer_token(headers), offered_protocols(headers)) == ("admin-token", ["one"])
    assert bearer_token({"Sec-WebSocket-Protocol": "one"}) is None


@pytest.mark.parametrize("protocols", [TOKEN, f"one, {TOKEN}, {TOKEN}", "one, base64url.bearer.authorization.k8s.io.!"])
def test_unreadable_tokens_are_refused(protocols: str) -> None:
    with pytest.raises(Unauthorized):
        bearer_token({"Sec-WebSocket-Protocol": protocols})


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket"}, True),
        ({"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}, False),
        ({"Upgrade": "websocket"}, False),
    ],
)
def test_upgrade_must_be_asked_for(headers: dict[str, str], wanted: bool) -> None:
    assert wants_websocket(headers) is wanted
