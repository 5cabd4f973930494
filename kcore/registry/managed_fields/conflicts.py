"""What an apply answers that would take fields from others."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from kcore.api.errors import Conflict
from kcore.api.field import quote
from kcore.api.meta_v1 import StatusCause, StatusDetails
from kcore.registry.managed_fields.entries import UPDATE, Manager
from kcore.registry.managed_fields.field_sets import FieldSet, difference, path_text, paths, union

__all__ = ["ApplyConflict"]


class ApplyConflict(Exception):
    """Fields that an apply would change, by the manager that owns them."""

    def __init__(self, sets: Mapping[Manager, FieldSet]) -> None:
        super().__init__()
        self.sets = {manager: fields for manager, fields in sorted(sets.items()) if fields is not None}

    @property
    def fields(self) -> FieldSet:
        whole: FieldSet = None
        for fields in self.sets.values():
            whole = union(whole, fields)
        return whole

    def without(self, allowed: FieldSet) -> ApplyConflict:
        return ApplyConflict({manager: difference(fields, allowed) for manager, fields in self.sets.items()})

    def answer(self) -> Conflict:
        """The Status, with a cause for each field."""
        found = [(_shown(manager), path_text(path)) for manager, fields in self.sets.items() for path in paths(fields)]
        causes = tuple(
            StatusCause(reason="FieldManagerConflict", message=f"conflict with {manager}", field=path)
            for manager, path in found
        )
        return Conflict(f"Apply failed with {_message(found)}", StatusDetails(causes=causes))


def _message(found: list[tuple[str, str]]) -> str:
    if len(found) == 1:
        return "1 conflict: conflict with {}: {}".format(*found[0])
    lines = []
    for manager, listed in groupby(found, key=lambda f: f[0]):
        lines.append(f"conflicts with {manager}:")
        lines += [f"- {path}" for _, path in listed]
    return f"{len(found)} conflicts: " + "\n".join(lines)


def _shown(manager: Manager) -> str:
    shown = quote(manager.name)
    if manager.subresource:
        shown += f" with subresource {quote(manager.subresource)}"
    return f"{shown} using {manager.api_version}" if manager.operation == UPDATE else shown
