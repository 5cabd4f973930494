"""proxy of pods, services and nodes through the API server."""

from __future__ import annotations

import gzip
import json
from typing import Any

import aiohttp
import anyio
import pytest
from aiohttp import web

from tests.server.connecting.backends import PODS, backend, fronting
from tests.server.kubelet.scripted import ScriptedKubelets, node, pod
from tests.server.serving import Door
from tests.server.streaming.talking import read_all

WEB = pod("web", port=8080)
SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "shop"},
    "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
}
ENDPOINTS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Endpoints",
    "metadata": {"name": "shop"},
    "subsets": [
        {
            "addresses": [{"ip": "10.0.0.5", "targetRef": {"kind": "Pod", "name": "web", "namespace": "default"}}],
            "ports": [{"name": "http", "port": 8080}],
        }
    ],
}
OBJECTS = (node("n1"), WEB, SERVICE, ENDPOINTS)
SERVICES = "/api/v1/namespaces/default/services"


def kubelets(target: int = 0) -> ScriptedKubelets:
    scripted = ScriptedKubelets(node("n1"), pods=[WEB])
    scripted.target = target
    return scripted


async def mirror(request: web.BaseRequest) -> web.StreamResponse:
    """Answers with what has arrived."""
    body = await request.read()
    seen = {
        "method": request.method,
        "path": request.raw_path,
        "body": body.decode(errors="surrogateescape"),
        "headers": dict(request.headers),
    }
    headers = {"X-Mine": "yes", "Access-Control-Allow-Origin": "*", "Keep-Alive": "timeout=5"}
    return web.json_response(seen, headers=headers)


@pytest.mark.parametrize(
    ("path", "arrives"),
    [
        (f"{PODS}/web/proxy/a/b?c=d&c=%20e", "/a/b?c=d&c=%20e"),
        (f"{PODS}/web:8080/proxy/", "/"),
        (f"{PODS}/http:web:8080/proxy/dir/", "/dir/"),
        (f"{SERVICES}/shop:http/proxy/x", "/x"),
        (f"{SERVICES}/shop:80/proxy/x%20y", "/x%20y"),
        (f"{PODS}/web/proxy/a/../b//c", "/b/c"),
        ("/api/v1/proxy/namespaces/default/pods/web/old", "/old"),
        ("/api/v1/proxy/namespaces/default/services/shop:http/old/", "/old/"),
    ],
)
async def test_path_and_query_arrive(path: str, arrives: str) -> None:
    scripted = kubelets()
    async with backend(mirror) as port, fronting(scripted, *OBJECTS) as door:
        scripted.target = port
        answer = await door.ask("GET", path)
    assert answer.json["path"] == arrives
    assert scripted.asked == [("web", 8080)]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_arrives_with_its_body(method: str) -> None:
    async with backend(mirror) as port, fronting(kubelets(port), *OBJECTS) as door:
        answer = await door.ask(method, f"{PODS}/web/proxy/x", b"hello", Content_Type="text/plain")
    assert (answer.code, answer.json["method"], answer.json["body"]) == (200, method, "hello")
    assert answer.json["headers"]["Content-Length"] == "5"


async def test_body_that_was_packed_arrives_as_it_is() -> None:
    packed = {"Content_Encoding": "gzip", "Content_Type": "text/plain"}
    async with backend(mirror) as port, fronting(kubelets(port), *OBJECTS) as door:
        answer = await door.ask("POST", f"{PODS}/web/proxy/x", gzip.compress(b"hello"), **packed)
    assert gzip.decompress(answer.json["body"].encode(errors="surrogateescape")) == b"hello"
    assert answer.json["headers"]["Content-Encoding"] == "gzip"


async def test_head_has_no_body() -> None:
    async with backend(mirror) as port, fronting(kubelets(port), *OBJECTS) as door:
        answer = await door.ask("HEAD", f"{PODS}/web/proxy/x")
    assert (answer.code, answer.body, answer.headers["X-Mine"]) == (200, b"", "yes")


async def test_nothing_that_proves_who_the_client_is_arrives() -> None:
    sent = {
        "Cookie": "mine=1",
        "X_Remote_User": "root",
        "Impersonate_User": "someone",
        "Impersonate_Group": "system:masters",
        "X_Forwarded_For": "192.0.2.1",
        "Connection": "X-Hop",
        "X_Hop": "1",
    }
    async with backend(mirror) as port, fronting(kubelets(port), *OBJECTS) as door:
        answer = await door.ask("GET", f"{PODS}/web/proxy/x", **sent)
    headers = {name.lower(): value for name, value in answer.json["headers"].items()}
    assert not headers.keys() & {"authorization", "x-remote-user", "impersonate-user", "impersonate-group", "x-hop"}
    assert headers["cookie"] == "mine=1"
    assert headers["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert headers["x-forwarded-uri"] == f"{PODS}/web/proxy/x"
    assert headers["host"].startswith("127.0.0.1:")


async def test_answers_headers_come_back_without_those_of_the_connection() -> None:
    async with backend(mirror) as port, fronting(kubelets(port), *OBJECTS) as door:
        answer = await door.ask("GET", f"{PODS}/web/proxy/x")
    assert answer.headers["X-Mine"] == "yes"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Keep-Alive" not in answer.headers
    assert "Audit-Id" in answer.headers


async def test_path_without_a_slash_is_led_to_one_with_it() -> None:
    async with (
        fronting(kubelets(), *OBJECTS) as door,
        door.session.get(
            f"{door.server.url}{PODS}/web/proxy?a=b",
            headers={"Authorization": "Bearer admin-token"},
            allow_redirects=False,
        ) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (301, f"{PODS}/web/proxy/?a=b")


async def test_bytes_that_are_no_ascii_arrive_quoted_or_as_they_were() -> None:
    head = f"GET {PODS}/web/proxy/%C3%A4?%FF HTTP/1.1\r\nHost: kcore\r\nConnection: close\r\n".encode()
    async with (
        backend(mirror) as port,
        fronting(kubelets(port), *OBJECTS) as door,
        await anyio.connect_tcp("127.0.0.1", door.server.port) as client,
    ):
        await client.send(head + b"X-Odd: \xff\r\nAuthorization: Bearer admin-token\r\n\r\n")
        answer = await read_all(client)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), answer
    assert b'"path": "/%C3%A4?%FF"' in body
    assert b"X-Odd" in body


async def test_body_streams_both_ways_at_once() -> None:
    async def echo(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for piece in request.content.iter_any():
            await response.write(piece.upper())
        return response

    async with backend(echo) as port, fronting(kubelets(port), *OBJECTS) as door:
        answered = anyio.Event()

        async def talk() -> Any:
            yield b"first"
            await answered.wait()
            yield b"second"

        async with door.session.post(
            f"{door.server.url}{PODS}/web/proxy/", data=talk(), headers={"Authorization": "Bearer admin-token"}
        ) as response:
            assert await response.content.readexactly(5) == b"FIRST"
            answered.set()
            assert await response.content.read() == b"SECOND"


async def test_websocket_goes_through() -> None:
    async def shout(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("chat",))
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data.upper())
        return socket

    async with (
        backend(shout) as port,
        fronting(kubelets(port), *OBJECTS) as door,
        door.session.ws_connect(
            f"{door.server.url}{PODS}/web/proxy/chat",
            protocols=("chat",),
            headers={"Authorization": "Bearer admin-token"},
        ) as socket,
    ):
        assert socket.protocol == "chat"
        await socket.send_str("hello")
        assert await socket.receive_str() == "HELLO"


async def test_answer_that_declines_an_upgrade_comes_back() -> None:
    async def decline(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=418, text="no")

    async with backend(decline) as port, fronting(kubelets(port), *OBJECTS) as door:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with door.session.ws_connect(
                f"{door.server.url}{PODS}/web/proxy/", headers={"Authorization": "Bearer admin-token"}
            ):
                pass
    assert refused.value.status == 418


@pytest.mark.parametrize("packed", [False, True])
async def test_links_of_a_page_go_through_the_proxy(packed: bool) -> None:
    async def page(request: web.BaseRequest) -> web.StreamResponse:
        html = b'<a href="/next?a=b">x</a><img src="logo.png"><a href="http://elsewhere/y">y</a>'
        headers = {"Content-Type": "text/html; charset=utf-8"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=gzip.compress(html) if packed else html, headers=headers)

    async with backend(page) as port, fronting(kubelets(port), *OBJECTS) as door:
        answer = await door.ask("GET", f"{SERVICES}/shop:http/proxy/dir/", Accept_Encoding="gzip")
    assert answer.body.decode() == (
        f'<a href="{SERVICES}/shop:http/proxy/next?a=b">x</a><img src="logo.png"><a href="http://elsewhere/y">y</a>'
    )


async def test_redirect_goes_through_the_proxy() -> None:
    async def redirect(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/login/"})

    async with (
        backend(redirect) as port,
        fronting(kubelets(port), *OBJECTS) as door,
        door.session.get(
            f"{door.server.url}{PODS}/web/proxy/x",
            headers={"Authorization": "Bearer admin-token"},
            allow_redirects=False,
        ) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (302, f"{PODS}/web/proxy/login/")


async def test_closed_port_is_a_service_that_is_unavailable() -> None:
    async with fronting(kubelets(), *OBJECTS) as door:
        answer = await door.ask("GET", f"{PODS}/web/proxy/")
    assert (answer.code, answer.json["reason"]) == (503, "ServiceUnavailable")
    assert answer.json["message"] == (
        "error trying to reach service: dial tcp 10.0.0.5:8080: connect: connection refused"
    )


async def test_server_that_hangs_up_is_unavailable_too() -> None:
    async def hang_up(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with backend(hang_up) as port, fronting(kubelets(port), *OBJECTS) as door:
        answer = await door.ask("GET", f"{PODS}/web/proxy/")
    assert (answer.code, answer.json["message"]) == (503, "error trying to reach service: EOF")


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (f"{PODS}/none/proxy/", 404, 'pods "none" not found'),
        (f"{PODS}/ftp:web:80/proxy/", 400, 'invalid pod request "ftp:web:80"'),
        (f"{SERVICES}/none/proxy/", 404, 'services "none" not found'),
        (f"{SERVICES}/shop:dns/proxy/", 503, 'no endpoints available for service "shop:dns"'),
        (f"{SERVICES}/shop:99/proxy/", 503, 'no service port 99 found for service "shop"'),
        ("/api/v1/nodes/none/proxy/", 404, 'nodes "none" not found'),
    ],
)
async def test_what_is_not_there_is_not_reached(path: str, code: int, message: str) -> None:
    async with fronting(kubelets(), *OBJECTS) as door:
        answer = await door.ask("GET", path)
    assert (answer.code, answer.json["message"]) == (code, message)


@pytest.mark.parametrize("ip", ["127.0.0.1", "169.254.169.254", "::1"])
async def test_pod_that_claims_an_address_of_the_servers_own_is_not_reached(ip: str) -> None:
    liar = pod("liar", node="elsewhere", ip=ip)
    async with fronting(kubelets(), node("elsewhere"), liar) as door:
        answer = await door.ask("GET", f"{PODS}/liar/proxy/")
    assert (answer.code, answer.json["message"]) == (400, "address not allowed")


@pytest.mark.parametrize(
    "path", ["/api/v1/nodes/n1/proxy/pods", "/api/v1/proxy/nodes/n1/pods", "/api/v1/nodes/n1:10250/proxy/pods"]
)
async def test_node_without_a_port_is_its_kubelet(path: str) -> None:
    async with fronting(kubelets(), *OBJECTS) as door:
        answer = await door.ask("GET", path)
    assert [item["metadata"]["name"] for item in answer.json["items"]] == ["web"]


async def test_kubelets_words_come_through_the_node_proxy() -> None:
    async with fronting(kubelets(), *OBJECTS) as door:
        answer = await door.ask("GET", "/api/v1/nodes/n1/proxy/containerLogs/default/none/app")
    assert (answer.code, answer.body) == (404, b'pod "none" does not exist')


async def test_other_port_of_a_node_is_proxied_like_a_pod() -> None:
    async with fronting(kubelets(), *OBJECTS) as door:
        await store_address(door, "127.0.0.1")
        answer = await door.ask("GET", "/api/v1/nodes/n1:9100/proxy/metrics")
    assert (answer.code, answer.json["message"]) == (400, "address not allowed")


async def store_address(door: Door, address: str) -> None:
    current = (await door.ask("GET", "/api/v1/nodes/n1")).json
    current["status"]["addresses"] = [{"type": "InternalIP", "address": address}]
    answer = await door.ask("PUT", "/api/v1/nodes/n1/status", current)
    assert answer.code == 200, json.dumps(answer.json)
