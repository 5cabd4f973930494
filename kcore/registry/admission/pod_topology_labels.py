"""A pod carries the zone and the region of the node that it is bound to (KEP-4742)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.api.core_v1 import Binding, Pod
from kcore.api.kind import Kind
from kcore.api.schema import fill
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request

__all__ = ["PodTopologyLabels"]

_LABELS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


class PodTopologyLabels(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is Pod and operation is Operation.CREATE and subresource in ("", "binding")

    def admit(self, req: Request, operation: Operation, obj: Any, old: Any) -> None:
        node = _node_of(obj)
        missing = {k: v for k, v in self._topology(node).items() if k not in obj.metadata.labels} if node else {}
        if missing:
            fill(obj.metadata, labels={**obj.metadata.labels, **missing})

    def _topology(self, node: str) -> Mapping[str, str]:
        record = self.env.store.head(f"nodes/{node}")
        labels = record.obj.metadata.labels if record is not None else {}
        return {key: labels[key] for key in _LABELS if key in labels}


def _node_of(obj: Pod | Binding) -> str:
    """Where a pod is, or where a binding puts it."""
    if isinstance(obj, Binding):
        return obj.target.name if obj.target.kind == "Node" else ""
    return obj.spec.node_name
