"""metadata.managedFields: entries on the wire, and owners with their sets as the core works on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from kcore.api.meta_v1 import ManagedFieldsEntry, ObjectMeta
from kcore.api.schema import fill
from kcore.kit.recent import keep
from kcore.registry.managed_fields.field_sets import Node, canonical, encode, union

__all__ = [
    "APPLY",
    "UPDATE",
    "Manager",
    "Owned",
    "Ownership",
    "capped",
    "is_reset",
    "read_entries",
    "same_but_times",
    "same_entries",
    "share_entries",
    "write_entries",
]

APPLY = "Apply"
UPDATE = "Update"

_UPDATERS_MAX = 10
_OLD_UPDATES = "ancient-changes"
_BLOBS_MAX = 1024

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_replace = msgspec.structs.replace


class Manager(NamedTuple):
    """Who owns: one name is another owner for each operation and subresource, and, of updates, for each version."""

    name: str
    operation: str
    api_version: str = ""
    subresource: str = ""


class Owned(NamedTuple):
    """What a manager owns. `entry`: the one that was read, as long as nothing of it has changed."""

    fields: Node
    api_version: str
    time: str | None
    entry: ManagedFieldsEntry | None = None

    def having(self, fields: Node) -> Owned:
        return self if fields is self.fields else Owned(fields, self.api_version, self.time)

    def at(self, time: str) -> Owned:
        """The same, written again."""
        return self._replace(time=time, entry=self.entry and _replace(self.entry, time=time))


Ownership: TypeAlias = dict[Manager, Owned]


class _Blobs:
    """Equal sets share their bytes, and bytes that were written lately need not be read again."""

    def __init__(self) -> None:
        self._of: dict[bytes, tuple[msgspec.Raw, Node]] = {}

    def raw(self, fields: Node) -> msgspec.Raw:
        return self._shared(encode(fields), fields)[0]

    def fields(self, held: Any) -> Node:
        """The set of an entry of ours: its bytes, or the tree that was read from a log. Raises ValueError."""
        if isinstance(held, msgspec.Raw):
            data = bytes(held)
            known = self._of.get(data)
            # What is read here and was not written lately is one object's own: it would only drive others out.
            return known[1] if known is not None else _decode(data)
        return canonical(held) or {}

    def _shared(self, data: bytes, fields: Node) -> tuple[msgspec.Raw, Node]:
        known = self._of.get(data)
        if known is None:
            known = (msgspec.Raw(data), fields)
            keep(self._of, data, known, _BLOBS_MAX)
        return known


_blobs = _Blobs()


def read_entries(entries: Sequence[ManagedFieldsEntry]) -> Ownership:
    """Raises ValueError where an entry is malformed."""
    found: Ownership = {}
    for entry in entries:
        if entry.operation not in (APPLY, UPDATE):
            raise ValueError("operation must be `Apply` or `Update`")
        if not entry.api_version:
            raise ValueError("apiVersion must not be empty")
        if entry.fields_type != "FieldsV1":
            raise ValueError("fieldsType must be FieldsV1")
        version = entry.api_version if entry.operation == UPDATE else ""
        manager = Manager(entry.manager, entry.operation, version, entry.subresource)
        kept = entry if isinstance(entry.fields_v1, msgspec.Raw) else None
        found[manager] = Owned(_blobs.fields(entry.fields_v1), entry.api_version, entry.time, kept)
    return found


def write_entries(ownership: Ownership) -> tuple[ManagedFieldsEntry, ...]:
    """In upstream's order: appliers first, then by time, name, version and subresource."""
    entries = [_entry(manager, owned) for manager, owned in ownership.items()]
    entries.sort(key=lambda e: (e.operation, e.time or "", e.manager, e.api_version, e.subresource))
    return tuple(entries)


def _entry(manager: Manager, owned: Owned) -> ManagedFieldsEntry:
    return owned.entry or ManagedFieldsEntry(
        manager=manager.name,
        operation=manager.operation,
        api_version=owned.api_version,
        time=owned.time,
        fields_type="FieldsV1",
        fields_v1=_blobs.raw(owned.fields),
        subresource=manager.subresource,
    )


def capped(ownership: Ownership) -> Ownership:
    """At most ten updaters: older ones are merged into one for each version."""
    updaters = [manager for manager in ownership if manager.operation == UPDATE]
    if len(updaters) <= _UPDATERS_MAX:
        return ownership
    updaters.sort(key=lambda m: (ownership[m].time or "", m))
    first: dict[str, Manager] = {}
    out = dict(ownership)
    excess = len(updaters) - _UPDATERS_MAX
    for manager in updaters:
        if excess <= 0:
            break
        owned = out[manager]
        version = owned.api_version
        if version not in first:
            first[version] = manager
            continue
        bucket = Manager(_OLD_UPDATES, UPDATE, version)
        if bucket not in out:
            out[bucket] = out.pop(first[version])
        both = union(owned.fields, out[bucket].fields)
        assert both is not None
        out[bucket] = Owned(both, version, owned.time)
        if manager != bucket:
            del out[manager]
        excess -= 1
    return out


def share_entries(metadata: ObjectMeta) -> None:
    """Let entries that were read as trees hold the shared bytes of their sets. In place, on a fresh object."""
    for entry in metadata.managed_fields:
        if type(entry.fields_v1) is dict:
            fill(metadata, managed_fields=tuple(_shared(entry) for entry in metadata.managed_fields))
            return


def _shared(entry: ManagedFieldsEntry) -> ManagedFieldsEntry:
    if type(entry.fields_v1) is not dict:
        return entry
    return _replace(entry, fields_v1=_blobs.raw(canonical(entry.fields_v1) or {}))


def is_reset(entries: Sequence[ManagedFieldsEntry]) -> bool:
    """One empty entry asks for all of them to be forgotten."""
    return len(entries) == 1 and entries[0] == ManagedFieldsEntry()


def same_entries(a: Sequence[ManagedFieldsEntry], b: Sequence[ManagedFieldsEntry]) -> bool:
    """Whether a client sent back what it was given."""
    return len(a) == len(b) and (a is b or _encode(a) == _encode(b))


def same_but_times(a: Sequence[ManagedFieldsEntry], b: Sequence[ManagedFieldsEntry]) -> bool:
    if len(a) != len(b):
        return False
    return _timeless(a) == _timeless(b)


def _timeless(entries: Iterable[ManagedFieldsEntry]) -> Mapping[Manager, Any]:
    return {
        Manager(e.manager, e.operation, e.api_version, e.subresource): (
            bytes(e.fields_v1) if isinstance(e.fields_v1, msgspec.Raw) else encode(canonical(e.fields_v1))
        )
        for e in entries
    }
