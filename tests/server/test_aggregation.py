"""API servers behind this one, over real TLS on loopback."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import msgspec
import pytest
from aiohttp import web

from kcore.api.core_v1 import Service, ServicePort, ServiceSpec
from kcore.api.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from kcore.api.errors import NotFound, ServiceUnavailable
from kcore.api.kind import GroupVersion
from kcore.api.meta_v1 import ObjectMeta
from kcore.client.local import LocalClient
from kcore.kit.clock import SystemClock
from kcore.registry.request import User
from kcore.server.aggregation.documents import RemoteDocument, discovered
from kcore.server.aggregation.identity import identity
from kcore.server.certificates import Pki
from kcore.server.openapi.merging import merge
from kcore.store.store import Put
from tests.server.serving import Door, serving
from tests.webhook_server import issue

GROUP = "flowers.example.com"
VERSION = f"/apis/{GROUP}/v1"
APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
RESOURCES = {
    "kind": "APIResourceList",
    "apiVersion": "v1",
    "groupVersion": f"{GROUP}/v1",
    "resources": [
        {"name": "roses", "singularName": "rose", "namespaced": True, "kind": "Rose", "verbs": ["get", "list"]},
        {"name": "roses/status", "singularName": "", "namespaced": True, "kind": "Rose", "verbs": ["get"]},
    ],
}


META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
ROSE = {
    "type": "object",
    "properties": {
        "metadata": {"$ref": f"#/definitions/{META}"},
        "petals": {"type": "object", "additionalProperties": True},
        "parent": {"$ref": "#/definitions/com.example.Rose"},
    },
}
SWAGGER = {
    "swagger": "2.0",
    "paths": {
        "/version/": {"get": {"responses": {"200": {"description": "OK"}}}},
        f"{VERSION}/roses": {
            "parameters": [{"$ref": "#/parameters/pretty"}],
            "get": {
                "operationId": "listRose",
                "produces": ["application/json"],
                "responses": {"200": {"description": "OK", "schema": {"$ref": "#/definitions/com.example.Rose"}}},
            },
        },
    },
    "definitions": {
        "com.example.Rose": ROSE,
        "com.example.Unused": {"type": "string"},
        META: {"type": "object", "description": "theirs"},
    },
    "parameters": {"pretty": {"in": "query", "name": "pretty", "type": "string", "uniqueItems": True}},
}


class Florist:
    """The other API server: shows what it was asked, as whom."""

    def __init__(self) -> None:
        self.requests: list[web.BaseRequest] = []
        self.bodies: list[bytes] = []
        self.discovery_status = 200

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == VERSION:
            return web.json_response(RESOURCES, status=self.discovery_status)
        if request.path == "/openapi/v3":
            link = {"serverRelativeURL": f"/openapi/v3{VERSION}?hash=1"}
            return web.json_response({"paths": {VERSION[1:]: link}})
        if request.path == "/openapi/v2":
            return web.json_response(SWAGGER)
        self.requests.append(request)
        self.bodies.append(await request.read())
        if request.path.endswith("/watched"):
            return await self._watch(request)
        if request.path.endswith("/socket"):
            return await self._socket(request)
        if request.path.endswith("/elsewhere"):
            return web.Response(status=302, headers={"Location": "https://example.com/"})
        return web.json_response({"asked": request.raw_path}, status=207, headers={"X-Flower": "rose"})

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for i in range(3):
            await response.write(b'{"i":%d}\n' % i)
        await anyio.sleep(60)
        return response

    async def _socket(self, request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io",))
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"heard {message.data}")
        return socket


@asynccontextmanager
async def open_florist(pki: Pki, front_proxy: Pki) -> AsyncIterator[tuple[Florist, int]]:
    """It only speaks to who shows a certificate of the front proxy's authority."""
    florist = Florist()
    runner = web.ServerRunner(web.Server(florist.answer), shutdown_timeout=0.1)
    context = pki.server_context()
    context.load_verify_locations(cadata=front_proxy.front_proxy_authority.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield florist, int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def put(door: Door, obj: Any) -> None:
    """Not by the API, which lets no endpoint be on loopback."""
    kind = door.registry.scheme.of(type(obj))
    await door.registry.store.commit(Put(kind.key(obj.metadata.namespace, obj.metadata.name), obj))


def florists(port: int) -> tuple[Service, EndpointSlice]:
    service = Service(
        metadata=ObjectMeta(name="florist", namespace="shop"),
        spec=ServiceSpec(type="ClusterIP", ports=(ServicePort(name="https", port=443),)),
    )
    slice_ = EndpointSlice(
        metadata=ObjectMeta(name="florist-1", namespace="shop", labels={"kubernetes.io/service-name": "florist"}),
        address_type="IPv4",
        endpoints=(Endpoint(addresses=("127.0.0.1",)),),
        ports=(EndpointPort(name="https", port=port),),
    )
    return service, slice_


def registration(ca_bundle: bytes = b"", **more: Any) -> Any:
    reference = {"namespace": "shop", "name": "florist"}
    spec = {"group": GROUP, "version": "v1", "service": reference, "groupPriorityMinimum": 2000, "versionPriority": 10}
    if ca_bundle:
        spec["caBundle"] = msgspec.to_builtins(ca_bundle)
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1.{GROUP}"},
        "spec": {**spec, **more},
    }


async def replace(door: Door, service: Any) -> None:
    """Put another registration in place of the one that stands."""
    path = f"{APISERVICES}/v1.{GROUP}"
    standing = (await door.ask("GET", path)).json["metadata"]["resourceVersion"]
    service["metadata"]["resourceVersion"] = standing
    assert (await door.ask("PUT", path, service)).code == 200


async def condition(door: Door, wanted: Callable[[Any], bool]) -> Any:
    """Wait for what the APIService says of itself."""
    with anyio.fail_after(10):
        while True:
            found = (await door.ask("GET", f"{APISERVICES}/v1.{GROUP}")).json.get("status", {}).get("conditions", [{}])
            if wanted(found[0]):
                return found[0]
            await anyio.sleep(0.01)


@asynccontextmanager
async def aggregating(tmp_path: Path, **options: Any) -> AsyncIterator[tuple[Door, Florist]]:
    pki, front_proxy = (
        issue(tmp_path / "florist", "florist.shop.svc"),
        Pki.ensure(tmp_path / "pki", SystemClock(), ["x"]),
    )
    async with open_florist(pki, front_proxy) as (florist, port), serving(front_proxy=front_proxy, **options) as door:
        for obj in florists(port):
            await put(door, obj)
        assert (await door.ask("POST", APISERVICES, registration(pki.authority))).code == 201
        await condition(door, lambda found: found.get("reason") == "Passed")
        yield door, florist


async def test_requests_go_on_with_word_of_who_asks(tmp_path: Path) -> None:
    async with aggregating(tmp_path) as (door, florist):
        answer = await door.ask(
            "POST",
            f"{VERSION}/namespaces/a%2Fb/roses?x=1&y",
            b'{"a":1}',
            X_Remote_User="somebody",
            X_Remote_Extra_Scopes="all",
            Connection="close, X-Secret",
            X_Secret="here",
            Audit_Id="audit-1",
        )
        assert (answer.code, answer.headers["X-Flower"]) == (207, "rose")
        assert answer.json == {"asked": f"{VERSION}/namespaces/a%2Fb/roses?x=1&y"}
        (request,) = florist.requests
        assert request.headers.getall("X-Remote-User") == ["admin"]
        assert request.headers.getall("X-Remote-Group") == ["system:masters", "system:authenticated"]
        assert request.headers["X-Forwarded-For"] == "127.0.0.1"
        assert request.headers["Audit-Id"] == "audit-1"
        assert request.headers["Host"] == "florist.shop.svc:443"
        assert not {"Authorization", "X-Secret", "X-Remote-Extra-Scopes"} & {*request.headers}
        assert florist.bodies == [b'{"a":1}']


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD"])
async def test_every_method_goes_on(tmp_path: Path, method: str) -> None:
    async with aggregating(tmp_path) as (door, florist):
        assert (await door.ask(method, f"{VERSION}/roses/a")).code == 207
        assert [request.method for request in florist.requests] == [method]


async def test_who_may_not_ask_does_not_reach_the_other_server(tmp_path: Path) -> None:
    async with aggregating(tmp_path, policed=True) as (door, florist):
        answer = await door.ask("GET", f"{VERSION}/roses", token="known-token")
        assert answer.code == 403
        assert florist.requests == []


async def test_impersonation_is_told_as_such(tmp_path: Path) -> None:
    async with aggregating(tmp_path) as (door, florist):
        await door.ask("GET", f"{VERSION}/roses", Impersonate_User="ada", Impersonate_Group="system:masters")
        (request,) = florist.requests
        assert request.headers["X-Remote-User"] == "ada"
        assert request.headers.getall("X-Remote-Group") == ["system:masters", "system:authenticated"]
        assert not any(name.lower().startswith("impersonate") for name in request.headers)


async def test_watches_come_as_they_are_written(tmp_path: Path) -> None:
    async with aggregating(tmp_path) as (door, _), door.watching(f"{VERSION}/watched?watch=true") as events:
        assert [await anext(events) for _ in range(3)] == [{"i": 0}, {"i": 1}, {"i": 2}]
        assert len(door.server.streams) == 1
        door.server.end_streams()


async def test_upgrades_become_tunnels(tmp_path: Path) -> None:
    token = "base64url.bearer.authorization.k8s.io.YWRtaW4tdG9rZW4"
    async with aggregating(tmp_path) as (door, florist):
        url = f"{door.server.url}{VERSION}/socket"
        async with door.session.ws_connect(url, protocols=["v5.channel.k8s.io", token]) as socket:
            assert socket.protocol == "v5.channel.k8s.io"
            for word in ("rose", "tulip" * 20_000):
                await socket.send_str(word)
                assert await socket.receive_str(timeout=5) == f"heard {word}"
        (request,) = florist.requests
        assert request.headers["X-Remote-User"] == "admin"
        assert "bearer" not in request.headers["Sec-WebSocket-Protocol"]


async def test_refused_upgrades_are_answered(tmp_path: Path) -> None:
    async with aggregating(tmp_path) as (door, _):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with door.session.ws_connect(
                f"{door.server.url}{VERSION}/roses", headers={"Authorization": "Bearer admin-token"}
            ):
                pass
        assert refused.value.status == 207


async def test_redirects_are_not_passed_on(tmp_path: Path) -> None:
    async with aggregating(tmp_path) as (door, _):
        answer = await door.ask("GET", f"{VERSION}/elsewhere")
        assert answer.code == 502
        assert "Location" not in answer.headers


async def test_discovery_tells_of_both_servers(tmp_path: Path) -> None:
    async with aggregating(tmp_path) as (door, _):
        groups = [group["name"] for group in (await door.ask("GET", "/apis")).json["groups"]]
        assert groups[-1] == GROUP
        assert (await door.ask("GET", f"/apis/{GROUP}")).json["preferredVersion"]["version"] == "v1"
        assert (await door.ask("GET", VERSION)).json == RESOURCES
        whole = (await door.ask("GET", "/apis", Accept=AGGREGATED)).json
        (version,) = whole["items"][-1]["versions"]
        assert version == {
            "version": "v1",
            "freshness": "Current",
            "resources": [
                {
                    "resource": "roses",
                    "responseKind": {"group": GROUP, "version": "v1", "kind": "Rose"},
                    "scope": "Namespaced",
                    "singularResource": "rose",
                    "verbs": ["get", "list"],
                    "subresources": [
                        {
                            "subresource": "status",
                            "responseKind": {"group": GROUP, "version": "v1", "kind": "Rose"},
                            "verbs": ["get"],
                        }
                    ],
                }
            ],
        }


async def test_openapi_of_the_other_server_is_passed_on(tmp_path: Path) -> None:
    async with aggregating(tmp_path) as (door, florist):
        index = (await door.ask("GET", "/openapi/v3")).json["paths"]
        assert index[VERSION[1:]] == {"serverRelativeURL": f"/openapi/v3{VERSION}?hash=1"}
        await door.ask("GET", index[VERSION[1:]]["serverRelativeURL"])
        assert florist.requests[0].raw_path == f"/openapi/v3{VERSION}?hash=1"


async def test_openapi_v2_of_the_other_server_is_merged_into_ours(tmp_path: Path) -> None:
    async with aggregating(tmp_path) as (door, _):
        merged = (await door.ask("GET", "/openapi/v2")).json
        (told,) = [item for path, item in merged["paths"].items() if path.startswith(f"/apis/{GROUP}/")]
        assert told["get"]["operationId"] == "listRose"
        assert [parameter["name"] for parameter in told["get"]["parameters"]] == ["pretty"]
        rose = merged["definitions"]["com.example.Rose"]["properties"]
        assert rose["parent"] == {"$ref": "#/definitions/com.example.Rose"}
        assert rose["metadata"] == {"$ref": f"#/definitions/{META}_v2"}  # the name is taken by our own
        assert merged["definitions"][f"{META}_v2"]["description"] == "theirs"
        assert merged["definitions"][META]["properties"]
        assert "com.example.Unused" not in merged["definitions"]
        assert "/apis/apps/v1/deployments" in merged["paths"]
        accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
        protobuf = (await door.ask("GET", "/openapi/v2", Accept=accept)).body
        assert b"listRose" in protobuf
        await door.ask("DELETE", f"{APISERVICES}/v1.{GROUP}")
        assert "com.example.Rose" not in (await door.ask("GET", "/openapi/v2")).json["definitions"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"paths": 1}', b'{"paths": {"/apis/flowers.example.com/v1/x": {"get": {}}}}', b"[" * 10_000],
)
def test_openapi_v2_that_cannot_be_read_is_as_good_as_none(body: bytes) -> None:
    own: dict[str, Any] = {"paths": {"/a": {}}, "definitions": {"A": {}}}
    merge(own, [RemoteDocument(GroupVersion(GROUP, "v1"), body)])
    assert own == {"paths": {"/a": {}}, "definitions": {"A": {}}}


async def test_services_that_fail_are_unavailable(tmp_path: Path) -> None:
    async with aggregating(tmp_path) as (door, florist):
        florist.discovery_status = 500
        await put(door, florists(1)[0])  # a change, so that it is checked again
        found = await condition(door, lambda found: found["status"] == "False")
        assert found["reason"] == "FailedDiscoveryCheck"
        url = f"https://florist.shop.svc:443{VERSION}"
        assert found["message"] == f"failing or missing response from {url}: bad status from {url}: 500"
        answer = await door.ask("GET", f"{VERSION}/roses")
        assert (answer.code, answer.body) == (503, b"service unavailable\n")
        whole = (await door.ask("GET", "/apis", Accept=AGGREGATED)).json
        assert whole["items"][-1]["versions"][0]["freshness"] == "Stale"


async def test_a_server_that_is_not_trusted_is_not_asked(tmp_path: Path) -> None:
    front_proxy = Pki.ensure(tmp_path / "pki", SystemClock(), ["x"])
    async with (
        open_florist(issue(tmp_path / "florist", "florist.shop.svc"), front_proxy) as (florist, port),
        serving(front_proxy=front_proxy) as door,
    ):
        for obj in florists(port):
            await put(door, obj)
        await door.ask("POST", APISERVICES, registration(front_proxy.authority))
        found = await condition(door, lambda found: found.get("status") == "False")
        assert "x509: certificate signed by unknown authority" in found["message"]
        blind = registration(insecureSkipTLSVerify=True)
        await replace(door, blind)
        await condition(door, lambda found: found["reason"] == "Passed")
        assert (await door.ask("GET", f"{VERSION}/roses")).code == 207
        assert florist.requests


@pytest.mark.parametrize(
    ("service", "slice_", "reason", "message"),
    [
        (False, False, "ServiceNotFound", 'service/florist in "shop" is not present'),
        (True, False, "EndpointsNotFound", 'cannot find endpointslices for service/florist in "shop"'),
        (
            True,
            True,
            "MissingEndpoints",
            'endpointslices for service/florist in "shop" have no addresses with port name "https"',
        ),
    ],
)
async def test_services_that_lead_nowhere_are_told_in_upstreams_words(
    tmp_path: Path, service: bool, slice_: bool, reason: str, message: str
) -> None:
    async with serving(front_proxy=Pki.ensure(tmp_path, SystemClock(), ["x"])) as door:
        made, empty = florists(1)
        if service:
            await put(door, made)
        if slice_:
            await put(door, msgspec.structs.replace(empty, endpoints=()))
        await door.ask("POST", APISERVICES, registration())
        found = await condition(door, lambda found: found.get("reason") == reason)
        assert (found["status"], found["message"]) == ("False", message)
        assert (await door.ask("GET", f"{VERSION}/roses")).code == 503


async def test_a_port_that_nobody_listens_on_is_told(tmp_path: Path) -> None:
    async with serving(front_proxy=Pki.ensure(tmp_path, SystemClock(), ["x"])) as door:
        await put(door, florists(1)[0])
        service = {"namespace": "shop", "name": "florist", "port": 8443}
        await door.ask("POST", APISERVICES, registration(service=service))
        found = await condition(door, lambda found: found.get("reason") == "ServicePortError")
        assert found["message"] == 'service/florist in "shop" is not listening on port 8443'


async def test_what_is_served_here_is_available(tmp_path: Path) -> None:
    async with aggregating(tmp_path) as (door, _):
        here = registration()
        del here["spec"]["service"]
        await replace(door, here)
        found = await condition(door, lambda found: found["reason"] == "Local")
        assert found["message"] == "Local APIServices are always available"
        assert (await door.ask("GET", f"{VERSION}/roses")).code == 404


def test_extra_keys_are_escaped_in_header_names() -> None:
    user = User("ada", "1", ("poets",), {"example.com/Scope %": ("a", "b")})
    assert list(identity(user).items()) == [
        ("X-Remote-User", "ada"),
        ("X-Remote-Uid", "1"),
        ("X-Remote-Group", "poets"),
        ("X-Remote-Extra-example.com%2FScope%20%25", "a"),
        ("X-Remote-Extra-example.com%2FScope%20%25", "b"),
    ]


@pytest.mark.parametrize("document", [b"", b"[]", b'{"resources":1}', b'{"resources":[{"kind":"x"}]}', b'{"x":' * 5000])
def test_documents_that_cannot_be_read_are_as_good_as_none(document: bytes) -> None:
    assert discovered(GroupVersion("a", "v1"), document) == ()


async def test_parts_of_this_process_read_from_the_other_server(tmp_path: Path) -> None:
    async with aggregating(tmp_path) as (door, florist):
        assert door.aggregator is not None
        client = LocalClient(door.registry, others=door.aggregator.fetch).as_user("controller", ("system:masters",))
        assert await client.fetch(f"{VERSION}/roses", {"colour": "red"}) == {"asked": f"{VERSION}/roses?colour=red"}
        (request,) = florist.requests
        assert request.headers["X-Remote-User"] == "controller"
        with pytest.raises(NotFound, match="the server could not find the requested resource"):
            await client.fetch("/apis/custom.metrics.k8s.io/v1beta2/namespaces/a/pods/*/hits", {})
        florist.discovery_status = 500
        await put(door, florists(1)[0])  # a change, so that it is checked again
        await condition(door, lambda found: found["status"] == "False")
        with pytest.raises(ServiceUnavailable):
            await client.fetch(f"{VERSION}/roses", {})
