"""Signs what is approved, for the signers that are Kubernetes' own."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

import anyio.to_thread
from msgspec.structs import replace

from kcore.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestCondition
from kcore.api.object import Object
from kcore.client.runner import Controller, MapFunction
from kcore.controllers.certificates.requests import SIGNERS, has_condition, is_approved, problem, subject_of
from kcore.controllers.context import Context

__all__ = ["CertificateSigner"]


class CertificateSigner(Controller):
    """Does nothing where it was given no authority."""

    name = "certificatesigningrequest-signing-controller"
    root = CertificateSigningRequest

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._authority = context.options.authority
        self._requests = context.informers.of(CertificateSigningRequest)

    def maps(self) -> Mapping[type[Object], MapFunction]:
        return {CertificateSigningRequest: _due}

    async def reconcile(self, key: str) -> None:
        request = self._requests.get(key)
        if request is None or self._authority is None or not _is_due(request):
            return
        subject = await anyio.to_thread.run_sync(subject_of, request)
        if why := problem(request.spec.signer_name, subject, request.spec.usages):
            await self._refuse(request, why)
            return
        certificate = await anyio.to_thread.run_sync(self._authority.sign, request, self._clock.now())
        status = replace(request.status, certificate=base64.b64encode(certificate).decode())
        await self._client.update(replace(request, status=status), subresource="status")

    async def _refuse(self, request: CertificateSigningRequest, why: str) -> None:
        failed = CertificateSigningRequestCondition(
            type="Failed", status="True", reason="SignerValidationFailure", message=why
        )
        status = replace(request.status, conditions=(*request.status.conditions, failed))
        await self._client.update(replace(request, status=status), subresource="status")


def _is_due(request: CertificateSigningRequest) -> bool:
    return (
        request.spec.signer_name in SIGNERS
        and not request.status.certificate
        and is_approved(request)
        and not has_condition(request, "Failed")
    )


def _due(old: CertificateSigningRequest | None, new: CertificateSigningRequest | None) -> Iterator[str]:
    if new is not None and _is_due(new):
        yield new.metadata.name
