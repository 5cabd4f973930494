"""Who is let in, and as whom."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from kcore.kit.clock import SystemClock
from kcore.server.authentication.client_certificates import user_of_certificate
from kcore.server.authentication.static_tokens import read_token_file
from kcore.server.certificates import Pki, serving_names
from kcore.server.server import PortInUse
from tests.server.serving import CONFIGMAPS, serving

NAMESPACE = "/api/v1/namespaces/default"


async def test_unknown_token_is_unauthorized() -> None:
    async with serving() as door:
        answer = await door.ask("GET", CONFIGMAPS, token="wrong")
        assert (answer.code, answer.json["message"], answer.json["reason"]) == (401, "Unauthorized", "Unauthorized")
        assert "details" not in answer.json


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            CONFIGMAPS,
            'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" '
            'in API group "" in the namespace "default"',
        ),
        (
            "/apis/apps/v1/namespaces/x/deployments/d/scale",
            'deployments.apps "d" is forbidden: User "system:anonymous" cannot get resource "deployments/scale" '
            'in API group "apps" in the namespace "x"',
        ),
        (
            "/api/v1/nodes",
            'nodes is forbidden: User "system:anonymous" cannot list resource "nodes" in API group "" '
            "at the cluster scope",
        ),
        ("/api", 'forbidden: User "system:anonymous" cannot get path "/api"'),
        ("/metrics", 'forbidden: User "system:anonymous" cannot get path "/metrics"'),
    ],
)
async def test_anonymous_is_told_what_is_forbidden(path: str, message: str) -> None:
    async with serving() as door:
        answer = await door.ask("GET", path, token=None)
        assert (answer.code, answer.json["message"]) == (403, message)


@pytest.mark.parametrize("path", ["/version", "/healthz", "/readyz", "/livez/ping"])
async def test_everyone_may_ask_for_health_and_version(path: str) -> None:
    async with serving() as door:
        assert (await door.ask("GET", path, token=None)).code == 200


async def test_masters_act_as_others_and_others_do_not() -> None:
    async with serving() as door:
        as_known = await door.ask("GET", CONFIGMAPS, Impersonate_User="joe")
        assert as_known.code == 403
        assert 'User "joe" cannot list' in as_known.json["message"]
        as_master = await door.ask("GET", CONFIGMAPS, Impersonate_User="joe", Impersonate_Group="system:masters")
        assert as_master.code == 200
        refused = await door.ask("GET", CONFIGMAPS, token="known-token", Impersonate_User="admin")
        assert (
            refused.json["message"]
            == 'users "admin" is forbidden: User "known" cannot impersonate resource "users" in API group "" '
            "at the cluster scope"
        )


def client_context(pki: Pki, directory: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(directory / "ca.crt"))
    context.load_cert_chain(directory / "admin.crt", directory / "admin.key")
    return context


async def test_client_certificate_names_its_user(tmp_path: Path) -> None:
    pki = Pki.ensure(tmp_path, SystemClock(), serving_names("127.0.0.1", "10.96.0.0/16"))
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    async with serving(pki.server_context()) as door:
        for context, code in ((client_context(pki, tmp_path), 200), (trusting, 403)):
            connector = aiohttp.TCPConnector(ssl=context)
            async with (
                aiohttp.ClientSession(connector=connector) as session,
                session.get(door.server.url + NAMESPACE) as answer,
            ):
                assert answer.status == code


def test_certificate_without_a_common_name_is_nobody() -> None:
    assert user_of_certificate({"subject": ((("organizationName", "system:masters"),),)}) is None


async def test_insecure_port_trusts_everyone(free_port: Callable[[], int]) -> None:
    port = free_port()
    async with serving(insecure_port=port) as door, door.session.get(f"http://127.0.0.1:{port}{NAMESPACE}") as answer:
        assert answer.status == 200


async def test_port_in_use_is_said_in_one_sentence() -> None:
    async with serving() as door:
        with pytest.RaisesGroup(PortInUse, flatten_subgroups=True) as caught:
            async with serving(insecure_port=door.server.port):
                pass
        assert f"can not listen on 127.0.0.1:{door.server.port}" in str(caught.value.exceptions[0])


def test_token_file_is_read_as_upstream_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "tokens.csv"
    path.write_text('t1,ann,7,"dev,ops"\n\nt2,bob,8\n')
    users = read_token_file(path)
    assert users["t1"].groups == ("dev", "ops")
    assert (users["t2"].name, users["t2"].uid) == ("bob", "8")


def test_bad_line_of_a_token_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tokens.csv"
    path.write_text("t1,ann,7\nt2\n")
    with pytest.raises(ValueError, match=r"tokens\.csv:2: a line must read"):
        read_token_file(path)
