"""Where others learn to verify service account tokens: OpenID Connect discovery, and the public key (KEP-1393)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kcore.registry.service_account_tokens import ISSUER
from kcore.server.errors import page_not_found
from kcore.server.response import JSON_TYPE, Reply, header
from kcore.server.signing import ALGORITHM, SigningKey

__all__ = ["OpenId"]

_CONFIGURATION = "/.well-known/openid-configuration"
_KEYS = "/openid/v1/jwks"
_CACHED = header("Cache-Control", "public, max-age=3600")


class OpenId:
    """The two documents. `address` tells where clients reach the server, once it listens."""

    def __init__(self, key: SigningKey | None, address: Callable[[], str]) -> None:
        self._key = key
        self._address = address

    async def answer(self, path: str) -> Reply:
        if self._key is None or path not in (_CONFIGURATION, _KEYS):
            return page_not_found()
        if path == _CONFIGURATION:
            return Reply(200, msgspec.json.encode(self._configuration()), JSON_TYPE, _CACHED)
        await self._key.load()
        return Reply(200, msgspec.json.encode({"keys": [self._key.jwk]}), "application/jwk-set+json", _CACHED)

    def _configuration(self) -> dict[str, object]:
        return {
            "issuer": ISSUER,
            "jwks_uri": f"https://{self._address()}{_KEYS}",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
        }
