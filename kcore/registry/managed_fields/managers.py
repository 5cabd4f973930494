"""The owners of an object's fields, kept up to date by the recipes: one call for each kind of write.

The order of things is upstream's: an update is tracked as its author sent it, with the defaults of decoding but
before admission and strategies fill in theirs, so that what those set belongs to nobody.
"""

from __future__ import annotations

from typing import Any

import msgspec

from kcore.api.decoding import DecodeError, decode_tree, decode_unstructured
from kcore.api.errors import BadRequest
from kcore.api.kind import Kind
from kcore.api.meta_v1 import ManagedFieldsEntry, ObjectMeta
from kcore.api.object import CustomResource, encode_object
from kcore.api.schema import JSON, Struct, fill
from kcore.kit.recent import keep
from kcore.registry.managed_fields.checking import check
from kcore.registry.managed_fields.comparison import ElementError, compare
from kcore.registry.managed_fields.conflicts import ApplyConflict
from kcore.registry.managed_fields.entries import (
    APPLY,
    UPDATE,
    Manager,
    Ownership,
    capped,
    is_reset,
    read_entries,
    same_entries,
    write_entries,
)
from kcore.registry.managed_fields.last_applied import allowed_by_last_applied, with_last_applied
from kcore.registry.managed_fields.scopes import scope_of
from kcore.registry.managed_fields.updater import Applied, applied, updated

__all__ = ["Managers"]

Tree = dict[str, JSON]

_BEFORE = "before-first-apply"
_KUBECTL = "kubectl"
_REPEATED_MAX = 512
_REPEATED_SIZE_MAX = 8192
_PARTS = {"kind", "api_version", "metadata", "spec", "status"}

_encode = msgspec.json.Encoder().encode
_tree_of = msgspec.json.Decoder(dict[str, Any]).decode


class Managers:
    """Tracks the objects of one kind, written at one address: the object itself, or a subresource of it."""

    def __init__(self, kind: Kind, subresource: str = "") -> None:
        self.kind = kind
        self._subresource = subresource
        self._scope = scope_of(kind, subresource)
        self._schema = self._scope.schema
        self._empty = kind.type()
        self._empty_data = encode_object(self._empty)
        fields = {*kind.type.__struct_fields__}
        self._repeats = kind.type is CustomResource or (fields <= _PARTS and "spec" in fields)
        self._created: dict[bytes, tuple[ManagedFieldsEntry, ...]] = {}

    def create(self, name: str, obj: Any, time: str) -> None:
        """Name the author of a new object."""
        metadata: ObjectMeta = obj.metadata
        given = metadata.managed_fields
        if given and not is_reset(given):
            fill(metadata, managed_fields=())
            self._track(name, self._empty, obj, self._read(given), time)
            return
        fill(metadata, managed_fields=())
        shape = self._shape(obj)
        known = self._created.get(shape) if shape else None
        if known is None:
            self._track(name, self._empty, obj, {}, time)
            if shape:
                keep(self._created, shape, metadata.managed_fields, _REPEATED_MAX)
            return
        fill(metadata, managed_fields=tuple(_signed(entry, name, time) for entry in known))

    def _shape(self, obj: Any) -> bytes | None:
        """All that decides which fields a new object has, where that repeats from object to object."""
        if not self._repeats:
            return None
        m: ObjectMeta = obj.metadata
        if m.finalizers or m.annotations or m.deletion_timestamp or m.deletion_grace_period_seconds is not None:
            return None
        owners = [owner.uid for owner in m.owner_references]
        body = obj.content if isinstance(obj, CustomResource) else obj.spec
        shape = _encode((bool(m.generate_name), list(m.labels), owners, body))
        return shape if len(shape) <= _REPEATED_SIZE_MAX else None

    def update(self, name: str, new: Any, old: Any, time: str) -> None:
        """Give the author of an update what it changed. `new` belongs to the request."""
        metadata: ObjectMeta = new.metadata
        standing = old.metadata.managed_fields
        given = metadata.managed_fields
        fill(metadata, managed_fields=standing)  # so that they are not compared
        if given and not self._subresource and not same_entries(given, standing):
            ownership = {} if is_reset(given) else self._read(given) or self._read(standing)
            fill(metadata, managed_fields=write_entries(ownership))
        elif not standing:
            return  # an object that nobody applies to, and that was not tracked from the start, is not tracked
        else:
            ownership = self._read(standing)
        if not ownership:
            fill(metadata, managed_fields=())
            return
        self._track(name, old, new, ownership, time)

    @staticmethod
    def _read(entries: tuple[ManagedFieldsEntry, ...]) -> Ownership:
        """Entries that cannot be read are as good as none."""
        try:
            return read_entries(entries)
        except ValueError:
            return {}

    def _track(self, name: str, old: Any, new: Any, ownership: Ownership, time: str) -> None:
        try:
            change = compare(self._schema, old, new)
        except ElementError:
            fill(new.metadata, managed_fields=())
            return
        after = updated(self._scope, ownership, self._manager(name, UPDATE), change, time)
        if after is not ownership or not new.metadata.managed_fields:
            fill(new.metadata, managed_fields=write_entries(capped(after)))

    def _manager(self, name: str, operation: str) -> Manager:
        version = self._scope.api_version if operation == UPDATE else ""
        return Manager(name, operation, version, self._subresource)

    def check(self, config: Tree) -> None:
        """Raises BadRequest where a configuration cannot be applied whatever stands."""
        metadata = config.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        if metadata.get("managedFields") is not None:
            raise BadRequest("metadata.managedFields must be nil")
        if why := check(self._schema, config):
            name, namespace = (v if isinstance(v := metadata.get(k), str) else "" for k in ("name", "namespace"))
            kind = self.kind
            gvk = f"{kind.group}/{kind.version}, Kind={kind.name}"
            raise BadRequest(f"failed to create typed patch object ({namespace}/{name}; {gvk}): {why}")

    def apply(self, name: str, config: Tree, old: Any, data: bytes | None, *, force: bool, time: str) -> Any:
        """The object that comes of applying a configuration: its kind was checked, its fields were not.

        `old` and its `data` are None where the apply creates. Raises ApiError.
        """
        live = _tree_of(data or self._empty_data)
        if isinstance(live.get("metadata"), dict):
            live["metadata"].pop("managedFields", None)
        ownership: Ownership = {}
        try:
            if old is not None:
                ownership = self._read(old.metadata.managed_fields) or self._before(old, time)
            found = self._apply(name, live, config, ownership, force, time)
        except ApplyConflict as e:
            raise e.answer() from None
        except ElementError as e:
            raise BadRequest(f"failed to create typed live object: {e}") from None
        new = self._typed(found.tree)
        if name == _KUBECTL:
            with_last_applied(new, self.kind, config)
        fill(new.metadata, managed_fields=write_entries(found.ownership))
        return new

    def _apply(self, name: str, live: Tree, config: Tree, ownership: Ownership, force: bool, time: str) -> Applied:
        def attempt(force: bool) -> Applied:
            return applied(self._scope, ownership, self._manager(name, APPLY), live, config, force=force, time=time)

        try:
            return attempt(force)
        except ApplyConflict as conflict:
            if name != _KUBECTL:
                raise
            allowed = allowed_by_last_applied(self._schema, self.kind, live)
            if allowed is None:
                raise
            left = conflict.without(allowed)
            if left.sets:
                raise left from None
            return attempt(True)

    def _before(self, old: Any, time: str) -> Ownership:
        """Whoever made an object that was not tracked is one owner, of all that it has."""
        untracked = msgspec.structs.replace(old, metadata=msgspec.structs.replace(old.metadata, managed_fields=()))
        change = compare(self._schema, self._empty, untracked)
        return updated(self._scope, {}, self._manager(_BEFORE, UPDATE), change, time)

    def _typed(self, tree: Any) -> Any:
        type_: type[Struct] = self.kind.type
        if type_ is CustomResource:  # which keeps its tree, parts of which are the configuration's
            tree = _tree_of(_encode(tree))
        try:
            obj = (decode_tree if type_ is CustomResource else decode_unstructured)(type_, tree).obj
        except DecodeError as e:
            raise BadRequest(f"failed to convert merged object to typed object: {e}") from None
        fill(obj, kind="", api_version="")
        return obj


def _signed(entry: ManagedFieldsEntry, name: str, time: str) -> ManagedFieldsEntry:
    if entry.manager == name and entry.time == time:
        return entry
    return msgspec.structs.replace(entry, manager=name, time=time)
