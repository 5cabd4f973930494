"""The tokens of service accounts: what they claim, and when a claim still holds.

Claims and checks are those of KEP-1205 (bound tokens) and KEP-4193 (jti and node). A token is good while what it is
bound to exists: that is looked up at each use, while the signature, which costs more, is verified once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kcore.api.core_v1 import Node, Pod, Secret, ServiceAccount
from kcore.api.field import quote
from kcore.api.object import Object
from kcore.api.scheme import Scheme
from kcore.api.timestamp import parse
from kcore.kit.clock import Chance, Clock
from kcore.kit.recent import keep
from kcore.registry.authentication import ISSUER, Authenticated, InvalidToken
from kcore.registry.request import User
from kcore.store.store import Store

__all__ = ["ServiceAccountTokens", "Signer"]

_PRIVATE = "kubernetes.io"
_EXTRA = "authentication.kubernetes.io"
_BOUND: Mapping[str, type[Object]] = {"pod": Pod, "secret": Secret, "node": Node}
_CACHED_MAX = 4096
_LEEWAY_SECONDS = 60.0
_LAST_WISH_SECONDS = 60.0
"""For so long after the end of its grace period a pod that is being deleted may still use its token."""


class Signer(Protocol):
    """Holds the keys. May be slow: it is asked once for each token."""

    async def load(self) -> None:
        """Make the keys ready, which is waited for before each use."""

    def sign(self, claims: Mapping[str, Any]) -> str: ...

    def verified(self, token: str) -> Mapping[str, Any] | None:
        """The claims of a token that a known key has signed; None for any other."""


class ServiceAccountTokens:
    """Issues tokens and tells whose a token is.

    The first of the `issuers` signs; tokens of the others are still good. `audiences`: those of the API server itself,
    what a token is for when nothing else was asked for. `seconds_max`: for how long tokens are issued at most; 0: for
    as long as is asked. `extends`: whether kubelets' tokens outlive what was asked for, for the sake of old clients.
    """

    def __init__(
        self,
        store: Store,
        scheme: Scheme,
        clock: Clock,
        chance: Chance,
        signer: Signer,
        *,
        issuers: Sequence[str] = (ISSUER,),
        audiences: Sequence[str] = (),
        seconds_max: int = 0,
        extends: bool = True,
    ) -> None:
        self.issuers = tuple(issuers)
        self.audiences = tuple(audiences) or self.issuers
        self.seconds_max = seconds_max
        self.extends = extends
        self._store = store
        self._scheme = scheme
        self._clock = clock
        self._chance = chance
        self._signer = signer
        self._verified: dict[str, Mapping[str, Any]] = {}

    async def issue(
        self,
        account: ServiceAccount,
        audiences: Sequence[str],
        seconds: int,
        bound: Mapping[str, Mapping[str, str]],
        warn_after: int = 0,
    ) -> str:
        """`bound`: name and uid of the pod, secret or node without which the token is worth nothing."""
        now, metadata = int(self._clock.now()), account.metadata
        private: dict[str, Any] = {
            "namespace": metadata.namespace,
            "serviceaccount": {"name": metadata.name, "uid": metadata.uid},
            **bound,
        }
        if warn_after:
            private["warnafter"] = now + warn_after
        await self._signer.load()
        return self._signer.sign(
            {
                "aud": list(audiences),
                "exp": now + seconds,
                "iat": now,
                "iss": self.issuers[0],
                "jti": self._chance.uid(),
                _PRIVATE: private,
                "nbf": now,
                "sub": f"system:serviceaccount:{metadata.namespace}:{metadata.name}",
            }
        )

    async def authenticate(self, token: str, audiences: Sequence[str]) -> Authenticated | None:
        """None: somebody else's token. Raises InvalidToken."""
        claims = await self._claims(token)
        if claims is None:
            return None
        common = tuple(each for each in claims["aud"] if each in audiences)
        if not common:
            shown = f"[{' '.join(map(quote, claims['aud']))}]", f"[{' '.join(map(quote, audiences))}]"
            raise InvalidToken(f"token audiences {shown[0]} is invalid for the target audiences {shown[1]}")
        now = self._clock.now()
        if now > claims["exp"] + _LEEWAY_SECONDS:
            raise InvalidToken("service account token has expired")
        if now < claims["nbf"] - _LEEWAY_SECONDS:
            raise InvalidToken("service account token is not valid yet")
        private = claims[_PRIVATE]
        self._check_bound(ServiceAccount, private["namespace"], private["serviceaccount"])
        for name, type_ in _BOUND.items():
            if name in private and not (name == "node" and "pod" in private):  # a pod's node is only told
                self._check_bound(type_, private["namespace"], private[name])
        return Authenticated(_user(claims), common)

    async def _claims(self, token: str) -> Mapping[str, Any] | None:
        claims = self._verified.get(token)
        if claims is not None:
            return claims
        await self._signer.load()
        claims = self._signer.verified(token)
        if claims is None or claims.get("iss") not in self.issuers or _PRIVATE not in claims:
            return None
        keep(self._verified, token, claims, _CACHED_MAX)
        return claims

    def _check_bound(self, type_: type[Object], namespace: str, ref: Mapping[str, str]) -> None:
        record = self._store.get(self._scheme.of(type_).key(namespace, ref["name"]))
        if record is None or record.obj.metadata.uid != ref["uid"]:
            raise InvalidToken("service account token has been invalidated")
        deleted = record.obj.metadata.deletion_timestamp
        if deleted is not None and self._clock.now() > parse(deleted) + _LAST_WISH_SECONDS:
            raise InvalidToken("service account token has been invalidated")


def _user(claims: Mapping[str, Any]) -> User:
    private = claims[_PRIVATE]
    namespace = private["namespace"]
    extra: dict[str, tuple[str, ...]] = {f"{_EXTRA}/credential-id": (f"JTI={claims['jti']}",)}
    for name in ("pod", "node"):
        if name in private:
            extra[f"{_EXTRA}/{name}-name"] = (private[name]["name"],)
            if private[name].get("uid"):
                extra[f"{_EXTRA}/{name}-uid"] = (private[name]["uid"],)
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(claims["sub"], private["serviceaccount"]["uid"], groups, extra)
