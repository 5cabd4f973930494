"""Says nothing to anything: kept because configurations of old name it."""

from __future__ import annotations

from kcore.api.kind import Kind
from kcore.registry.admission.plugin import Operation, Plugin

__all__ = ["AlwaysAdmit"]


class AlwaysAdmit(Plugin):
    on_by_default = False

    def handles(self, kind: Kind, operation: Operation, subresource: str) -> bool:
        return False
