"""Small groups of cluster-wide kinds: scheduling, node, certificates, apiregistration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace

from kcore.api.apiregistration_v1 import APIService, APIServiceCondition, APIServiceStatus
from kcore.api.certificates_v1 import CertificateSigningRequest
from kcore.api.field import FieldError
from kcore.api.names import path_segment_name
from kcore.api.node_v1 import RuntimeClass
from kcore.api.scheduling_v1 import PriorityClass
from kcore.api.schema import fill
from kcore.api.timestamp import format_seconds
from kcore.registry.advice.labels import runtime_class_advice
from kcore.registry.request import Request
from kcore.registry.strategies.ruled import Ruled, Rules
from kcore.registry.validation.apiregistration_v1 import validate_api_service
from kcore.registry.validation.certificates_v1 import (
    validate_certificate_request,
    validate_certificate_request_approval,
    validate_certificate_request_status,
    validate_certificate_request_update,
)
from kcore.registry.validation.scheduling_v1 import (
    validate_priority_class,
    validate_priority_class_update,
    validate_runtime_class,
    validate_runtime_class_update,
)

__all__ = ["STRATEGIES"]


def _default_priority_class(priority: PriorityClass) -> None:
    if priority.preemption_policy is None:
        fill(priority, preemption_policy="PreemptLowerPriority")


class PriorityClassStrategy(Ruled):
    """Its generation starts, but never rises: what matters of it is immutable."""

    type = PriorityClass
    rules = Rules(_default_priority_class, validate_priority_class, validate_priority_class_update)

    def prepare_for_create(self, req: Request, obj: PriorityClass) -> None:
        fill(obj.metadata, generation=1)


class RuntimeClassStrategy(Ruled):
    type = RuntimeClass
    unconditional_update = False
    create_on_update = True
    rules = Rules(create=validate_runtime_class, update=validate_runtime_class_update, advice=runtime_class_advice)


class CertificateSigningRequestStrategy(Ruled):
    """A request says who made it, and never changes: only its decision (approval) and certificate (status) do."""

    type = CertificateSigningRequest
    name_rule = staticmethod(path_segment_name)
    selectable: ClassVar = {"spec.signerName": lambda c: c.spec.signer_name}
    rules = Rules(
        create=validate_certificate_request,
        update=validate_certificate_request_update,
        status=validate_certificate_request_status,
    )

    def prepare_for_create(self, req: Request, obj: CertificateSigningRequest) -> None:
        super().prepare_for_create(req, obj)
        user = req.user
        fill(obj.spec, username=user.name, uid=user.uid, groups=user.groups, extra=dict(user.extra))

    def prepare_for_update(self, req: Request, new: CertificateSigningRequest, old: CertificateSigningRequest) -> None:
        fill(new, spec=old.spec, status=old.status)

    def prepare_for_status_update(
        self, req: Request, new: CertificateSigningRequest, old: CertificateSigningRequest
    ) -> None:
        if req.subresource == "approval":
            fill(new, status=replace(old.status, conditions=new.status.conditions))
        self._stamp(new, old)
        fill(new, spec=old.spec)

    def _stamp(self, new: CertificateSigningRequest, old: CertificateSigningRequest) -> None:
        now = format_seconds(self.env.clock.now())
        since = {(c.type, c.status): c.last_transition_time for c in reversed(old.status.conditions)}
        for condition in new.status.conditions:
            if condition.last_update_time is None:
                fill(condition, last_update_time=now)
            if condition.last_transition_time is None:
                fill(condition, last_transition_time=since.get((condition.type, condition.status)) or now)

    def validate_status_update(
        self, req: Request, new: CertificateSigningRequest, old: CertificateSigningRequest
    ) -> Sequence[FieldError]:
        if req.subresource == "approval":
            return list(validate_certificate_request_approval(new, old))
        return super().validate_status_update(req, new, old)


def _default_api_service(service: APIService) -> None:
    reference = service.spec.service
    if reference is not None and reference.port is None:
        fill(reference, port=443)


class APIServiceStrategy(Ruled):
    type = APIService
    unconditional_update = False
    name_rule = staticmethod(path_segment_name)
    rules = Rules(_default_api_service, validate_api_service)

    def prepare_for_create(self, req: Request, obj: APIService) -> None:
        """What the server itself serves is there at once."""
        super().prepare_for_create(req, obj)
        if obj.spec.service is None:
            available = APIServiceCondition(
                type="Available",
                status="True",
                reason="Local",
                message="Local APIServices are always available",
                last_transition_time=format_seconds(self.env.clock.now()),
            )
            fill(obj, status=APIServiceStatus(conditions=(available,)))


STRATEGIES = (
    PriorityClassStrategy,
    RuntimeClassStrategy,
    CertificateSigningRequestStrategy,
    APIServiceStrategy,
)
