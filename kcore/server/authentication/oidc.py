"""ID tokens of an OpenID Connect provider (`--oidc-*`): verified with the keys that the provider publishes.

The keys are fetched when the first token of the issuer is shown, and again for a token that names an unknown key, so
that a provider may rotate its keys. Verified tokens are remembered until they expire.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio

from kcore.kit.clock import Clock
from kcore.kit.recent import keep
from kcore.registry.authentication import ISSUER, AnyAudience, InvalidToken
from kcore.registry.request import User
from kcore.server.authentication.users import known

if TYPE_CHECKING:
    from jwt import PyJWKSet

__all__ = ["SIGNING_ALGORITHMS", "OidcOptions", "OidcTokens"]

SIGNING_ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")

_CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
_FETCH_SECONDS = 10.0
_REFETCH_SECONDS = 10.0
"""Unknown keys make us ask the provider again, but not more often than this."""
_LEEWAY_SECONDS = 300.0
"""By so much a provider's clock may be ahead of ours."""
_CACHED_MAX = 4096
_UNCHECKED = {f"verify_{claim}": False for claim in ("aud", "exp", "iat", "iss", "nbf", "sub", "jti")}


@dataclass(frozen=True, slots=True)
class OidcOptions:
    """Each is the flag of that name."""

    issuer_url: str
    client_id: str
    username_claim: str = "sub"
    username_prefix: str = ""
    groups_claim: str = ""
    groups_prefix: str = ""
    required_claims: Mapping[str, str] = field(default_factory=dict)
    ca_file: Path | None = None
    signing_algorithms: Sequence[str] = ("RS256",)

    @property
    def effective_username_prefix(self) -> str:
        """Without one, names other than mail addresses are told apart from the cluster's own by their issuer; "-" is
        for none at all."""
        if self.username_prefix:
            return "" if self.username_prefix == "-" else self.username_prefix
        return "" if self.username_claim == "email" else f"{self.issuer_url}#"


class _Remembered(NamedTuple):
    user: User
    expires: float


class OidcTokens(AnyAudience):
    """Whose a provider's tokens are."""

    def __init__(self, options: OidcOptions, clock: Clock, audiences: Sequence[str] = (ISSUER,)) -> None:
        super().__init__(audiences)
        self._options = options
        self._clock = clock
        self._keys = _ProviderKeys(options, clock)
        self._remembered: dict[bytes, _Remembered] = {}

    async def user(self, token: str) -> User | None:
        digest = hashlib.sha256(token.encode(errors="surrogateescape")).digest()
        known_token = self._remembered.get(digest)
        if known_token is not None:
            if self._clock.now() < known_token.expires:
                return known_token.user
            del self._remembered[digest]
        claims = await self._claims(token)
        if claims is None:
            return None
        user = user_of_claims(self._options, claims)
        keep(self._remembered, digest, _Remembered(user, claims["exp"]), _CACHED_MAX)
        return user

    async def _claims(self, token: str) -> Mapping[str, Any] | None:
        """The claims of a token that the provider signed for us and that is good now; None: somebody else's."""
        if token.count(".") != 2:
            return None
        import jwt

        try:
            unverified = jwt.decode_complete(token, options={**_UNCHECKED, "verify_signature": False})  # type: ignore[arg-type]
        except jwt.PyJWTError:
            return None
        if unverified["payload"].get("iss") != self._options.issuer_url:
            return None
        algorithm = unverified["header"].get("alg")
        if algorithm not in self._options.signing_algorithms:
            raise InvalidToken(f"oidc: verify token: unexpected signature algorithm {algorithm!r}")
        keys = await self._keys.named(str(unverified["header"].get("kid", "")))
        for key in keys.keys:
            try:
                claims: dict[str, Any] = jwt.decode(token, key, [algorithm], options=_UNCHECKED)  # type: ignore[arg-type]
            except (jwt.PyJWTError, TypeError, ValueError):  # the last two: a key of another kind
                continue
            self._check(claims)
            return claims
        raise InvalidToken("oidc: verify token: failed to verify signature")

    def _check(self, claims: Mapping[str, Any]) -> None:
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience
        if not isinstance(audiences, list) or self._options.client_id not in audiences:
            raise InvalidToken("oidc: verify token: token is for another audience")
        expires, begins = claims.get("exp"), claims.get("nbf", 0)
        if not isinstance(expires, (int, float)) or not isinstance(begins, (int, float)):
            raise InvalidToken("oidc: verify token: token has no expiry")
        now = self._clock.now()
        if now >= expires:
            raise InvalidToken("oidc: verify token: token is expired")
        if now < begins - _LEEWAY_SECONDS:
            raise InvalidToken("oidc: verify token: token is not valid yet")


def user_of_claims(options: OidcOptions, claims: Mapping[str, Any]) -> User:
    """Raises InvalidToken where a claim is missing or says too little."""
    for claim, wanted in options.required_claims.items():
        if claims.get(claim) != wanted:
            raise InvalidToken(f"oidc: required claim {claim} is not there, or has another value")
    username = claims.get(options.username_claim)
    if not isinstance(username, str) or not username:
        raise InvalidToken(f"oidc: claim {options.username_claim} is not there, or is no text")
    if options.username_claim == "email" and claims.get("email_verified", True) is not True:
        raise InvalidToken("oidc: email not verified")
    extra = {_CREDENTIAL_ID: (f"JTI={claims['jti']}",)} if isinstance(claims.get("jti"), str) else {}
    groups = tuple(options.groups_prefix + group for group in _groups(options, claims))
    return known(User(options.effective_username_prefix + username, groups=groups, extra=extra))


def _groups(options: OidcOptions, claims: Mapping[str, Any]) -> Sequence[str]:
    """A text, or a list of such."""
    found = claims.get(options.groups_claim, []) if options.groups_claim else []
    groups = [found] if isinstance(found, str) else found
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise InvalidToken(f"oidc: claim {options.groups_claim} is no list of texts")
    return groups


class _ProviderKeys:
    """What the provider signs with, as its discovery document tells."""

    def __init__(self, options: OidcOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._keys: PyJWKSet | None = None
        self._fetched = float("-inf")
        self._lock = anyio.Lock()

    async def named(self, key_id: str) -> PyJWKSet:
        """All keys, with that one among them if the provider has it. Raises InvalidToken."""
        async with self._lock:
            if self._keys is None or (key_id and not _has(self._keys, key_id)):
                await self._refetch()
        if self._keys is None:
            raise InvalidToken("oidc: authenticator not initialized")
        return self._keys

    async def _refetch(self) -> None:
        if self._clock.now() - self._fetched < _REFETCH_SECONDS:
            return
        self._fetched = self._clock.now()
        from aiohttp import ClientError
        from jwt import PyJWTError

        try:
            with anyio.fail_after(_FETCH_SECONDS):
                self._keys = await self._fetch()
        except (OSError, ClientError, PyJWTError, ValueError, LookupError) as error:
            raise InvalidToken(f"oidc: fetching keys: {type(error).__name__}") from error

    async def _fetch(self) -> PyJWKSet:
        from aiohttp import ClientSession, TCPConnector
        from jwt import PyJWKSet

        issuer = self._options.issuer_url
        trusted = await anyio.to_thread.run_sync(self._trusted)
        async with ClientSession(connector=TCPConnector(ssl=trusted), raise_for_status=True) as session:
            async with session.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration") as answer:
                configuration = await answer.json(content_type=None)
            if configuration["issuer"] != issuer:
                raise ValueError("the provider calls itself something else")
            async with session.get(str(configuration["jwks_uri"])) as answer:
                return PyJWKSet.from_dict(await answer.json(content_type=None))

    def _trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._options.ca_file)


def _has(keys: PyJWKSet, key_id: str) -> bool:
    return any(key.key_id == key_id for key in keys.keys)
