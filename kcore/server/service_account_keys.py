"""The keys of service account tokens: one signs, several verify, so that a key can be replaced while tokens of the old
one are still about.

Unless told otherwise the signing key is made when it is first needed, and kept beside the certificates. Cryptography is
loaded with it, which is slow; a cluster in which nobody asks for a token never does.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

import anyio.to_thread

from kcore.server.certificates import write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    PrivateKey: TypeAlias = EllipticCurvePrivateKey | RSAPrivateKey
    PublicKey: TypeAlias = EllipticCurvePublicKey | RSAPublicKey

__all__ = ["ServiceAccountKeys"]

_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_UNCHECKED = {f"verify_{claim}": False for claim in ("aud", "exp", "iat", "iss", "nbf", "sub", "jti")}


class _Verifier(NamedTuple):
    """A public key, by what tokens call it: as upstream the hash of the key."""

    key_id: str
    algorithm: str
    key: PublicKey


class ServiceAccountKeys:
    """`signing` is made where it is not there yet; `verifying` are files of older or newer keys, public or private."""

    def __init__(self, signing: Path, verifying: Sequence[Path] = ()) -> None:
        self._signing = signing
        self._verifying = tuple(verifying)

    async def load(self) -> None:
        """Beside the loop, which would stand still for a tenth of a second. Raises ValueError for an unfit file."""
        if "_verifiers" not in self.__dict__:
            await anyio.to_thread.run_sync(self._load)

    def sign(self, claims: Mapping[str, Any]) -> str:
        import jwt

        own = self._verifiers[0]
        return jwt.encode(dict(claims), self._key, own.algorithm, headers={"kid": own.key_id})

    def verified(self, token: str) -> Mapping[str, Any] | None:
        """The claims of a token that one of the keys has signed, whenever and for whom; None for any other."""
        if token.count(".") != 2:
            return None
        import jwt

        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError:
            return None
        for verifier in self._verifiers:
            if key_id and verifier.key_id != key_id:
                continue
            try:
                claims: dict[str, Any] = jwt.decode(token, verifier.key, [verifier.algorithm], options=_UNCHECKED)  # type: ignore[arg-type]
            except jwt.PyJWTError:
                continue
            return claims
        return None

    @property
    def algorithms(self) -> Sequence[str]:
        return sorted({verifier.algorithm for verifier in self._verifiers})

    @property
    def jwks(self) -> Sequence[Mapping[str, str]]:
        """The public keys, as RFC 7517 writes them."""
        return [_jwk(verifier) for verifier in self._verifiers]

    def _load(self) -> None:
        import jwt  # noqa: F401  # so that it is there

        _ = self._verifiers

    @cached_property
    def _verifiers(self) -> Sequence[_Verifier]:
        """The signing key's own first."""
        keys: list[PublicKey] = [self._key.public_key()]
        for path in self._verifying:
            keys += _public_keys(path)
        return list({verifier.key_id: verifier for verifier in map(_verifier, keys)}.values())

    @cached_property
    def _key(self) -> PrivateKey:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        if self._signing.exists():
            key = serialization.load_pem_private_key(self._signing.read_bytes(), None)
            return cast("PrivateKey", _fit(key, self._signing))
        made = ec.generate_private_key(ec.SECP256R1())
        private = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(self._signing, private)
        return made


def _public_keys(path: Path) -> Iterator[PublicKey]:
    """The keys of a PEM file, of which a private one tells its public one."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    blocks = list(_PEM.finditer(path.read_bytes()))
    if not blocks:
        raise ValueError(f"{path} holds no key in PEM form")
    for block in blocks:
        label, text = block[1].decode(), block[0] + b"\n"
        key: Any
        if label == "CERTIFICATE":
            key = x509.load_pem_x509_certificate(text).public_key()
        elif label.endswith("PRIVATE KEY"):
            key = serialization.load_pem_private_key(text, None)
        elif label.endswith("PUBLIC KEY"):
            key = serialization.load_pem_public_key(text)
        else:
            continue
        fit = _fit(key, path)
        yield fit.public_key() if hasattr(fit, "private_bytes") else fit


def _fit(key: Any, path: Path) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        return key
    if isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)) and key.curve.name in _ALGORITHMS:
        return key
    raise ValueError(f"{path} holds a key that is neither RSA nor EC on one of NIST's curves")


def _verifier(key: PublicKey) -> _Verifier:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    form = serialization.PublicFormat.SubjectPublicKeyInfo
    digest = hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).digest()
    algorithm = _ALGORITHMS[key.curve.name] if isinstance(key, EllipticCurvePublicKey) else "RS256"
    return _Verifier(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), algorithm, key)


def _jwk(verifier: _Verifier) -> Mapping[str, str]:
    from jwt.algorithms import get_default_algorithms

    jwk = get_default_algorithms()[verifier.algorithm].to_jwk(verifier.key, as_dict=True)
    jwk.pop("key_ops", None)
    return {"use": "sig", "kid": verifier.key_id, "alg": verifier.algorithm, **jwk}
