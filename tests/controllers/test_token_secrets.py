from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import pytest

from kcore.api.core_v1 import ConfigMap, Secret, ServiceAccount
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.timestamp import format_seconds
from kcore.controllers.tokens.bootstrap import detached_signature
from tests.controllers.control import controlled
from tests.sim.world import World


class Signer:
    """Signs so that everybody can read it."""

    async def load(self) -> None:
        return

    def sign(self, claims: Mapping[str, Any]) -> str:
        return str(claims["sub"])

    def verified(self, token: str) -> Mapping[str, Any] | None:
        return None


def token_secret(account: str = "robot") -> Secret:
    return Secret(
        metadata=ObjectMeta(
            name="robot-token", namespace="ns", annotations={"kubernetes.io/service-account.name": account}
        ),
        type="kubernetes.io/service-account-token",
    )


async def secret(w: World) -> Secret:
    return await w.client.get(Secret, "robot-token", "ns")


def texts(found: Secret) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in found.data.items()}


async def make_account(w: World) -> ServiceAccount:
    return await w.client.create(ServiceAccount(metadata=ObjectMeta(name="robot", namespace="ns")))


async def test_secret_that_asks_for_a_token_gets_it() -> None:
    async with controlled(token_signer=Signer(), root_ca=b"PEM") as w:
        account = await make_account(w)
        await w.client.create(token_secret())
        await w.settle()
        found = await secret(w)
        assert texts(found) == {"ca.crt": "PEM", "namespace": "ns", "token": "system:serviceaccount:ns:robot"}
        assert found.metadata.annotations["kubernetes.io/service-account.uid"] == account.metadata.uid


async def test_secret_goes_with_its_account_even_if_another_of_the_name_comes() -> None:
    async with controlled(token_signer=Signer()) as w:
        await make_account(w)
        await w.client.create(token_secret())
        await w.settle()
        await w.client.delete(ServiceAccount, "robot", "ns")
        await make_account(w)
        await w.settle()
        with pytest.raises(NotFound):
            await secret(w)


async def test_secret_of_no_account_is_deleted() -> None:
    async with controlled(token_signer=Signer()) as w:
        await w.client.create(token_secret("nobody"))
        await w.settle()
        with pytest.raises(NotFound):
            await secret(w)


def bootstrap_token(id_: str = "abcdef", **data: str) -> Secret:
    said = {"token-id": id_, "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true", **data}
    return Secret(
        metadata=ObjectMeta(name=f"bootstrap-token-{id_}", namespace="kube-system"),
        type="bootstrap.kubernetes.io/token",
        string_data=said,
    )


async def cluster_info(w: World) -> Mapping[str, str]:
    return (await w.client.get(ConfigMap, "cluster-info", "kube-public")).data


async def prepare(w: World) -> None:
    for name in ("kube-system", "kube-public"):
        await w.create_namespace(name)
    metadata = ObjectMeta(name="cluster-info", namespace="kube-public")
    await w.client.create(ConfigMap(metadata=metadata, data={"kubeconfig": "content"}))


async def test_cluster_info_is_signed_with_every_token_that_may() -> None:
    async with controlled() as w:
        await prepare(w)
        await w.client.create(bootstrap_token())
        await w.client.create(bootstrap_token("ghijkl", **{"usage-bootstrap-signing": "false"}))
        await w.settle()
        expected = detached_signature("content", "abcdef", "0123456789abcdef")
        assert await cluster_info(w) == {"kubeconfig": "content", "jws-kubeconfig-abcdef": expected}
        await w.client.delete(Secret, "bootstrap-token-abcdef", "kube-system")
        await w.settle()
        assert await cluster_info(w) == {"kubeconfig": "content"}


def test_signature_is_one_over_the_content_that_it_leaves_out() -> None:
    header, content, signature = detached_signature("content", "abcdef", "key").split(".")
    assert content == ""
    assert base64.urlsafe_b64decode(header + "==") == b'{"alg":"HS256","kid":"abcdef"}'
    signed = f"{header}.{base64.urlsafe_b64encode(b'content').rstrip(b'=').decode()}".encode()
    assert base64.urlsafe_b64decode(signature + "==") == hmac.digest(b"key", signed, hashlib.sha256)


@pytest.mark.parametrize(("expiration", "kept"), [("", True), ("in a minute", True), ("soon", False), ("x", False)])
async def test_token_whose_time_is_up_is_deleted(expiration: str, kept: bool) -> None:
    async with controlled() as w:
        await prepare(w)
        now = w.clock.now()
        text = {"in a minute": format_seconds(now + 60), "soon": format_seconds(now + 10)}.get(expiration, expiration)
        await w.client.create(bootstrap_token(**({"expiration": text} if text else {})))
        await w.settle(20)
        names = [s.metadata.name for s in (await w.client.list(Secret, "kube-system")).items]
        assert ("bootstrap-token-abcdef" in names) is kept
