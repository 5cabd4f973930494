"""Rules of CertificateSigningRequests."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from kcore.api.certificates_v1 import CertificateSigningRequest
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, required
from kcore.registry.validation.signers import validate_signer

__all__ = ["validate_certificate_request", "validate_certificate_request_status", "validate_certificate_request_update"]

_SPEC = Path("spec")
_SECONDS_MIN = 600
_USAGES = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)


def validate_certificate_request(request: CertificateSigningRequest) -> Iterator[FieldError]:
    spec = request.spec
    problem = _request_problem(base64.b64decode(spec.request))
    if problem:
        yield invalid(_SPEC / "request", spec.request, problem)
    if not spec.usages:
        yield required(_SPEC / "usages")
    for i, usage in enumerate(spec.usages):
        if usage not in _USAGES:
            yield not_supported(_SPEC / "usages" @ i, usage, _USAGES)
        if usage in spec.usages[:i]:
            yield duplicate(_SPEC / "usages" @ i, usage)
    yield from validate_signer(spec.signer_name, _SPEC / "signerName")
    if spec.expiration_seconds is not None and spec.expiration_seconds < _SECONDS_MIN:
        message = f"may not specify a duration less than {_SECONDS_MIN} seconds (10 minutes)"
        yield invalid(_SPEC / "expirationSeconds", spec.expiration_seconds, message)


def _request_problem(pem: bytes) -> str:
    # Imported where it is used: it would take a tenth of the time in which a server starts.
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import Encoding

    if b"-----BEGIN CERTIFICATE REQUEST-----" not in pem:
        return "PEM block type must be CERTIFICATE REQUEST"
    try:
        request = x509.load_pem_x509_csr(pem)
        if not request.is_signature_valid:
            return "x509: signature verification failed"
        request.public_bytes(Encoding.DER)
    except (ValueError, InvalidSignature):
        return "asn1: structure error: malformed certificate request"
    return ""


def _holds_certificate(pem: bytes) -> bool:
    from cryptography import x509

    try:
        return bool(x509.load_pem_x509_certificates(pem))
    except ValueError:
        return False


def validate_certificate_request_update(
    new: CertificateSigningRequest, old: CertificateSigningRequest
) -> Iterator[FieldError]:
    return iter(())


def validate_certificate_request_status(
    new: CertificateSigningRequest, old: CertificateSigningRequest
) -> Iterator[FieldError]:
    if new.status.certificate and not _holds_certificate(base64.b64decode(new.status.certificate)):
        message = "must contain at least one CERTIFICATE PEM block"
        yield invalid(Path("status") / "certificate", "<certificate data>", message)
    path = Path("status") / "conditions"
    types = [condition.type for condition in new.status.conditions]
    for i, condition in enumerate(new.status.conditions):
        if not condition.type:
            yield required(path @ i / "type")
        if condition.type in ("Approved", "Denied", "Failed") and condition.status != "True":
            yield not_supported(path @ i / "status", condition.status, ("True",))
        if condition.type in types[:i]:
            yield duplicate(path @ i / "type", condition.type)
    if "Approved" in types and "Denied" in types:
        shown = new.status.conditions[types.index("Denied")].type
        yield invalid(path, shown, "Approved and Denied conditions are mutually exclusive")
    for condition in old.status.conditions:
        if condition.type in ("Approved", "Denied", "Failed") and condition.type not in types:
            yield forbidden(path, f"updates may not remove a condition of type {condition.type!r}".replace("'", '"'))
