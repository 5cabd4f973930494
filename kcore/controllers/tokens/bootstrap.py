"""Bootstrap tokens, with which new nodes join: what they sign, and what becomes of them when their time is up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from kcore.api.core_v1 import ConfigMap, Secret
from kcore.api.object import Object
from kcore.api.timestamp import TimeError, normalize_time, parse
from kcore.client.informer import key_of
from kcore.client.removal import delete_exactly
from kcore.client.runner import Controller, MapFunction, Result
from kcore.controllers.context import Context

__all__ = ["BootstrapSigner", "BootstrapTokenCleaner", "detached_signature"]

TOKEN = "bootstrap.kubernetes.io/token"
SECRETS_NAMESPACE = "kube-system"
PUBLIC_NAMESPACE, CLUSTER_INFO = "kube-public", "cluster-info"
KEY = f"{PUBLIC_NAMESPACE}/{CLUSTER_INFO}"
SIGNATURE = "jws-kubeconfig-"


class BootstrapSigner(Controller):
    """Signs the kubeconfig in the public ConfigMap `cluster-info` with every token that may sign, so that who has a
    token can tell that it is genuine. Without that ConfigMap there is nothing to do."""

    name = "bootstrap-signer-controller"
    root = ConfigMap
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._config_maps = context.informers.of(ConfigMap)
        self._secrets = context.informers.of(Secret)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {ConfigMap: _config_map_changed, Secret: _signing_token_changed}

    async def reconcile(self, key: str) -> None:
        info = self._config_maps.get(KEY)
        if info is None or "kubeconfig" not in info.data:
            return
        signed = {key: value for key, value in info.data.items() if not key.startswith(SIGNATURE)}
        for secret in list(self._secrets.values()):
            if _is_token(secret) and _text(secret, "usage-bootstrap-signing") == "true":
                id_, left = _text(secret, "token-id"), _left(secret, self._clock.now())
                if id_ and (left is None or left > 0):
                    text = _text(secret, "token-secret")
                    signed[SIGNATURE + id_] = detached_signature(info.data["kubeconfig"], id_, text)
        if signed != info.data:
            await self._client.update(replace(info, data=signed))


class BootstrapTokenCleaner(Controller):
    """Deletes tokens whose time is up."""

    name = "token-cleaner-controller"
    root = Secret
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._secrets = context.informers.of(Secret)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Secret: _token_changed}

    async def reconcile(self, key: str) -> Result | None:
        secret = self._secrets.get(key)
        left = _left(secret, self._clock.now()) if secret is not None else None
        if secret is None or left is None:
            return None
        if left > 0:
            return Result(left)
        await delete_exactly(self._client, secret)
        return None


def detached_signature(content: str, token_id: str, secret: str) -> str:
    """A JSON Web Signature (HS256) without its content, which stands beside it (RFC 7515, appendix F)."""
    header = _segment(json.dumps({"alg": "HS256", "kid": token_id}, separators=(",", ":")).encode())
    signed = f"{header}.{_segment(content.encode())}".encode()
    return f"{header}..{_segment(hmac.digest(secret.encode(), signed, hashlib.sha256))}"


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _is_token(secret: Secret) -> bool:
    return (
        secret.type == TOKEN
        and secret.metadata.namespace == SECRETS_NAMESPACE
        and secret.metadata.deletion_timestamp is None
    )


def _text(secret: Secret, key: str) -> str:
    return base64.b64decode(secret.data.get(key, "")).decode(errors="replace")


def _left(secret: Secret, now: float) -> float | None:
    """Seconds until the token expires; None: never. One whose time cannot be read has expired."""
    text = _text(secret, "expiration")
    if not text:
        return None
    try:
        time = normalize_time(text)
    except TimeError:
        return 0.0
    return parse(time) - now if time is not None else 0.0


def _config_map_changed(old: ConfigMap | None, new: ConfigMap | None) -> Iterator[str]:
    if new is not None and new.metadata.name == CLUSTER_INFO and new.metadata.namespace == PUBLIC_NAMESPACE:
        yield KEY


def _signing_token_changed(old: Secret | None, new: Secret | None) -> Iterator[str]:
    secret = new if new is not None else old
    assert secret is not None
    if secret.type == TOKEN and secret.metadata.namespace == SECRETS_NAMESPACE:
        yield KEY


def _token_changed(old: Secret | None, new: Secret | None) -> Iterator[str]:
    if new is not None and _is_token(new):
        yield key_of(new)
