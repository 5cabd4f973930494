"""Custom resources are not tracked: who owns which of their fields would follow their schema (`custom.schema`)."""

from __future__ import annotations

from typing import Any

from kcore.api.errors import UnsupportedMediaType
from kcore.api.kind import Kind
from kcore.api.schema import JSON, fill
from kcore.registry.managed_fields import Managers
from kcore.registry.request import PatchType

__all__ = ["Untracked"]


class Untracked(Managers):
    """Notes no owners, and does not apply."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def create(self, name: str, obj: Any, time: str) -> None:
        fill(obj.metadata, managed_fields=())

    def update(self, name: str, new: Any, old: Any, time: str) -> None:
        fill(new.metadata, managed_fields=old.metadata.managed_fields)

    def check(self, config: dict[str, JSON]) -> None:
        others = (t.value for t in PatchType if t not in (PatchType.APPLY, PatchType.STRATEGIC))
        raise UnsupportedMediaType(
            "server-side apply of custom resources is not supported by this server; "
            f"accepted media types include: {', '.join(others)}"
        )
