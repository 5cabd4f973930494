"""Certificates are put into their requests by who may sign for the signer."""

from __future__ import annotations

from kcore.api.certificates_v1 import CertificateSigningRequest
from kcore.api.field import quote
from kcore.api.kind import Kind
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.admission.signers import may_act_for
from kcore.registry.request import Request

__all__ = ["CertificateSigning"]


class CertificateSigning(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is CertificateSigningRequest and operation is Operation.UPDATE and subresource == "status"

    def validate(
        self, req: Request, operation: Operation, obj: CertificateSigningRequest, old: CertificateSigningRequest
    ) -> None:
        if obj.status == old.status:
            return
        signer = old.spec.signer_name
        if not may_act_for(self.env.authorizer, req.user, "sign", signer):
            raise forbidden(req, obj, f"user not permitted to sign requests with signerName {quote(signer)}")
