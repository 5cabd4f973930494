"""A pod's RuntimeClass says what its sandbox costs and on which nodes it can run (KEP-688)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.api import node_v1, quantity
from kcore.api.core_v1 import Pod
from kcore.api.field import quote
from kcore.api.kind import Kind
from kcore.api.schema import fill
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.request import Request

__all__ = ["RuntimeClass"]


class RuntimeClass(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is Pod and operation is Operation.CREATE and not subresource

    def admit(self, req: Request, operation: Operation, obj: Pod, old: Any) -> None:
        found = self._class_of(req, obj)
        if found is None:
            return
        spec = obj.spec
        cost = _cost(found)
        if cost:
            if spec.overhead and not _same(spec.overhead, cost):
                why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
                raise forbidden(req, obj, why)
            fill(spec, overhead=dict(cost))
        if found.scheduling is not None:
            selector = self._merged_selector(req, obj, found.scheduling.node_selector)
            added = tuple(t for t in found.scheduling.tolerations if t not in spec.tolerations)
            fill(spec, node_selector=selector, tolerations=(*spec.tolerations, *added))

    def validate(self, req: Request, operation: Operation, obj: Pod, old: Any) -> None:
        if not obj.spec.overhead and not obj.spec.runtime_class_name:
            return
        found = self._class_of(req, obj)
        cost = _cost(found) if found is not None else {}
        if obj.spec.overhead and not cost:
            why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            raise forbidden(req, obj, why)
        if cost and not _same(obj.spec.overhead, cost):
            raise forbidden(req, obj, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")

    def _class_of(self, req: Request, pod: Pod) -> node_v1.RuntimeClass | None:
        name = pod.spec.runtime_class_name
        if not name:
            return None
        record = self.env.store.head(f"runtimeclasses.node.k8s.io/{name}")
        if record is None:
            raise forbidden(req, pod, f"pod rejected: RuntimeClass {quote(name)} not found")
        found: node_v1.RuntimeClass = record.obj
        return found

    def _merged_selector(self, req: Request, pod: Pod, wanted: Mapping[str, str]) -> Mapping[str, str]:
        given = pod.spec.node_selector
        for key, value in sorted(wanted.items()):
            if given.get(key, value) != value:
                why = (
                    f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                    f"pod.spec.nodeSelector[{key}] = {given[key]}"
                )
                raise forbidden(req, pod, why)
        return {**given, **wanted}


def _cost(found: node_v1.RuntimeClass) -> Mapping[str, str]:
    return found.overhead.pod_fixed if found.overhead is not None else {}


def _same(a: Mapping[str, str], b: Mapping[str, str]) -> bool:
    return a.keys() == b.keys() and all(quantity.compare(a[name], b[name]) == 0 for name in a)
