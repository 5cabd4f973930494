"""Each way of being known, over HTTP, and what is refused."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kcore.kit.clock import SystemClock
from kcore.registry.authentication import InvalidToken
from kcore.server.authentication.oidc import OidcOptions, OidcTokens, user_of_claims
from kcore.server.authentication.options import AuthenticationOptions, BadOption
from kcore.server.certificates import Pki, serving_names
from tests.server.credentials import Authority, write_key
from tests.server.serving import Door, serving
from tests.server.test_service_account_tokens import issued, whoami

WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
SECRETS = "/api/v1/namespaces/kube-system/secrets"


def token_file(directory: Path) -> Path:
    path = directory / "tokens.csv"
    path.write_text('admin-token,admin,1,"system:masters"\nknown-token,known,2\n')
    return path


@asynccontextmanager
async def knowing(directory: Path, tls: ssl.SSLContext | None = None, **flags: Any) -> AsyncIterator[Door]:
    """A server with these flags and the tokens of a file."""
    options = AuthenticationOptions(token_auth_file=token_file(directory), **flags)
    async with serving(tls, policed=True, access=options, pki=directory) as door:
        if tls is None:
            await door.ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "robot"}})
        yield door


# Bootstrap tokens


def bootstrap_secret(**changes: str | None) -> dict[str, Any]:
    said = {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:workers",
        **changes,
    }
    data = {key.replace("_", "-"): value for key, value in said.items() if value is not None}
    kind = data.pop("type", "bootstrap.kubernetes.io/token")
    return {"metadata": {"name": "bootstrap-token-abcdef"}, "type": kind, "stringData": data}


async def test_bootstrap_token_makes_a_bootstrapper(tmp_path: Path) -> None:
    async with knowing(tmp_path) as door:
        assert (await door.ask("POST", SECRETS, bootstrap_secret())).code == 201
        user = await whoami(door, "abcdef.0123456789abcdef")
        assert user["username"] == "system:bootstrap:abcdef"
        groups = ["system:bootstrappers", "system:bootstrappers:workers", "system:authenticated"]
        assert user["groups"] == groups
        review = await door.ask("POST", REVIEWS, {"spec": {"token": "abcdef.0123456789abcdef"}})
        assert review.json["status"]["user"]["groups"] == groups


@pytest.mark.parametrize(
    ("changes", "token"),
    [
        ({}, "abcdef.0123456789abcdee"),
        ({}, "abcdef.0123456789abcdef0"),
        ({}, "abcdeg.0123456789abcdef"),
        ({"token-id": "abcdeg"}, "abcdef.0123456789abcdef"),
        ({"usage-bootstrap-authentication": "false"}, "abcdef.0123456789abcdef"),
        ({"usage-bootstrap-authentication": None}, "abcdef.0123456789abcdef"),
        ({"expiration": "2020-01-01T00:00:00Z"}, "abcdef.0123456789abcdef"),
        ({"expiration": "tomorrow"}, "abcdef.0123456789abcdef"),
        ({"auth-extra-groups": "system:masters"}, "abcdef.0123456789abcdef"),
        ({"type": "Opaque"}, "abcdef.0123456789abcdef"),
    ],
)
async def test_bootstrap_token_that_its_secret_does_not_grant(
    tmp_path: Path, changes: dict[str, str | None], token: str
) -> None:
    async with knowing(tmp_path) as door:
        assert (await door.ask("POST", SECRETS, bootstrap_secret(**changes))).code == 201
        assert await whoami(door, token) == 401


async def test_bootstrap_tokens_can_be_switched_off(tmp_path: Path) -> None:
    async with knowing(tmp_path, enable_bootstrap_token_auth=False) as door:
        await door.ask("POST", SECRETS, bootstrap_secret())
        assert await whoami(door, "abcdef.0123456789abcdef") == 401


# Keys and lives of service account tokens


async def test_tokens_of_a_former_key_are_good_while_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    async with knowing(tmp_path) as door:
        old = await issued(door)
    former = tmp_path / "former.key"
    (tmp_path / "sa.key").rename(former)
    rsa_key = tmp_path / "rsa.key"
    write_key(rsa_key, rsa.generate_private_key(65537, 2048))
    new_key = write_key(tmp_path / "new.key", ec.generate_private_key(ec.SECP384R1()))
    flags: dict[str, Any] = {"service_account_signing_key_file": new_key, "service_account_key_file": (former, rsa_key)}
    async with knowing(tmp_path, **flags) as door:
        new = await issued(door)
        assert jwt.get_unverified_header(new)["alg"] == "ES384"
        assert (await whoami(door, new))["username"] == "system:serviceaccount:default:robot"
        document = await door.ask("GET", "/openid/v1/jwks")
        assert [key["alg"] for key in document.json["keys"]] == ["ES384", "ES256", "RS256"]
        key = next(k for k in document.json["keys"] if k["kid"] == jwt.get_unverified_header(old)["kid"])
        assert jwt.decode(old, jwt.PyJWK(key), ["ES256"], audience="https://kubernetes.default.svc")
    async with knowing(tmp_path, service_account_signing_key_file=new_key) as door:
        assert await whoami(door, old) == 401


async def test_tokens_live_no_longer_than_the_server_allows(tmp_path: Path) -> None:
    async with knowing(tmp_path, service_account_max_token_expiration=3600.0) as door:
        path = "/api/v1/namespaces/default/serviceaccounts/robot/token"
        answer = await door.ask("POST", path, {"spec": {"expirationSeconds": 7200}})
        assert answer.json["spec"]["expirationSeconds"] == 3600
        assert "requested expiration of 7200 seconds shortened to 3600 seconds" in answer.headers["Warning"]


async def test_issuer_and_audiences_are_what_the_flags_say(tmp_path: Path) -> None:
    async with knowing(tmp_path, service_account_issuer=("https://a",)) as door:  # the same seed makes the same uids
        of_a = await issued(door)
    flags: dict[str, Any] = {"service_account_issuer": ("https://b", "https://a"), "api_audiences": ("https://a", "me")}
    async with knowing(tmp_path, **flags) as door:
        claims = jwt.decode(await issued(door), options={"verify_signature": False})
        assert (claims["iss"], claims["aud"]) == ("https://b", ["https://a", "me"])
        configuration = (await door.ask("GET", "/.well-known/openid-configuration")).json
        assert configuration["issuer"] == "https://b"
        assert (await whoami(door, of_a))["username"] == "system:serviceaccount:default:robot"
        static = await door.ask("POST", REVIEWS, {"spec": {"token": "known-token", "audiences": ["me", "you"]}})
        assert static.json["status"]["audiences"] == ["me"]


# A front proxy


@asynccontextmanager
async def proxied(directory: Path, **flags: Any) -> AsyncIterator[tuple[Door, Authority]]:
    pki = Pki.ensure(directory, SystemClock(), serving_names("127.0.0.1", "10.96.0.0/16"))
    proxies = Authority(directory, "proxies")
    tls = pki.server_context([proxies.path])
    async with knowing(directory, tls, requestheader_client_ca_file=proxies.path, **flags) as door:
        yield door, proxies


async def asked_through(door: Door, tls: ssl.SSLContext, headers: Mapping[str, str] | None = None) -> Any:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session,
        session.post(door.server.url + WHOAMI, json={}, headers=headers) as answer,
    ):
        return (await answer.json())["status"]["userInfo"] if answer.status == 201 else answer.status


REMOTE = {
    "X-Remote-User": "ann",
    "X-Remote-Uid": "7",
    "X-Remote-Group": "dev",
    "X-Remote-Extra-Example.com%2fScopes": "a",
}


async def test_proxy_with_its_certificate_tells_the_user(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (door, proxies):
        user = await asked_through(door, proxies.client(tmp_path / "ca.crt", "aggregator"), REMOTE)
        assert (user["username"], user["uid"]) == ("ann", "7")
        assert user["groups"] == ["dev", "system:authenticated"]
        assert user["extra"] == {"example.com/scopes": ["a"]}


async def test_proxy_without_a_user_is_nobody(tmp_path: Path) -> None:
    """Its certificate is none of a client's, even where it claims to be a master's."""
    async with proxied(tmp_path) as (door, proxies):
        assert await asked_through(door, proxies.client(tmp_path / "ca.crt", "x", "system:masters")) == 403


async def test_only_allowed_names_may_be_proxies(tmp_path: Path) -> None:
    async with proxied(tmp_path, requestheader_allowed_names=("aggregator",)) as (door, proxies):
        assert (await asked_through(door, proxies.client(tmp_path / "ca.crt", "aggregator"), REMOTE))["uid"] == "7"
        assert await asked_through(door, proxies.client(tmp_path / "ca.crt", "other"), REMOTE) == 401


async def test_headers_of_a_client_are_not_believed(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (door, _):
        admin = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        admin.load_cert_chain(tmp_path / "admin.crt", tmp_path / "admin.key")
        assert (await asked_through(door, admin, REMOTE))["username"] == "kubernetes-admin"
        stranger = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        assert await asked_through(door, stranger, REMOTE) == 403


# Certificates, and the order of things


async def test_certificate_is_told_apart_by_its_hash_and_may_carry_a_uid(tmp_path: Path) -> None:
    pki = Pki.ensure(tmp_path, SystemClock(), serving_names("127.0.0.1", "10.96.0.0/16"))
    clients = Authority(tmp_path, "clients")
    async with knowing(tmp_path, pki.server_context([clients.path]), client_ca_file=clients.path) as door:
        user = await asked_through(door, clients.client(tmp_path / "ca.crt", "ann", "dev", "ops", uid="u-1"))
        assert (user["username"], user["uid"], user["groups"]) == ("ann", "u-1", ["dev", "ops", "system:authenticated"])
        (credential,) = user["extra"]["authentication.kubernetes.io/credential-id"]
        assert credential.startswith("X509SHA256=")
        # As upstream: the certificate is looked at first, and where it is good nobody looks at the token.
        wrong = {"Authorization": "Bearer wrong"}
        assert (await asked_through(door, clients.client(tmp_path / "ca.crt", "ann"), wrong))["username"] == "ann"


async def test_nobody_is_let_in_without_credentials_where_anonymous_is_off(tmp_path: Path) -> None:
    async with knowing(tmp_path, anonymous_auth=False) as door:
        assert (await door.ask("GET", "/healthz", token=None)).code == 401
        assert (await door.ask("GET", "/healthz", token="known-token")).code == 200


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        ("Bearer known-token", 200),
        ("bearer known-token", 200),
        ("Bearer known-token more", 200),
        ("Bearer  known-token", 403),
        ("Basic a25vd24=", 403),
        ("Bearer wrong", 401),
        ("Bearer", 403),
    ],
)
async def test_authorization_header_is_read_as_upstream_reads_it(tmp_path: Path, credentials: str, code: int) -> None:
    async with knowing(tmp_path) as door:
        assert (await door.ask("GET", "/api", token=None, Authorization=credentials)).code == code


async def test_browsers_show_tokens_among_the_subprotocols(tmp_path: Path) -> None:
    async with knowing(tmp_path) as door:
        encoded = base64.urlsafe_b64encode(b"known-token").decode().rstrip("=")
        token = f"base64url.bearer.authorization.k8s.io.{encoded}"

        async def asked(protocols: str) -> int:
            upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Protocol": protocols}
            return (await door.ask("GET", "/api", token=None, **upgrade)).code

        assert await asked(f"v5.channel.k8s.io, {token}") == 200
        for wrong in (token, f"a, {token}x", f"a, {token}, {token}", "a, base64url.bearer.authorization.k8s.io.!"):
            assert await asked(wrong) == 401
        assert (await door.ask("GET", "/api", token=None, Sec_WebSocket_Protocol=f"a, {token}")).code == 403


# OpenID Connect

PROVIDER_KEY = rsa.generate_private_key(65537, 2048)


class Provider:
    """An OpenID provider whose keys can be changed."""

    def __init__(self) -> None:
        self.keys = {"one": PROVIDER_KEY}
        self.url = ""
        self.fetched = 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/.well-known/openid-configuration":
            return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})
        self.fetched += 1
        to_jwk = jwt.algorithms.RSAAlgorithm.to_jwk
        keys = [{**to_jwk(key.public_key(), as_dict=True), "kid": name} for name, key in self.keys.items()]
        return web.json_response({"keys": keys})

    def token(self, key: str = "one", algorithm: str = "RS256", **claims: Any) -> str:
        now = SystemClock().now()
        said = {"iss": self.url, "aud": "kcore", "exp": now + 600, "sub": "ann", **claims}
        return jwt.encode(said, self.keys.get(key, PROVIDER_KEY), algorithm, headers={"kid": key})


@asynccontextmanager
async def provider(directory: Path) -> AsyncIterator[Provider]:
    found = Provider()
    folder = directory / "provider"
    tls = Pki.ensure(folder, SystemClock(), serving_names("127.0.0.1", "10.96.0.0/16")).server_context()
    runner = web.ServerRunner(web.Server(found.answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    found.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield found
    finally:
        await runner.cleanup()


def flags_of(found: Provider, directory: Path) -> dict[str, Any]:
    return {
        "oidc_issuer_url": found.url,
        "oidc_client_id": "kcore",
        "oidc_ca_file": directory / "provider" / "ca.crt",
        "oidc_groups_claim": "teams",
        "oidc_groups_prefix": "oidc:",
        "oidc_required_claim": ("tenant=one",),
    }


async def test_id_token_of_the_provider_makes_a_user(tmp_path: Path) -> None:
    async with provider(tmp_path) as found, knowing(tmp_path, **flags_of(found, tmp_path)) as door:
        token = found.token(teams=["dev", "ops"], tenant="one", jti="t1")
        for _ in range(2):
            user = await whoami(door, token)
            assert user["username"] == f"{found.url}#ann"
            assert user["groups"] == ["oidc:dev", "oidc:ops", "system:authenticated"]
            assert user["extra"] == {"authentication.kubernetes.io/credential-id": ["JTI=t1"]}
        assert found.fetched == 1
        for refused in (
            found.token(teams=["dev"]),
            found.token(tenant="two"),
            found.token(tenant="one", aud="other"),
            found.token(tenant="one", exp=1),
            found.token(tenant="one", teams=[7]),
            found.token(tenant="one", iss="https://elsewhere"),
            found.token(tenant="one", algorithm="RS512"),
            jwt.encode({"iss": found.url, "aud": "kcore"}, "secret" * 8, "HS256"),
            jwt.encode({"iss": found.url, "aud": "kcore"}, "", "none"),
            token[:-6] + "AAAAAA",
        ):
            assert await whoami(door, refused) == 401


async def test_keys_of_a_provider_are_fetched_again_when_one_is_new(tmp_path: Path) -> None:
    async with provider(tmp_path) as found:
        clock = HandClock(SystemClock().now())
        options = AuthenticationOptions(**flags_of(found, tmp_path)).oidc
        assert options is not None
        tokens = OidcTokens(options, clock)
        assert await tokens.user(found.token(tenant="one")) is not None
        found.keys["two"] = rsa.generate_private_key(65537, 2048)
        with pytest.raises(InvalidToken):  # it was asked a moment ago
            await tokens.user(found.token("two", tenant="one"))
        clock.time += 11
        assert await tokens.user(found.token("two", tenant="one")) is not None
        assert found.fetched == 2


async def test_provider_that_does_not_answer_lets_nobody_in(tmp_path: Path) -> None:
    async with provider(tmp_path) as found:
        flags = flags_of(found, tmp_path)
    async with knowing(tmp_path, **flags) as door:
        assert await whoami(door, found.token(tenant="one")) == 401
        assert await whoami(door, "known-token") != 401


class HandClock:
    def __init__(self, time: float) -> None:
        self.time = time

    def now(self) -> float:
        return self.time


@pytest.mark.parametrize(
    ("options", "claims", "name"),
    [
        ({}, {"sub": "ann"}, "https://p#ann"),
        ({"username_prefix": "p:"}, {"sub": "ann"}, "p:ann"),
        ({"username_prefix": "-"}, {"sub": "ann"}, "ann"),
        ({"username_claim": "email"}, {"email": "a@b"}, "a@b"),
        ({"username_claim": "email"}, {"email": "a@b", "email_verified": True}, "a@b"),
        ({"username_claim": "email"}, {"email": "a@b", "email_verified": False}, None),
        ({"username_claim": "email"}, {"email": "a@b", "email_verified": "true"}, None),
        ({"username_claim": "name"}, {"sub": "ann"}, None),
        ({"username_claim": "name"}, {"name": 7}, None),
        ({"groups_claim": "g"}, {"sub": "ann", "g": "one"}, "https://p#ann"),
        ({"groups_claim": "g"}, {"sub": "ann", "g": {"a": "b"}}, None),
    ],
)
def test_claims_tell_the_user(options: dict[str, Any], claims: dict[str, Any], name: str | None) -> None:
    configured = OidcOptions("https://p", "kcore", **options)
    if name is None:
        with pytest.raises(InvalidToken):
            user_of_claims(configured, claims)
    else:
        assert user_of_claims(configured, claims).name == name


@pytest.mark.parametrize(
    "flags",
    [
        {"oidc_issuer_url": "https://p"},
        {"oidc_client_id": "c"},
        {"oidc_issuer_url": "http://p", "oidc_client_id": "c"},
        {"oidc_signing_algs": ("HS256",)},
        {"oidc_required_claim": ("a",)},
        {"service_account_issuer": ("",)},
        {"service_account_issuer": ()},
        {"service_account_max_token_expiration": 60.0},
        {"service_account_jwks_uri": "http://p"},
    ],
)
def test_flags_that_make_no_sense_are_refused(flags: dict[str, Any]) -> None:
    with pytest.raises(BadOption, match="--"):
        AuthenticationOptions(**flags)


def test_no_key_is_printed_with_the_options(tmp_path: Path) -> None:
    """Options are logged now and then: they name files, never what is in them."""
    assert "admin-token" not in json.dumps(str(AuthenticationOptions(token_auth_file=token_file(tmp_path))))
