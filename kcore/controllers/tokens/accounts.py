"""Long-lived tokens of service accounts: a secret that asks for one gets it, and goes when its account goes.

Tokens are issued on request nowadays (TokenRequest); these are for those who make such a secret by hand.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from kcore.api.core_v1 import Secret, ServiceAccount
from kcore.api.errors import NotFound
from kcore.api.object import Object
from kcore.client.informer import key_of
from kcore.client.removal import delete_exactly
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.context import Context
from kcore.registry.legacy_tokens import ACCOUNT_NAME, ACCOUNT_UID, TOKEN_SECRET, legacy_claims

__all__ = ["AccountTokenController"]

BY_ACCOUNT = "token secrets by account"


class AccountTokenController(Controller):
    """Keys are those of secrets."""

    name = "serviceaccount-token-controller"
    root = Secret

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._signer = context.options.token_signer
        self._root_ca = context.options.root_ca
        self._accounts = context.informers.of(ServiceAccount)
        self._secrets = context.informers.of(Secret)
        self._secrets.add_index(BY_ACCOUNT, _account_of)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {Secret: _changed, ServiceAccount: self._account_changed}

    def _account_changed(self, old: ServiceAccount | None, new: ServiceAccount | None) -> Iterator[str]:
        account = new if new is not None else old
        assert account is not None
        if old is None or new is None:
            yield from map(key_of, self._secrets.by_index(BY_ACCOUNT, key_of(account)))

    async def reconcile(self, key: str) -> None:
        secret = self._secrets.get(key)
        if secret is None or secret.type != TOKEN_SECRET or self._signer is None:
            return
        account = await self._account(secret)
        if account is None:
            await delete_exactly(self._client, secret)
            return
        data = await self._data(secret, account)
        annotations = {**secret.metadata.annotations, ACCOUNT_UID: account.metadata.uid}
        if data != secret.data or annotations != secret.metadata.annotations:
            metadata = replace(secret.metadata, annotations=annotations)
            await self._client.update(replace(secret, metadata=metadata, data=data))

    async def _account(self, secret: Secret) -> ServiceAccount | None:
        """The account that the secret is for. One that seems to be gone is asked for: what is known may be old."""
        name, uid = (secret.metadata.annotations.get(a, "") for a in (ACCOUNT_NAME, ACCOUNT_UID))
        try:
            account = await self._client.get(ServiceAccount, name, secret.metadata.namespace)
        except NotFound:
            return None
        return account if uid in ("", account.metadata.uid) else None

    async def _data(self, secret: Secret, account: ServiceAccount) -> Mapping[str, str]:
        """What is missing in the secret is added; a certificate that has changed is renewed."""
        assert self._signer is not None
        data = dict(secret.data)
        if self._root_ca:
            data["ca.crt"] = _encoded(self._root_ca)
        data.setdefault("namespace", _encoded(secret.metadata.namespace.encode()))
        if not data.get("token"):
            await self._signer.load()
            data["token"] = _encoded(self._signer.sign(legacy_claims(account, secret)).encode())
        return data


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _account_of(secret: Secret) -> Iterable[str]:
    if secret.type == TOKEN_SECRET:
        yield f"{secret.metadata.namespace}/{secret.metadata.annotations.get(ACCOUNT_NAME, '')}"


def _changed(old: Secret | None, new: Secret | None) -> Iterator[str]:
    if new is not None and new.type == TOKEN_SECRET:
        yield key_of(new)
