"""Nodes with special hardware are tainted by its resource name: pods that ask for it tolerate that."""

from __future__ import annotations

from typing import Any

from kcore.api.core_v1 import Pod, Toleration
from kcore.api.kind import Kind
from kcore.api.schema import fill
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request
from kcore.registry.validation.resources import is_extended_resource

__all__ = ["ExtendedResourceToleration"]


class ExtendedResourceToleration(Plugin):
    on_by_default = False

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is Pod and operation in (Operation.CREATE, Operation.UPDATE) and not subresource

    def admit(self, req: Request, operation: Operation, obj: Pod, old: Any) -> None:
        spec = obj.spec
        asked = {name for c in (*spec.containers, *spec.init_containers) for name in c.resources.requests}
        wanted = [Toleration(key=name, operator="Exists") for name in sorted(asked) if is_extended_resource(name)]
        missing = [t for t in wanted if t not in spec.tolerations]
        if missing:
            fill(spec, tolerations=(*spec.tolerations, *missing))
