"""No Service takes external addresses that it did not have: with them it could draw others' traffic (CVE-2020-8554)."""

from __future__ import annotations

from kcore.api.core_v1 import Service
from kcore.api.kind import Kind
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.request import Request

__all__ = ["DenyServiceExternalIPs"]


class DenyServiceExternalIPs(Plugin):
    on_by_default = False

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is Service and operation in (Operation.CREATE, Operation.UPDATE) and not subresource

    def validate(self, req: Request, operation: Operation, obj: Service, old: Service | None) -> None:
        held = old.spec.external_ips if old is not None else ()
        if set(obj.spec.external_ips) - set(held):
            raise forbidden(req, obj, "Use of external IPs is denied by admission control")
