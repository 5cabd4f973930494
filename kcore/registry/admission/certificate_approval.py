"""Requests for certificates are approved or denied by who may do so for their signer."""

from __future__ import annotations

from kcore.api.certificates_v1 import CertificateSigningRequest
from kcore.api.field import quote
from kcore.api.kind import Kind
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.admission.signers import may_act_for
from kcore.registry.request import Request

__all__ = ["CertificateApproval"]


class CertificateApproval(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is CertificateSigningRequest and operation is Operation.UPDATE and subresource == "approval"

    def validate(
        self, req: Request, operation: Operation, obj: CertificateSigningRequest, old: CertificateSigningRequest
    ) -> None:
        signer = old.spec.signer_name
        if not may_act_for(self.env.authorizer, req.user, "approve", signer):
            raise forbidden(req, obj, f"user not permitted to approve requests with signerName {quote(signer)}")
