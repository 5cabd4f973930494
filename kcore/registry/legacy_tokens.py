"""Tokens of service accounts that live in a secret, and as long as it: what they claim, and when the claim holds."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from kcore.api.core_v1 import Secret, ServiceAccount
from kcore.api.scheme import Scheme
from kcore.registry.authentication import ISSUER, AnyAudience, InvalidToken
from kcore.registry.request import User
from kcore.registry.service_account_tokens import Signer
from kcore.store.store import Store

__all__ = ["ACCOUNT_NAME", "ACCOUNT_UID", "TOKEN_SECRET", "LegacyTokens", "legacy_claims"]

TOKEN_SECRET = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"

_ISSUER = "kubernetes/serviceaccount"
_CLAIM = "kubernetes.io/serviceaccount"


def legacy_claims(account: ServiceAccount, secret: Secret) -> Mapping[str, str]:
    namespace, name = account.metadata.namespace, account.metadata.name
    return {
        "iss": _ISSUER,
        f"{_CLAIM}/namespace": namespace,
        f"{_CLAIM}/secret.name": secret.metadata.name,
        f"{_CLAIM}/service-account.name": name,
        f"{_CLAIM}/service-account.uid": account.metadata.uid,
        "sub": f"system:serviceaccount:{namespace}:{name}",
    }


class LegacyTokens(AnyAudience):
    """Such a token never ends by itself: it is good while its secret and its account are there."""

    def __init__(self, store: Store, scheme: Scheme, signer: Signer, audiences: Sequence[str] = (ISSUER,)) -> None:
        super().__init__(audiences)
        self._store = store
        self._secrets = scheme.of(Secret)
        self._accounts = scheme.of(ServiceAccount)
        self._signer = signer

    async def user(self, token: str) -> User | None:
        await self._signer.load()
        claims = self._signer.verified(token)
        if claims is None or claims.get("iss") != _ISSUER:
            return None
        namespace, secret, name, uid = (
            str(claims.get(f"{_CLAIM}/{claim}", ""))
            for claim in ("namespace", "secret.name", "service-account.name", "service-account.uid")
        )
        self._check_secret(namespace, secret, token)
        account = self._store.get(self._accounts.key(namespace, name))
        if account is None or account.obj.metadata.uid != uid:
            raise InvalidToken("service account token has been invalidated")
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return User(f"system:serviceaccount:{namespace}:{name}", uid, groups)

    def _check_secret(self, namespace: str, name: str, token: str) -> None:
        record = self._store.get(self._secrets.key(namespace, name))
        if record is None or record.obj.metadata.deletion_timestamp is not None:
            raise InvalidToken("service account token has been invalidated")
        if record.obj.data.get("token") != base64.b64encode(token.encode()).decode():
            raise InvalidToken("token does not match server's copy")
