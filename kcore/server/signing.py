"""The key that signs the tokens of service accounts. Made when it is first needed, and kept beside the certificates.

Cryptography is loaded with it, which is slow; a cluster in which nobody asks for a token never does.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from kcore.server.certificates import write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

__all__ = ["ALGORITHM", "SigningKey"]

ALGORITHM = "ES256"


class SigningKey:
    """The private key in a file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def load(self) -> None:
        """Beside the loop, which would stand still for a tenth of a second."""
        if "_key" not in self.__dict__:
            await anyio.to_thread.run_sync(self._load)

    def sign(self, claims: Mapping[str, Any]) -> str:
        import jwt

        return jwt.encode(dict(claims), self._key, ALGORITHM, headers={"kid": self.key_id})

    def verified(self, token: str) -> Mapping[str, Any] | None:
        """The claims of a token that this key has signed, whenever and for whom; None for any other."""
        if token.count(".") != 2:
            return None
        import jwt

        unchecked = {f"verify_{claim}": False for claim in ("aud", "exp", "iat", "iss", "nbf", "sub", "jti")}
        try:
            claims: dict[str, Any] = jwt.decode(token, self._key.public_key(), [ALGORITHM], options=unchecked)  # type: ignore[arg-type]
        except jwt.PyJWTError:
            return None
        return claims

    @property
    def jwk(self) -> dict[str, str]:
        """The public key, as RFC 7517 writes it."""
        numbers = self._key.public_key().public_numbers()
        return {
            "use": "sig",
            "kty": "EC",
            "kid": self.key_id,
            "crv": "P-256",
            "alg": ALGORITHM,
            "x": _encoded(numbers.x.to_bytes(32, "big")),
            "y": _encoded(numbers.y.to_bytes(32, "big")),
        }

    @cached_property
    def key_id(self) -> str:
        """As upstream: the hash of the public key."""
        from cryptography.hazmat.primitives import serialization

        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public = self._key.public_key().public_bytes(serialization.Encoding.DER, form)
        return _encoded(hashlib.sha256(public).digest())

    def _load(self) -> None:
        import jwt  # noqa: F401  # so that it is there

        _ = self.key_id

    @cached_property
    def _key(self) -> EllipticCurvePrivateKey:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        if self._path.exists():
            key = serialization.load_pem_private_key(self._path.read_bytes(), None)
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise ValueError(f"{self._path} holds no EC key")
            return key
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(self._path, private)
        return key


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
