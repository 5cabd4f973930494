"""A new node takes no pods until the node lifecycle controller has seen it Ready."""

from __future__ import annotations

from typing import Any

from kcore.api.core_v1 import Node, Taint
from kcore.api.kind import Kind
from kcore.api.schema import fill
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request

__all__ = ["TaintNodesByCondition"]

_NOT_READY = Taint(key="node.kubernetes.io/not-ready", effect="NoSchedule")


class TaintNodesByCondition(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is Node and operation is Operation.CREATE and not subresource

    def admit(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        taints = obj.spec.taints
        if not any((t.key, t.effect) == (_NOT_READY.key, _NOT_READY.effect) for t in taints):
            fill(obj.spec, taints=(*taints, _NOT_READY))
