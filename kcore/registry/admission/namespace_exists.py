"""Nothing is written in a namespace that is not there: what NamespaceLifecycle does too, and more."""

from __future__ import annotations

from typing import Any

from kcore.api.errors import NotFound
from kcore.api.field import quote
from kcore.api.kind import Kind
from kcore.api.meta_v1 import StatusDetails
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request

__all__ = ["NamespaceExists"]


class NamespaceExists(Plugin):
    on_by_default = False

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.namespaced and operation is not Operation.CONNECT

    def validate(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        if self.env.store.head(f"namespaces/{req.namespace}") is None:
            details = StatusDetails(name=req.namespace, kind="namespaces")
            raise NotFound(f"namespaces {quote(req.namespace)} not found", details)
