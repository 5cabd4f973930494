"""Which authority signed a certificate, where clients and front proxies have different ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["Authorities"]


class Authorities:
    """The certificates of one or more authorities, in PEM form."""

    def __init__(self, *bundles: bytes) -> None:
        self._bundles = bundles

    def issued(self, encoded: bytes) -> bool:
        """Whether one of them signed this certificate, which is valid for TLS: dates and purpose are checked there."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.x509 import load_der_x509_certificate

        certificate = load_der_x509_certificate(encoded)
        for authority in self._certificates:
            try:
                certificate.verify_directly_issued_by(authority)
            except (InvalidSignature, ValueError, TypeError):
                continue
            return True
        return False

    @cached_property
    def _certificates(self) -> Sequence[Certificate]:
        from cryptography.x509 import load_pem_x509_certificates

        return [certificate for bundle in self._bundles for certificate in load_pem_x509_certificates(bundle)]
