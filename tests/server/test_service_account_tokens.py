"""Tokens of service accounts over HTTP: asked for, used, reviewed, and gone with what they are bound to."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest

from kcore.server.service_account_keys import ServiceAccountKeys
from tests.server.serving import Door, serving

CORE = "/api/v1/namespaces/default"
TOKEN = f"{CORE}/serviceaccounts/robot/token"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ISSUER = "https://kubernetes.default.svc"


@asynccontextmanager
async def with_robot(directory: Path) -> AsyncIterator[Door]:
    async with serving(keys=ServiceAccountKeys(directory / "sa.key"), policed=True) as door:
        for name in ("robot", "other"):
            await door.ask("POST", f"{CORE}/serviceaccounts", {"metadata": {"name": name}})
        containers = [{"name": "app", "image": "registry.example/app:1"}]
        spec = {"serviceAccountName": "robot", "containers": containers}
        await door.ask("POST", f"{CORE}/pods", {"metadata": {"name": "p"}, "spec": spec})
        yield door


async def issued(door: Door, **spec: Any) -> str:
    answer = await door.ask("POST", TOKEN, {"spec": spec})
    assert answer.code == 201, answer.body
    return str(answer.json["status"]["token"])


async def whoami(door: Door, token: str) -> Any:
    answer = await door.ask("POST", WHOAMI, {}, token=token)
    return answer.json["status"]["userInfo"] if answer.code == 201 else answer.code


def claims_of(token: str) -> Any:
    return jwt.decode(token, options={"verify_signature": False})


async def test_token_says_who_it_is_for_and_for_how_long(tmp_path: Path) -> None:
    async with with_robot(tmp_path) as door:
        uid = (await door.ask("GET", f"{CORE}/serviceaccounts/robot")).json["metadata"]["uid"]
        claims = claims_of(await issued(door, expirationSeconds=700, audiences=["vault"]))
        assert claims["aud"] == ["vault"]
        assert claims["exp"] - claims["iat"] == 700
        assert (claims["iss"], claims["sub"]) == (ISSUER, "system:serviceaccount:default:robot")
        private = {"namespace": "default", "serviceaccount": {"name": "robot", "uid": uid}}
        assert claims["kubernetes.io"] == private


async def test_token_makes_its_bearer_the_account(tmp_path: Path) -> None:
    async with with_robot(tmp_path) as door:
        token = await issued(door)
        found = await whoami(door, token)
        assert found["username"] == "system:serviceaccount:default:robot"
        assert found["groups"] == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
        assert found["extra"] == {"authentication.kubernetes.io/credential-id": [f"JTI={claims_of(token)['jti']}"]}
        refused = await door.ask("GET", f"{CORE}/pods", token=token)
        assert 'User "system:serviceaccount:default:robot" cannot list resource "pods"' in refused.json["message"]


async def test_account_deleted_and_made_again_has_new_tokens(tmp_path: Path) -> None:
    async with with_robot(tmp_path) as door:
        token = await issued(door)
        await door.ask("DELETE", f"{CORE}/serviceaccounts/robot")
        assert await whoami(door, token) == 401
        await door.ask("POST", f"{CORE}/serviceaccounts", {"metadata": {"name": "robot"}})
        assert await whoami(door, token) == 401


async def test_bound_token_goes_with_its_pod(tmp_path: Path) -> None:
    async with with_robot(tmp_path) as door:
        token = await issued(door, boundObjectRef={"kind": "Pod", "apiVersion": "v1", "name": "p"})
        extra = (await whoami(door, token))["extra"]
        assert extra["authentication.kubernetes.io/pod-name"] == ["p"]
        await door.ask("DELETE", f"{CORE}/pods/p?gracePeriodSeconds=0")
        assert await whoami(door, token) == 401


def forged(token: str, **changes: Any) -> str:
    header, payload, signature = token.split(".")
    claims = {**json.loads(base64.urlsafe_b64decode(payload + "==")), **changes}
    return ".".join((header, base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode(), signature))


async def test_forged_tokens_are_refused(tmp_path: Path) -> None:
    async with with_robot(tmp_path) as door:
        token = await issued(door)
        claims = claims_of(token)
        attempts = {
            "changed": forged(token, sub="system:serviceaccount:kube-system:admin"),
            "unsigned": jwt.encode(claims, "", "none"),
            "symmetric": jwt.encode(claims, "k" * 32, "HS256"),
            "other key": ServiceAccountKeys(tmp_path / "other.key").sign(claims),
            "cut": token[:-4],
            "other audience": await issued(door, audiences=["vault"]),
        }
        for name, attempt in attempts.items():
            assert await whoami(door, attempt) == 401, name


def test_token_of_another_issuer_is_none_of_ours(tmp_path: Path) -> None:
    key = ServiceAccountKeys(tmp_path / "sa.key")
    assert key.verified(key.sign({"iss": "x"})) == {"iss": "x"}
    assert key.verified("no.jwt.here") is None
    assert key.verified("opaque") is None


async def test_key_is_kept_to_its_owner_and_outlives_the_server(tmp_path: Path) -> None:
    async with with_robot(tmp_path) as door:
        await issued(door)
    path = tmp_path / "sa.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ServiceAccountKeys(path).jwks == ServiceAccountKeys(path).jwks


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        ({"expirationSeconds": 599}, 422, "Invalid value: 599: may not specify a duration less than 10 minutes"),
        ({"expirationSeconds": 2**32 + 1}, 422, "may not specify a duration larger than 2^32 seconds"),
        (
            {"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "x"}},
            400,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
        ({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "none"}}, 404, 'pods "none" not found'),
        (
            {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": "1"}},
            409,
            'Operation cannot be fulfilled on Pod "p": the UID in the bound object reference (1) does not match',
        ),
    ],
)
async def test_requests_are_checked(tmp_path: Path, spec: Any, code: int, message: str) -> None:
    async with with_robot(tmp_path) as door:
        answer = await door.ask("POST", TOKEN, {"spec": spec})
        assert answer.code == code
        assert message in answer.json["message"]


async def test_pod_of_another_account_can_not_be_bound_to(tmp_path: Path) -> None:
    async with with_robot(tmp_path) as door:
        spec = {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "p"}}
        answer = await door.ask("POST", TOKEN.replace("robot", "other"), {"spec": spec})
        assert (answer.code, 'serviceaccount "other"' in answer.json["message"]) == (400, True)


@pytest.mark.parametrize(
    ("audiences", "authenticated"), [([], True), ([ISSUER], True), (["vault", ISSUER], True), (["vault"], False)]
)
async def test_review_tells_whose_a_token_is_for_an_audience(
    tmp_path: Path, audiences: list[str], authenticated: bool
) -> None:
    async with with_robot(tmp_path) as door:
        spec = {"token": await issued(door), "audiences": audiences}
        status = (await door.ask("POST", REVIEWS, {"spec": spec})).json["status"]
        assert status.get("authenticated", False) is authenticated
        if authenticated:
            assert status["user"]["username"] == "system:serviceaccount:default:robot"
            assert status["audiences"] == [ISSUER]
        else:
            assert status["error"] == (
                f'[invalid bearer token, token audiences ["{ISSUER}"] is invalid for the target audiences ["vault"]]'
            )


async def test_review_knows_static_tokens_and_refuses_others(tmp_path: Path) -> None:
    async with with_robot(tmp_path) as door:
        known = (await door.ask("POST", REVIEWS, {"spec": {"token": "known-token"}})).json["status"]
        assert (known["authenticated"], known["user"]["username"]) == (True, "known")
        unknown = (await door.ask("POST", REVIEWS, {"spec": {"token": "x"}})).json["status"]
        assert unknown == {"error": "invalid bearer token", "user": {}}
        empty = await door.ask("POST", REVIEWS, {"spec": {}})
        assert (empty.code, empty.json["message"]) == (400, "token is required for TokenReview in authentication")


async def test_others_can_verify_tokens_with_the_published_key(tmp_path: Path) -> None:
    async with with_robot(tmp_path) as door:
        token = await issued(door)
        configuration = (await door.ask("GET", "/.well-known/openid-configuration", token=token)).json
        assert configuration["issuer"] == ISSUER
        keys = await door.ask("GET", "/openid/v1/jwks", token=token)
        assert keys.headers["Content-Type"] == "application/jwk-set+json"
        [key] = keys.json["keys"]
        assert key["kid"] == jwt.get_unverified_header(token)["kid"]
        assert jwt.decode(token, jwt.PyJWK(key), ["ES256"], audience=ISSUER)["iss"] == ISSUER
        assert (await door.ask("GET", "/openid/v1/jwks", token="known-token")).code == 403
