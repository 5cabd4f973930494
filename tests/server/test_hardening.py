"""Attempts to get in, to break the server or to make it work for nothing: each with what becomes of it."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest
import structlog

from kcore.kit.clock import SystemClock
from kcore.server.authentication.options import AuthenticationOptions
from kcore.server.certificates import Pki, serving_names
from tests.server.credentials import Authority
from tests.server.serving import CONFIGMAPS, Door, configmap, serving
from tests.server.test_authentication import asked_through

PODS = "/api/v1/namespaces/default/pods"
YAML = "application/yaml"


class Answered(NamedTuple):
    code: int
    text: str


async def sent(port: int, data: bytes) -> Answered:
    """Bytes as they are, and what comes back; code 0: nothing."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        received = b""
        with anyio.move_on_after(30):
            try:
                await stream.send(data)
                while not re.search(rb"\r\n\r\n", received) or len(received.partition(b"\r\n\r\n")[2]) < _length(
                    received
                ):
                    received += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass
    code = re.match(rb"HTTP/1\.1 (\d+)", received)
    return Answered(int(code[1]) if code else 0, received.decode("latin-1"))


def _length(received: bytes) -> int:
    found = re.search(rb"[Cc]ontent-[Ll]ength: (\d+)", received)
    return int(found[1]) if found else 0


def port_of(door: Door) -> int:
    return int(door.server.url.rpartition(":")[2])


def line(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    given = ["Host: x", "Authorization: Bearer admin-token", *headers]
    if body:
        given.append(f"Content-Length: {len(body)}")
    return "\r\n".join((f"{method} {path} HTTP/1.1", *given, "", "")).encode("latin-1") + body


# Heads


@pytest.mark.parametrize(
    ("request_bytes", "code", "words"),
    [
        (line("GET", "/api/v1/namespaces/default/../../../etc/passwd"), 404, "could not find the requested resource"),
        (line("GET", f"{PODS}/..%2f..%2f..%2fetc%2fpasswd"), 404, "could not find the requested resource"),
        (line("GET", f"{PODS}/%252e%252e"), 400, "may not contain '%'"),
        (line("GET", f"{PODS}/%2e%2e"), 400, "Name parameter invalid"),
        (line("GET", f"{PODS}/a%00b"), 404, r'"a\\x00b\" not found'),
        (line("GET", f"{PODS}/a%0d%0aX-Evil:%201"), 404, r"a\\r\\nX-Evil: 1"),
        (line("GET", "/openapi/v3/..%2f..%2fetc%2fpasswd"), 404, ""),
        (line("GET", "/healthz/..%2fetc"), 404, ""),
        (line("GET", "/api\0"), 400, "400 Bad Request"),
        (line("GET", "/api", "A\0b: c"), 400, "400 Bad Request"),
        (line("GET", "/api", "Impersonate-User: a\0b"), 400, "400 Bad Request"),
        (line("GET", "/api", "Audit-Id: a\rX-Evil: 1"), 400, "400 Bad Request"),
        (line("POST", "/api", "Content-Length: 1", "Content-Length: 2", body=b"aa"), 400, "400 Bad Request"),
        (
            line("POST", "/api", "Transfer-Encoding: chunked", "Content-Length: 1") + b"0\r\n\r\n",
            400,
            "400 Bad Request",
        ),
        (line("POST", "/api", "Transfer-Encoding: xchunked"), 400, "400 Bad Request"),
        (line("GET", "/api/v1/" + "a" * 20_000), 400, "400 Bad Request"),
        (line("GET", "/api", *(f"X-{i}: 1" for i in range(20_000))), 400, "400 Bad Request"),
        (line("GET", "/api", f"X: {'1' * 100_000}"), 400, "400 Bad Request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100, 405, "does not allow this method"),
        (line("GET", f"{CONFIGMAPS}?limit={'9' * 5000}"), 400, "value out of range"),
        (line("GET", f"{CONFIGMAPS}?resourceVersion={'9' * 5000}"), 400, "value out of range"),
        (line("GET", f"{CONFIGMAPS}?timeoutSeconds=-{'9' * 5000}&watch=1"), 400, "value out of range"),
        (line("GET", f"{CONFIGMAPS}?continue={'A' * 5000}"), 400, "invalid continue token"),
        (line("GET", f"{CONFIGMAPS}?labelSelector={'(' * 3000}"), 400, "expected: !, identifier"),
    ],
    ids=lambda value: re.sub(rb"\s+", b" ", value[:60]).decode("latin-1") if isinstance(value, bytes) else "",
)
async def test_head_that_is_not_what_it_should_be(request_bytes: bytes, code: int, words: str) -> None:
    async with serving() as door:
        answer = await sent(port_of(door), request_bytes)
        assert answer.code == code, answer.text[:300]
        assert words in answer.text
        assert "\nX-Evil" not in answer.text
        assert (await door.ask("GET", "/readyz")).code == 200


async def test_id_of_a_client_can_not_smuggle_in_headers() -> None:
    async with serving() as door:
        answer = await sent(port_of(door), line("GET", "/readyz", "Audit-Id: a\x0bb\x85c"))
        assert answer.text.count("Audit-Id") <= 1
        assert answer.code in (200, 400)


# Bodies


def yaml_bomb() -> bytes:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    return "\n".join(lines).encode()


def pod(**spec: Any) -> bytes:
    return json.dumps(
        {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "b"}], **spec}}
    ).encode()


def cpu(amount: str) -> bytes:
    return pod(containers=[{"name": "a", "image": "b", "resources": {"requests": {"cpu": amount}}}])


DEEP = b'{"metadata":{"name":"d","annotations":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}}"


@pytest.mark.parametrize(
    ("path", "content_type", "body", "words"),
    [
        (CONFIGMAPS, YAML, yaml_bomb(), "document contains excessive aliasing"),
        (CONFIGMAPS, YAML, b"metadata: " + b"[" * 50_000, "exceeded max"),
        (CONFIGMAPS, YAML, b"a: &a\n  b: *a\n", "unknown anchor|contains itself|excessive|not defined"),
        (CONFIGMAPS, YAML, b"!!python/object/apply:os.system ['id']", "must be of type ConfigMap|cannot unmarshal"),
        (CONFIGMAPS, "application/json", DEEP, "exceeded max depth"),
        (CONFIGMAPS, "application/json", b"[" * 1_000_000, "exceeded max depth|cannot unmarshal"),
        (CONFIGMAPS, "application/json", b'{"data":{"a":"\\ud800"}', "unexpected end of JSON input"),
        (CONFIGMAPS, "application/json", b"\xff\xfe{}", "invalid character"),
        (CONFIGMAPS, "application/vnd.kubernetes.protobuf", b"k8s\0" + b"\xff" * 2000, ""),
        (CONFIGMAPS, "application/vnd.kubernetes.protobuf", b"k8s\0\x0a\xff\xff\xff\xff\x7f", ""),
        (PODS, "application/json", pod(terminationGracePeriodSeconds=10**4000), "cannot unmarshal number"),
        (PODS, "application/json", pod(activeDeadlineSeconds=1e300), "cannot unmarshal number"),
        (PODS, "application/json", cpu("9" * 100_000), "unable to parse"),
        (PODS, "application/json", cpu("1e999999999"), "unable to parse"),
        (PODS, "application/json", cpu("1e" + "9" * 5000), "unable to parse"),
        (PODS, "application/json", cpu("1E-" + "9" * 5000), "unable to parse"),
    ],
    ids=lambda value: re.sub(r"\W+", "-", str(value[:24])) if isinstance(value, bytes) else "",
)
async def test_body_that_means_harm_is_refused(path: str, content_type: str, body: bytes, words: str) -> None:
    async with serving() as door:
        answer = await door.ask("POST", path, body, Content_Type=content_type)
        assert answer.code == 400, answer.body[:300]
        assert re.search(words, answer.json["message"]), answer.json["message"][-200:]


@pytest.mark.parametrize(
    ("content_type", "body", "code"),
    [
        (
            "application/json-patch+json",
            json.dumps([{"op": "copy", "from": "/data", "path": "/data/a"}] * 9000).encode(),
            413,
        ),
        ("application/json-patch+json", json.dumps([{"op": "test", "path": "/x", "value": 1}] * 20_000).encode(), 413),
        ("application/merge-patch+json", b'{"data":' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400),
        ("application/strategic-merge-patch+json", b'{"data":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, 400),
        ("application/apply-patch+yaml", yaml_bomb(), 400),
    ],
)
async def test_patch_that_means_harm_is_refused(content_type: str, body: bytes, code: int) -> None:
    async with serving() as door:
        await door.ask("POST", CONFIGMAPS, {**configmap("c"), "data": {"k": "x" * 1000}})
        answer = await door.ask("PATCH", f"{CONFIGMAPS}/c?fieldManager=me", body, Content_Type=content_type)
        assert answer.code == code, answer.body[:300]


async def test_packed_bodies_are_not_unpacked() -> None:
    """As upstream: whoever sends a small body that would be a large one is told that it is no JSON."""
    import gzip

    async with serving() as door:
        packed = gzip.compress(b'{"metadata": {"name": "c"}}' + b" " * 10_000_000)
        answer = await door.ask("POST", CONFIGMAPS, packed, Content_Encoding="gzip")
        assert answer.code == 400


# Who connects


@asynccontextmanager
async def over_tls(directory: Path) -> AsyncIterator[tuple[Door, ssl.SSLContext]]:
    pki = Pki.ensure(directory, SystemClock(), serving_names("127.0.0.1", "10.96.0.0/16"))
    options = AuthenticationOptions()
    async with serving(pki.server_context(), policed=True, access=options, pki=directory) as door:
        yield door, ssl.create_default_context(cafile=str(directory / "ca.crt"))


async def test_old_versions_of_tls_are_refused(tmp_path: Path) -> None:
    async with over_tls(tmp_path) as (door, context):
        assert await asked_through(door, context) == 403
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises((OSError, ssl.SSLError, anyio.BrokenResourceError)):
            await anyio.connect_tcp("127.0.0.1", port_of(door), ssl_context=context)


async def test_certificate_of_another_authority_opens_nothing(tmp_path: Path) -> None:
    async with over_tls(tmp_path) as (door, _):
        forged = Authority(tmp_path, "forged").client(tmp_path / "ca.crt", "root", "system:masters")
        with pytest.raises(OSError):  # noqa: PT011  # what TLS says of it differs by version
            await asked_through(door, forged)


def test_keys_and_their_folder_are_their_owners_alone(tmp_path: Path) -> None:
    Pki.ensure(tmp_path / "pki", SystemClock(), ("localhost",))
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "pki").iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("host", "origin", "code"),
    [
        ("localhost:{port}", None, 200),
        ("127.0.0.1:{port}", None, 200),
        ("[::1]:{port}", None, 200),
        ("LOCALHOST", None, 200),
        ("localhost:{port}", "http://localhost:{port}", 200),
        ("evil.example", None, 403),
        ("evil.example:{port}", "http://evil.example:{port}", 403),
        ("localhost.evil.example", None, 403),
        ("127.0.0.1.evil.example", None, 403),
        ("user@localhost", None, 403),
        ("evil.example@localhost:x", None, 403),
        ("", None, 403),
        ("localhost:{port}", "http://evil.example", 403),
        ("localhost:{port}", "null", 403),
        ("localhost:{port}", "http://localhost:1", 403),
    ],
)
async def test_insecure_port_serves_no_web_page(
    free_port: Callable[[], int], host: str, origin: str | None, code: int
) -> None:
    port = free_port()
    async with serving(insecure_port=port):
        headers = [f"Host: {host.format(port=port)}", *([f"Origin: {origin.format(port=port)}"] if origin else [])]
        answer = await sent(port, "\r\n".join(("GET /api HTTP/1.1", *headers, "", "")).encode())
        assert answer.code == code, answer.text[:300]


async def test_web_page_opens_no_socket_on_the_insecure_port(free_port: Callable[[], int]) -> None:
    port = free_port()
    async with serving(insecure_port=port):
        handshake = (
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            f"Host: localhost:{port}",
            "Origin: https://evil.example",
        )
        answer = await sent(port, "\r\n".join((f"GET {PODS}?watch=1 HTTP/1.1", *handshake, "", "")).encode())
        assert answer.code == 403


# What is said


async def test_no_secret_is_logged_or_told() -> None:
    secret = "c2VjcmV0LXZhbHVl"
    with structlog.testing.capture_logs() as logs:
        async with serving() as door:
            path = "/api/v1/namespaces/default/secrets"
            answers = [
                await door.ask("GET", CONFIGMAPS, token=secret),
                await door.ask("POST", path, {"metadata": {"name": "UPPER"}, "data": {"k": secret}}),
                await door.ask(
                    "POST", path, {"metadata": {"name": "s"}, "type": "kubernetes.io/tls", "data": {"k": secret}}
                ),
                await door.ask("POST", path, {"metadata": {"name": "s"}, "data": {"k": secret[:-1]}}),
                await door.ask("POST", path, {"metadata": {"name": "s"}, "data": {"bad key": secret}}),
            ]
    assert [answer.code for answer in answers] == [401, 422, 422, 400, 422]
    said = "".join(answer.body.decode() for answer in answers) + repr(logs)
    assert secret not in said
    assert secret[:-1] not in said


# A node


async def test_node_sees_the_secrets_of_its_pods_alone(tmp_path: Path) -> None:
    options = AuthenticationOptions(token_auth_file=node_tokens(tmp_path))
    async with serving(policed=True, access=options, pki=tmp_path) as door:
        for name in ("mine", "theirs"):
            await door.ask("POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": name}})
        await door.ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
        for node, secret in (("one", "mine"), ("two", "theirs")):
            await door.ask("POST", "/api/v1/nodes", {"metadata": {"name": node}})
            volumes = [{"name": "s", "secret": {"secretName": secret}}]
            spec = {"nodeName": node, "containers": [{"name": "a", "image": "b"}], "volumes": volumes}
            answer = await door.ask("POST", PODS, {"metadata": {"name": f"on-{node}"}, "spec": spec})
            assert answer.code == 201, answer.body
        for path, code in (
            ("secrets/mine", 200),
            ("secrets?fieldSelector=metadata.name%3Dmine", 200),
            ("secrets/theirs", 403),
            ("secrets", 403),
            ("secrets?fieldSelector=metadata.name%3Dtheirs", 403),
            ("pods/on-one", 200),
            ("pods/on-two", 403),
            ("pods", 403),
        ):
            assert (await door.ask("GET", f"/api/v1/namespaces/default/{path}", token="node-one")).code == code, path
        assert (await door.ask("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Done", token="node-one")).code == 200
        assert (await door.ask("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dtwo", token="node-one")).code == 403
        refused = await door.ask("GET", "/api/v1/namespaces/default/secrets/theirs", token="node-one")
        assert refused.json["message"].endswith("no relationship found between node 'one' and this object")


def node_tokens(directory: Path) -> Path:
    path = directory / "tokens.csv"
    path.write_text('admin-token,admin,1,"system:masters"\nnode-one,system:node:one,2,"system:nodes"\n')
    return path
