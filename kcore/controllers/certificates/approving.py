"""Approves what kubelets ask for in their own name, as far as they may: access reviews decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import anyio.to_thread
from msgspec.structs import replace

from kcore.api.authorization_v1 import ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec
from kcore.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestCondition
from kcore.api.object import Object
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.certificates.requests import KUBELET_CLIENT, has_condition, problem, subject_of
from kcore.controllers.context import Context

__all__ = ["CertificateApprover"]

SELF = "selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."
OTHER = "nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."


class CertificateApprover(Controller):
    name = "certificatesigningrequest-approving-controller"
    root = CertificateSigningRequest
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._requests = context.informers.of(CertificateSigningRequest)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {CertificateSigningRequest: _undecided}

    async def reconcile(self, key: str) -> None:
        request = self._requests.get(key)
        if request is None or not _is_undecided(request):
            return
        subject = await anyio.to_thread.run_sync(subject_of, request)
        if problem(KUBELET_CLIENT, subject, request.spec.usages):
            return
        for permission, message in (SELF, OTHER):
            if permission == SELF[0] and request.spec.username != subject.common_name:
                continue
            if await self._may(request, permission):
                await self._approve(request, message)
                return

    async def _may(self, request: CertificateSigningRequest, permission: str) -> bool:
        asked = ResourceAttributes(
            group="certificates.k8s.io",
            resource="certificatesigningrequests",
            subresource=permission,
            verb="create",
            version="*",
        )
        spec = SubjectAccessReviewSpec(
            user=request.spec.username,
            uid=request.spec.uid,
            groups=request.spec.groups,
            extra=request.spec.extra,
            resource_attributes=asked,
        )
        review = await self._client.create(SubjectAccessReview(spec=spec))
        return review.status.allowed

    async def _approve(self, request: CertificateSigningRequest, message: str) -> None:
        approved = CertificateSigningRequestCondition(
            type="Approved", status="True", reason="AutoApproved", message=message
        )
        status = replace(request.status, conditions=(*request.status.conditions, approved))
        await self._client.update(replace(request, status=status), subresource="approval")


def _is_undecided(request: CertificateSigningRequest) -> bool:
    return (
        request.spec.signer_name == KUBELET_CLIENT
        and not request.status.certificate
        and not has_condition(request, "Approved")
        and not has_condition(request, "Denied")
    )


def _undecided(old: CertificateSigningRequest | None, new: CertificateSigningRequest | None) -> Iterator[str]:
    if new is not None and _is_undecided(new):
        yield new.metadata.name
