"""Nobody becomes an administrator by a client certificate: the group system:masters is not to be had that way."""

from __future__ import annotations

from typing import Any

from kcore.api.certificates_v1 import CertificateSigningRequest
from kcore.api.kind import Kind
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.admission.signers import named
from kcore.registry.request import Request

__all__ = ["CertificateSubjectRestriction"]

_SIGNER = "kubernetes.io/kube-apiserver-client"
_MASTERS = "system:masters"


class CertificateSubjectRestriction(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is CertificateSigningRequest and operation is Operation.CREATE and not subresource

    def validate(self, req: Request, operation: Operation, obj: CertificateSigningRequest, old: Any) -> None:
        if obj.spec.signer_name != _SIGNER:
            return
        from cryptography.x509.oid import NameOID

        if _MASTERS in named(obj.spec.request, NameOID.ORGANIZATION_NAME):
            raise forbidden(req, obj, f"use of {_SIGNER} signer with {_MASTERS} group is not allowed")
