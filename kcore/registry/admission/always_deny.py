"""Refuses every write: to try what clients do then."""

from __future__ import annotations

from typing import Any

from kcore.api.errors import Forbidden
from kcore.api.kind import Kind
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request

__all__ = ["AlwaysDeny"]


class AlwaysDeny(Plugin):
    on_by_default = False

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return True

    def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        name = req.name or (obj.metadata.name if obj is not None else "")
        raise Forbidden.of(req.kind, name, "admission control is denying all modifications")
