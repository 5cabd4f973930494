"""An Ingress that says nothing of a class gets the default one, if there is one."""

from __future__ import annotations

from typing import Any

from kcore.api.kind import Kind
from kcore.api.networking_v1 import Ingress, IngressClass
from kcore.api.schema import fill
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request

__all__ = ["DefaultIngressClass"]

_IS_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
_CLASS = "kubernetes.io/ingress.class"


class DefaultIngressClass(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is Ingress and operation is Operation.CREATE and not subresource

    def admit(self, req: Request, operation: Operation, obj: Ingress, old: Any) -> None:
        if obj.spec.ingress_class_name is not None or _CLASS in obj.metadata.annotations:
            return
        found = self._default()
        if found is not None:
            fill(obj.spec, ingress_class_name=found.metadata.name)

    def _default(self) -> IngressClass | None:
        """The newest of those marked as default; among equals the first by name."""
        classes = [r.obj for r in self.env.store.range("ingressclasses.networking.k8s.io/").records]
        marked = [c for c in classes if c.metadata.annotations.get(_IS_DEFAULT) == "true"]
        marked.sort(key=lambda c: str(c.metadata.name))
        return max(marked, key=lambda c: c.metadata.creation_timestamp or "", default=None)
