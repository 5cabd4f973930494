"""A namespace comes into being with the first object that is put there."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from kcore.api.core_v1 import Namespace
from kcore.api.kind import Kind
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.timestamp import format_seconds
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request
from kcore.store.store import Put, RevisionMismatch

__all__ = ["NamespaceAutoProvision"]


class NamespaceAutoProvision(Plugin):
    on_by_default = False

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return kind.namespaced and operation is Operation.CREATE and not subresource

    async def prepare(self, req: Request, obj: Any) -> None:
        kind = self.env.scheme.of(Namespace)
        key = kind.key("", req.namespace)
        if req.dry_run or self.env.store.head(key) is not None:
            return
        strategy = self.strategies(kind)
        metadata = ObjectMeta(
            name=req.namespace,
            uid=self.env.chance.uid(),
            creation_timestamp=format_seconds(self.env.clock.now()),
        )
        namespace = Namespace(metadata=metadata)
        strategy.receive(req, namespace)
        strategy.prepare_for_create(req, namespace)
        with suppress(RevisionMismatch):  # somebody else was faster
            await self.env.store.commit(Put(key, namespace, 0))
