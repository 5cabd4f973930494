"""The rules of ownership (KEP-555): what an update takes; what an apply takes, shares, gives up and may not have."""

from __future__ import annotations

from typing import Any, NamedTuple

from kcore.registry.managed_fields.comparison import Comparison, compare, field_set
from kcore.registry.managed_fields.conflicts import ApplyConflict
from kcore.registry.managed_fields.entries import Manager, Owned, Ownership
from kcore.registry.managed_fields.field_sets import (
    LEAF,
    FieldSet,
    Node,
    difference,
    intersection,
    recursive_difference,
    select,
    union,
)
from kcore.registry.managed_fields.merging import merge, remove, with_named_fields
from kcore.registry.managed_fields.schemas import Schema

__all__ = ["Applied", "Scope", "applied", "updated"]

# What the server itself keeps; nobody owns it.
_UNOWNED: Node = {
    "f:apiVersion": LEAF,
    "f:kind": LEAF,
    "f:metadata": {
        ".": LEAF,
        "f:name": LEAF,
        "f:namespace": LEAF,
        "f:creationTimestamp": LEAF,
        "f:selfLink": LEAF,
        "f:uid": LEAF,
        "f:generation": LEAF,
        "f:managedFields": LEAF,
        "f:resourceVersion": LEAF,
    },
}


class Scope(NamedTuple):
    """What a write at one address can touch: all but `reset`, and, if there is a pattern, only what it selects."""

    schema: Schema
    api_version: str
    reset: FieldSet = None
    only: Node = LEAF

    def of(self, fields: FieldSet) -> FieldSet:
        if self.reset is not None:
            fields = recursive_difference(fields, self.reset)
        return select(fields, self.only) if self.only else fields


def updated(scope: Scope, ownership: Ownership, manager: Manager, change: Comparison, time: str) -> Ownership:
    """An update owns what it changed; who owned that before does not any more."""
    change = Comparison(scope.of(change.changed), scope.of(change.removed))
    taken = difference(change.changed, _UNOWNED)
    if taken is None and change.removed is None and change.changed is None:
        return ownership
    # What the manager would be given back at once need not be taken from it first.
    takes_all = taken is not None and taken is change.changed
    out = _yielded(ownership, change, manager if takes_all else None)
    if taken is not None:
        before = out.get(manager)
        left = difference(before.fields, change.removed) if before else None
        both = union(left, taken)
        assert both is not None
        if before is not None and both is before.fields:
            out[manager] = before.at(time)
        else:
            out[manager] = Owned(both, scope.api_version, time)
    return out


def _yielded(ownership: Ownership, change: Comparison, but: Manager | None = None) -> Ownership:
    """Everybody's sets without what was removed, and all but one's without what was changed."""
    out: Ownership = {}
    for manager, owned in ownership.items():
        left = owned.fields
        if manager != but:
            for gone in (change.changed, change.removed):
                left = difference(left, gone) if left is not None else None  # type: ignore[assignment]
        if left:
            out[manager] = owned.having(left)
    return out


class Applied(NamedTuple):
    """`tree` is the object that comes of an apply; it equals the live one if nothing comes of it."""

    tree: Any
    ownership: Ownership


def applied(
    scope: Scope, ownership: Ownership, manager: Manager, live: Any, config: Any, *, force: bool, time: str
) -> Applied:
    """Merge a configuration, drop what its manager no longer wants, and find whom that concerns.

    Raises ApplyConflict where fields of others would change, unless `force`.
    """
    schema = scope.schema
    wanted = scope.of(field_set(schema, config))
    last = ownership.get(manager)
    tree = merge(schema, live, config)
    if last is not None:
        tree = _pruned(schema, tree, ownership, manager, last.fields, wanted)
    found = compare(schema, live, tree)
    change = Comparison(scope.of(found.changed), scope.of(found.removed))
    if not force:
        _refuse(ownership, manager, change)
    out = _yielded(ownership, change, but=manager)
    mine = difference(wanted, _UNOWNED)
    out.pop(manager, None)
    if mine is not None:
        moved = tree != live
        if last is not None and not moved and last.fields == mine and last.api_version == scope.api_version:
            out[manager] = last
        else:
            out[manager] = Owned(mine, scope.api_version, time if moved else last.time if last else None)
    return Applied(tree, out)


def _refuse(ownership: Ownership, manager: Manager, change: Comparison) -> None:
    sets = {
        other: taken
        for other, owned in ownership.items()
        if other != manager and (taken := intersection(owned.fields, change.changed)) is not None
    }
    if sets:
        raise ApplyConflict(sets)


def _pruned(schema: Schema, merged: Any, ownership: Ownership, manager: Manager, last: Node, wanted: FieldSet) -> Any:
    """`merged` without what the manager applied last time, does not want now, and nobody else owns."""
    if difference(last, wanted) is None:
        return merged
    pruned = remove(schema, merged, with_named_fields(schema, last))
    owned = wanted
    for other, theirs in ownership.items():
        if other != manager:
            owned = union(owned, theirs.fields)
    whole = with_named_fields(schema, field_set(schema, merged))
    pruned = _without(schema, merged, whole, union(_named(schema, pruned), with_named_fields(schema, owned)))
    # What hung below the parts that went, and was never this manager's, comes back.
    dangling = difference(whole, _named(schema, pruned))
    return remove(schema, merged, intersection(dangling, with_named_fields(schema, last)))


def _without(schema: Schema, merged: Any, whole: FieldSet, kept: FieldSet) -> Any:
    return remove(schema, merged, difference(whole, kept))


def _named(schema: Schema, tree: Any) -> FieldSet:
    return with_named_fields(schema, field_set(schema, tree))
