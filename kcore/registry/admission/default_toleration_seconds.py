"""A pod stays on a node that went away for five minutes, unless it says otherwise."""

from __future__ import annotations

from typing import Any

from kcore.api.core_v1 import Pod, Toleration
from kcore.api.kind import Kind
from kcore.api.schema import assign
from kcore.registry.admission.plugin import Operation, Plugin
from kcore.registry.request import Request

__all__ = ["DefaultTolerationSeconds"]

_NOT_READY = Toleration(
    key="node.kubernetes.io/not-ready", operator="Exists", effect="NoExecute", toleration_seconds=300
)
_UNREACHABLE = Toleration(
    key="node.kubernetes.io/unreachable", operator="Exists", effect="NoExecute", toleration_seconds=300
)
_ALWAYS = (_NOT_READY, _UNREACHABLE)


class DefaultTolerationSeconds(Plugin):
    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        # Upstream listens to updates too; as tolerations can only be added there, creations decide.
        return kind.type is Pod and operation in (Operation.CREATE, Operation.UPDATE) and not subresource

    def admit(self, req: Request, operation: Operation, obj: Pod, old: Any) -> None:
        spec = obj.spec
        given = spec.tolerations
        missing = tuple([t for t in _ALWAYS if not _tolerates(given, t.key)]) if given else _ALWAYS
        if missing:
            assign(spec, "tolerations", (*given, *missing) if given else missing)


def _tolerates(tolerations: tuple[Toleration, ...], key: str) -> bool:
    return any(t.key in (key, "") and t.effect in ("NoExecute", "") for t in tolerations)
