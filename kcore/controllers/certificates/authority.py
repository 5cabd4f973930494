"""The authority that signs: from a request to the certificate that it asks for."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kcore.api.certificates_v1 import CertificateSigningRequest
from kcore.controllers.certificates.requests import parsed

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["Authority", "expiry"]

LIFETIME = timedelta(days=365)
SHORTEST = timedelta(minutes=10)
BACKDATE = timedelta(minutes=5)
BACKDATE_FROM = timedelta(hours=8)
"""Certificates that live for less are not made to begin in the past and end earlier for it."""

_USAGES = {
    "digital signature": "digital_signature",
    "signing": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "data encipherment": "data_encipherment",
    "key agreement": "key_agreement",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_PURPOSES = {
    "any": "2.5.29.37.0",
    "server auth": "1.3.6.1.5.5.7.3.1",
    "client auth": "1.3.6.1.5.5.7.3.2",
    "code signing": "1.3.6.1.5.5.7.3.3",
    "email protection": "1.3.6.1.5.5.7.3.4",
    "s/mime": "1.3.6.1.5.5.7.3.4",
    "ipsec end system": "1.3.6.1.5.5.7.3.5",
    "ipsec tunnel": "1.3.6.1.5.5.7.3.6",
    "ipsec user": "1.3.6.1.5.5.7.3.7",
    "timestamping": "1.3.6.1.5.5.7.3.8",
    "ocsp signing": "1.3.6.1.5.5.7.3.9",
    "microsoft sgc": "1.3.6.1.4.1.311.10.3.3",
    "netscape sgc": "2.16.840.1.113730.4.1",
}


class Authority(NamedTuple):
    """Its certificate and private key, in PEM."""

    certificate: bytes
    key: bytes

    def sign(self, request: CertificateSigningRequest, now: float) -> bytes:
        """The certificate in PEM. Slow: call it beside the loop."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization

        wanted = parsed(request)
        own = x509.load_pem_x509_certificate(self.certificate)
        key: Any = serialization.load_pem_private_key(self.key, None)
        begins, ends = _validity(request, now)
        ends = min(ends, own.not_valid_after_utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(wanted.subject)
            .issuer_name(own.subject)
            .public_key(wanted.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
        )
        for extension, critical in _extensions(wanted, request.spec.usages, own):
            builder = builder.add_extension(extension, critical)
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _validity(request: CertificateSigningRequest, now: float) -> tuple[datetime, datetime]:
    begin, seconds = datetime.fromtimestamp(now, UTC), request.spec.expiration_seconds
    lifetime = LIFETIME if seconds is None else min(max(timedelta(seconds=seconds), SHORTEST), LIFETIME)
    if lifetime < BACKDATE_FROM:
        return begin - BACKDATE, begin + lifetime
    return begin - BACKDATE, begin - BACKDATE + lifetime


def _extensions(
    wanted: x509.CertificateSigningRequest, usages: Iterable[str], own: x509.Certificate
) -> Iterable[tuple[x509.ExtensionType, bool]]:
    from cryptography import x509

    named = {_USAGES[usage] for usage in usages if usage in _USAGES}
    if "key_agreement" not in named:  # of which these are kinds
        named -= {"encipher_only", "decipher_only"}
    if named:
        yield x509.KeyUsage(**{name: name in named for name in _USAGES.values()}), True
    purposes = [x509.ObjectIdentifier(oid) for oid in dict.fromkeys(_PURPOSES[u] for u in usages if u in _PURPOSES)]
    if purposes:
        yield x509.ExtendedKeyUsage(purposes), False
    yield x509.BasicConstraints(ca=False, path_length=None), True
    yield x509.AuthorityKeyIdentifier.from_issuer_public_key(own.public_key()), False  # type: ignore[arg-type]
    try:
        alternatives = wanted.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return
    yield alternatives.value, alternatives.critical


def expiry(request: CertificateSigningRequest) -> float | None:
    """When the certificate that a request got ends; None: there is none, or it can not be read."""
    from cryptography import x509

    if not request.status.certificate:
        return None
    try:
        return x509.load_pem_x509_certificate(
            base64.b64decode(request.status.certificate)
        ).not_valid_after_utc.timestamp()
    except ValueError:
        return None
