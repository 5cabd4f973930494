"""Rules of CertificateSigningRequests."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence

from kcore.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestCondition
from kcore.api.field import FieldError, Path, duplicate, forbidden, invalid, not_supported, quote, required
from kcore.registry.validation.internal import diff
from kcore.registry.validation.signers import validate_signer
from kcore.registry.validation.values import one_of

__all__ = [
    "validate_certificate_request",
    "validate_certificate_request_approval",
    "validate_certificate_request_status",
    "validate_certificate_request_update",
]

_SPEC = Path("spec")
_CONDITIONS = Path("status") / "conditions"
_CERTIFICATE = Path("status") / "certificate"
_SECONDS_MIN = 600
_FINAL = ("Approved", "Denied", "Failed")
_BLOCK = re.compile(rb"-----BEGIN ([^-]+)-----(.*?)-----END \1-----", re.DOTALL)
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
    for i, usage in enumerate(spec.usages):
        if usage in spec.usages[:i]:
            yield duplicate(_SPEC / "usages" @ i, usage)
    if spec.signer_name == "kubernetes.io/legacy-unknown":
        message = "the legacy signerName is not allowed via this API version"
        yield invalid(_SPEC / "signerName", spec.signer_name, message)
    else:
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


def _certificate_problem(pem: bytes) -> str:
    """Why the chain is none: all its blocks must be certificates, and plain ones."""
    from cryptography import x509

    blocks = list(_BLOCK.finditer(pem))
    for block in blocks:
        kind = block[1].decode()
        if kind != "CERTIFICATE":
            return f"only CERTIFICATE PEM blocks are allowed, found {quote(kind)}"
        if b":" in block[2]:
            return "no PEM block headers are permitted"
        try:
            x509.load_pem_x509_certificate(block[0])
        except ValueError:
            return "x509: malformed certificate"
    return "" if blocks else "must contain at least one CERTIFICATE PEM block"


def validate_certificate_request_update(
    new: CertificateSigningRequest, old: CertificateSigningRequest
) -> Iterator[FieldError]:
    return iter(())


def validate_certificate_request_status(
    new: CertificateSigningRequest, old: CertificateSigningRequest
) -> Iterator[FieldError]:
    """What signers write: anything but the decision, and one certificate, once."""
    yield from _validate_status(new, old)
    for kind in ("Approved", "Denied"):
        after, before = _of_type(new, kind), _of_type(old, kind)
        if len(after) > len(before):
            yield forbidden(_CONDITIONS, f"updates may not add a condition of type {quote(kind)}")
        elif len(after) == len(before) and after != before:
            changes = diff(before, after)
            yield forbidden(_CONDITIONS, f"updates may not modify a condition of type {quote(kind)}\n{changes}")
    if old.status.certificate and new.status.certificate != old.status.certificate:
        yield forbidden(_CERTIFICATE, "updates may not modify existing certificate content")


def validate_certificate_request_approval(
    new: CertificateSigningRequest, old: CertificateSigningRequest
) -> Iterator[FieldError]:
    yield from _validate_status(new, old)
    if new.status.certificate != old.status.certificate:
        yield forbidden(_CERTIFICATE, "updates may not set certificate content")


def _validate_status(new: CertificateSigningRequest, old: CertificateSigningRequest) -> Iterator[FieldError]:
    """Faults that stand may stay."""
    yield from _validate_conditions(new.status.conditions, old.status.conditions)
    certificate = new.status.certificate
    if certificate and certificate != old.status.certificate:
        problem = _certificate_problem(base64.b64decode(certificate))
        if problem:
            yield invalid(_CERTIFICATE, "<certificate data>", problem)
    for kind in _FINAL:
        if len(_of_type(new, kind)) < len(_of_type(old, kind)):
            yield forbidden(_CONDITIONS, f"updates may not remove a condition of type {quote(kind)}")


def _of_type(request: CertificateSigningRequest, kind: str) -> tuple[CertificateSigningRequestCondition, ...]:
    return tuple(condition for condition in request.status.conditions if condition.type == kind)


def _validate_conditions(
    conditions: Sequence[CertificateSigningRequestCondition], standing: Sequence[CertificateSigningRequestCondition]
) -> Iterator[FieldError]:
    known = [condition.type for condition in standing]
    repeated, undecided = len(set(known)) < len(known), {"Approved", "Denied"} <= set(known)
    seen: set[str] = set()
    for i, condition in enumerate(conditions):
        path = _CONDITIONS @ i
        if not condition.type and "" not in known:
            yield required(path / "type")
        allowed = ("True",) if condition.type in _FINAL else ("False", "True", "Unknown")
        yield from one_of(path / "status", condition.status, allowed)
        opposite = {"Approved": "Denied", "Denied": "Approved"}.get(condition.type)
        if opposite in seen and not undecided:
            yield invalid(path / "type", condition.type, "Approved and Denied conditions are mutually exclusive")
        if condition.type in seen and not repeated:
            yield duplicate(path / "type", condition.type)
        seen.add(condition.type)
