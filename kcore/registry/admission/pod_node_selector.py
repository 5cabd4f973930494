"""A namespace may say, by annotation, which nodes its pods run on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.api.core_v1 import Pod
from kcore.api.kind import Kind
from kcore.api.schema import fill
from kcore.registry.admission.plugin import Operation, Plugin, forbidden
from kcore.registry.request import Request

__all__ = ["PodNodeSelector"]

ANNOTATION = "scheduler.alpha.kubernetes.io/node-selector"


class PodNodeSelector(Plugin):
    on_by_default = False

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.type is Pod and operation is Operation.CREATE and not subresource

    def admit(self, req: Request, operation: Operation, obj: Pod, old: Any) -> None:
        wanted = self._selector(req, obj)
        self._check(req, obj, wanted)
        if wanted:
            fill(obj.spec, node_selector={**wanted, **obj.spec.node_selector})

    def validate(self, req: Request, operation: Operation, obj: Pod, old: Any) -> None:
        self._check(req, obj, self._selector(req, obj))

    def _selector(self, req: Request, pod: Pod) -> Mapping[str, str]:
        record = self.env.store.head(f"namespaces/{req.namespace}")
        text = record.obj.metadata.annotations.get(ANNOTATION, "") if record is not None else ""
        pairs = [part.partition("=") for part in text.split(",") if part.strip()]
        if any(not equals for _, equals, _ in pairs):
            raise forbidden(req, pod, f"the annotation {ANNOTATION} of namespace {req.namespace} is no list of labels")
        return {key.strip(): value.strip() for key, _, value in pairs}

    def _check(self, req: Request, pod: Pod, wanted: Mapping[str, str]) -> None:
        given = pod.spec.node_selector
        if any(given.get(key, value) != value for key, value in wanted.items()):
            raise forbidden(req, pod, "pod node label selector conflicts with its namespace node label selector")
