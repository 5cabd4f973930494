"""Owners of `scale`: all it has is the number of replicas, whose owners are those of the replicas of its parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from kcore.api.meta_v1 import ManagedFieldsEntry
from kcore.registry.managed_fields.entries import Owned, Ownership, read_entries, write_entries
from kcore.registry.managed_fields.field_sets import LEAF, Node, difference, intersection, union

__all__ = ["REPLICAS", "ReplicasPaths", "parent_entries", "scale_entries"]

REPLICAS: Node = {"f:spec": {"f:replicas": LEAF}}

Entries: TypeAlias = Sequence[ManagedFieldsEntry]

ReplicasPaths: TypeAlias = Mapping[str, Node]
"""Where the replicas stand in the parent, by API version. Whose version is not among them owns nothing."""


def scale_entries(parent: Entries, replicas: ReplicasPaths) -> tuple[ManagedFieldsEntry, ...]:
    """The managed fields of a Scale."""
    return write_entries(_of_scale(_read(parent), replicas))


def parent_entries(
    parent: Entries, scale: Entries, api_version: str, replicas: ReplicasPaths
) -> tuple[ManagedFieldsEntry, ...]:
    """The managed fields of the parent, after those of its Scale were written."""
    return write_entries(_of_parent(_read(parent), _read(scale), api_version, replicas))


def _read(entries: Entries) -> Ownership:
    try:
        return read_entries(entries)
    except ValueError:
        return {}


def _of_scale(parent: Ownership, replicas: ReplicasPaths) -> Ownership:
    """Who owns the replicas, as owners of a Scale."""
    return {
        manager: Owned(REPLICAS, "autoscaling/v1", owned.time)
        for manager, owned in parent.items()
        if intersection(owned.fields, replicas.get(owned.api_version)) is not None
    }


def _of_parent(parent: Ownership, scale: Ownership, api_version: str, replicas: ReplicasPaths) -> Ownership:
    """The parent's owners, after the Scale's have changed."""
    out: Ownership = {}
    for manager, owned in parent.items():
        if (path := replicas.get(owned.api_version)) is None:
            continue
        left = owned.fields if manager in scale else difference(owned.fields, path)
        if left is not None:
            out[manager] = owned.having(left)
    for manager, owned in scale.items():
        if intersection(owned.fields, REPLICAS) is None:
            continue
        before = parent.get(manager)
        if before is not None and owned.time == before.time:
            continue
        both = union(before.fields if before else None, replicas[api_version])
        assert both is not None
        out[manager] = Owned(both, api_version, owned.time)
    return out
