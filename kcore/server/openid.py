"""Where others learn to verify service account tokens: OpenID Connect discovery, and the public keys (KEP-1393)."""

from __future__ import annotations

import msgspec

from kcore.registry.authentication import ISSUER
from kcore.server.errors import page_not_found
from kcore.server.response import Reply
from kcore.server.service_account_keys import ServiceAccountKeys

__all__ = ["OpenId"]

_CONFIGURATION = "/.well-known/openid-configuration"
_KEYS = "/openid/v1/jwks"
_CACHED = "public, max-age=3600"


class OpenId:
    """The two documents; none without keys. Those are at `jwks_uri`, by default at the server's own address."""

    def __init__(self, keys: ServiceAccountKeys | None, issuer: str = ISSUER, jwks_uri: str = "") -> None:
        self._keys = keys
        self._issuer = issuer
        self._jwks_uri = jwks_uri

    async def answer(self, path: str, address: str) -> Reply:
        """`address`: where clients reach the server."""
        if self._keys is None or path not in (_CONFIGURATION, _KEYS):
            return page_not_found()
        await self._keys.load()
        if path == _CONFIGURATION:
            reply = Reply(200, msgspec.json.encode(self._configuration(self._keys, address)))
        else:
            reply = Reply(200, msgspec.json.encode({"keys": self._keys.jwks}), "application/jwk-set+json")
        reply.cache_control = _CACHED
        return reply

    def _configuration(self, keys: ServiceAccountKeys, address: str) -> dict[str, object]:
        return {
            "issuer": self._issuer,
            "jwks_uri": self._jwks_uri or f"https://{address}{_KEYS}",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": keys.algorithms,
        }
