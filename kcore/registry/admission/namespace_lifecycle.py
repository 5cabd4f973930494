"""Nothing is made in a namespace that is absent or on its way out, and three namespaces never go."""

from __future__ import annotations

from typing import Any

from kcore.api.errors import Forbidden, NotFound
from kcore.api.field import quote
from kcore.api.kind import Kind
from kcore.api.meta_v1 import StatusCause, StatusDetails
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request

__all__ = ["NamespaceLifecycle"]

_IMMORTAL = frozenset(("default", "kube-system", "kube-public"))
_REVIEWS = frozenset(("localsubjectaccessreviews", "subjectaccessreviews", "selfsubjectaccessreviews"))


class NamespaceLifecycle(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        if kind.group_resource == "namespaces":
            return operation is Operation.DELETE
        return kind.namespaced and operation is not Operation.DELETE and kind.plural not in _REVIEWS

    def admit(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        if operation is Operation.DELETE:
            if req.name in _IMMORTAL:
                raise Forbidden.of(req.kind, req.name, "this namespace may not be deleted")
            return
        record = self.env.store.head(f"namespaces/{req.namespace}")
        if record is None:
            raise NotFound(
                f"namespaces {quote(req.namespace)} not found", StatusDetails(name=req.namespace, kind="namespaces")
            )
        if operation is Operation.CREATE and record.obj.metadata.deletion_timestamp:
            raise _terminating(req, obj.metadata.name)


def _terminating(req: Request, name: str) -> Forbidden:
    why = f"unable to create new content in namespace {req.namespace} because it is being terminated"
    cause = StatusCause(
        reason="NamespaceTerminating",
        message=f"namespace {req.namespace} is being terminated",
        field="metadata.namespace",
    )
    details = StatusDetails(name=name, group=req.kind.group, kind=req.kind.plural, causes=(cause,))
    return Forbidden(f"{req.kind.group_resource} {quote(name)} is forbidden: {why}", details)
