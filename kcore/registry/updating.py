"""The recipe of update; patch and the object-shaped subresources run it too."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import msgspec

from kcore.api.decoding import decoder
from kcore.api.errors import ApiError, BadRequest, Conflict, Invalid
from kcore.api.field import Path, invalid
from kcore.api.kind import Kind
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.object import encode_object
from kcore.api.schema import fill
from kcore.kit.offload import beside
from kcore.registry.admission import Admission, Operation
from kcore.registry.creating import store_new
from kcore.registry.managed_fields.entries import same_but_times
from kcore.registry.metadata import METADATA, check_address, metadata_update_errors, settle_update
from kcore.registry.pipeline import Pipeline, absent, durable, refuse, rehearsed, settled
from kcore.registry.request import Request
from kcore.registry.strategy import Strategy
from kcore.store.store import Delete, Put, Record, RevisionMismatch

__all__ = ["Make", "Track", "report", "store_update", "update"]

_replace = msgspec.structs.replace

Make: TypeAlias = Callable[[Record | None], Any]
"""Gives the new object, fresh each time, from the one that stands."""

Track: TypeAlias = Callable[[Any, Any | None], None]
"""Notes in the new object who changed what of the one that stands, or made it."""


async def update(pipe: Pipeline, req: Request, obj: Any) -> Record:
    """Replace the object (or, with `req.subresource`, that part of it) by `obj`, which belongs to the request."""
    check_address(req, obj.metadata)
    precondition = obj.metadata.uid
    given_version = obj.metadata.resource_version
    given_managers = obj.metadata.managed_fields
    await beside(req.size, partial(pipe.strategy(req.kind).receive, req, obj))
    tries = 0

    def make(old: Record | None) -> Any:
        nonlocal tries, obj
        tries += 1
        if tries > 1:  # the first try has filled it
            obj = _again(obj, resource_version=given_version, managed_fields=given_managers)
        return obj

    return await store_update(pipe, req, make, uid=precondition)


async def report(pipe: Pipeline, req: Request, obj: Any) -> Record:
    """Replace the status by that of `obj`, which others may share, as its strategy `keeps_reports`."""

    def make(old: Record | None) -> Any:
        assert old is not None
        metadata = _replace(obj.metadata, managed_fields=())
        return _replace(old.obj, metadata=metadata, status=obj.status)

    return await store_update(pipe, req, make, uid=obj.metadata.uid, may_create=False)


def _again(obj: Any, **metadata: Any) -> Any:
    fresh = decoder(type(obj))(encode_object(obj))
    fill(fresh.metadata, **metadata)
    return fresh


async def store_update(
    pipe: Pipeline,
    req: Request,
    make: Make,
    *,
    uid: str = "",
    may_create: bool | None = None,
    track: Track | None = None,
    admission: Admission | None = None,
) -> Record:
    """Make the new object from the standing one and store it; again where another writer came between.

    `uid`: the object that is meant; another of the same name is a conflict. `may_create`: whether an absent object is
    created, where that is not the strategy's to say. `track`: for updates that are no plain updates of the object.
    `admission`: who is asked, if not the whole chain.
    """
    strategy = pipe.strategy(req.kind)
    may_create = strategy.create_on_update if may_create is None else may_create
    track = track or _tracked(pipe, req)
    admission = admission or pipe.admission
    key = req.kind.key(req.namespace, req.name)
    while True:
        old = await pipe.head(req.kind, key)
        if uid and uid != (old.obj.metadata.uid if old else ""):
            raise _other_object(req, uid, old)
        if old is None:
            if not may_create:
                raise absent(req)
            return await _create_instead(pipe, strategy, req, make, track)
        new = await beside(max(req.size, len(old.data)), partial(_made, make, track, old))
        try:
            return await _store(pipe, strategy, req, new, old, admission)
        except RevisionMismatch:
            continue


def _tracked(pipe: Pipeline, req: Request) -> Track:
    managers, now = pipe.managers(req), pipe.timestamp()

    def track(new: Any, old: Any | None) -> None:
        if old is None:
            managers.create(req.field_manager, new, now)
        else:
            managers.update(req.field_manager, new, old, now)

    return track


def _made(make: Make, track: Track, old: Record | None) -> Any:
    standing = old.obj if old is not None else None
    new = make(old)
    track(new, standing)
    return new


async def _create_instead(pipe: Pipeline, strategy: Strategy, req: Request, make: Make, track: Track) -> Record:
    """An update of an absent object creates it, for the kinds where upstream allows that."""
    obj = await beside(req.size, partial(_made, make, track, None))
    obj = await pipe.admission.admit(req, Operation.CREATE, obj, None)
    req.code = 201
    return await store_new(pipe, strategy, req, obj)


async def _store(
    pipe: Pipeline, strategy: Strategy, req: Request, new: Any, old: Record, admission: Admission
) -> Record:
    standing = old.obj
    new = await admission.admit(req, Operation.UPDATE, new, standing)
    metadata: ObjectMeta = new.metadata
    _check_version(strategy, req, metadata.resource_version, old)
    settle = None if req.subresource else strategy.begin(req, new, standing)
    with settled(settle, req):
        fill(metadata, generation=standing.metadata.generation)
        if req.subresource:
            strategy.prepare_for_status_update(req, new, standing)
        else:
            strategy.prepare_for_update(req, new, standing)
        settle_update(metadata, standing.metadata)
        await beside(max(req.size, len(old.data)), partial(_validate, strategy, req, new, standing))
        await admission.validate(req, Operation.UPDATE, new, standing)
        return await _put(pipe, strategy, req, new, old)


def _validate(strategy: Strategy, req: Request, new: Any, old: Any) -> None:
    common = metadata_update_errors(new.metadata, old.metadata, req.kind.namespaced)
    if req.subresource:
        particular = strategy.validate_status_update(req, new, old)
    else:
        particular = strategy.validate_update(req, new, old)
    if common or particular:
        refuse(req, new.metadata.name, (*common, *particular))
    req.warnings.extend(strategy.warnings(req, new, old))


async def _put(pipe: Pipeline, strategy: Strategy, req: Request, new: Any, old: Record) -> Record:
    """Write what changed. An update that takes the last obstacle away completes a deletion."""
    key = old.key
    if _completes_deletion(strategy, new, old.obj):
        if req.dry_run:
            return rehearsed(key, new)
        gone = await pipe.commit(req.kind, Delete(key, new, old.revision))
        strategy.deleted(gone.obj)
        return gone
    if req.dry_run:
        return rehearsed(key, new)
    if _same(new, old.obj) and durable(pipe, req, old) and not strategy.rewrites(old):
        return old
    return await pipe.commit(req.kind, Put(key, new, old.revision), *req.charges)


def _same(new: Any, old: Any) -> bool:
    """Whether nothing changed: that its owners did it again does not count."""
    given, standing = new.metadata.managed_fields, old.metadata.managed_fields
    if given is not standing and same_but_times(given, standing):
        fill(new.metadata, managed_fields=standing)
    return bool(new == old)


def _completes_deletion(strategy: Strategy, new: Any, old: Any) -> bool:
    metadata: ObjectMeta = old.metadata
    return (
        metadata.deletion_timestamp is not None
        and not metadata.deletion_grace_period_seconds
        and not new.metadata.finalizers
        and not strategy.holds_deletion(new)
    )


def _check_version(strategy: Strategy, req: Request, version: str, old: Record) -> None:
    """Optimistic concurrency: the version sent must be the one that stands."""
    if version == old.obj.metadata.resource_version:
        return
    if version in ("", "0"):
        if not strategy.unconditional_update:
            raise _version_missing(req)
        return
    if not version.isdecimal():
        raise BadRequest(f'strconv.ParseUint: parsing "{version}": invalid syntax')
    raise Conflict.of(req.kind, req.name)


def _version_missing(req: Request) -> ApiError:
    path: Path = METADATA / "resourceVersion"
    # Upstream puts the resource where the kind belongs.
    error = invalid(path, 0, "must be specified for an update")
    return Invalid.named(req.kind.group, req.kind.plural, req.name, [error])


# Where upstream's storage path is not the plain resource name.
_STORAGE_PATHS = {
    "nodes": "minions",
    "services": "services/specs",
    "endpoints": "services/endpoints",
    "ingresses.networking.k8s.io": "ingress",
}


def storage_path(kind: Kind, namespace: str, name: str) -> str:
    """The key under which upstream would store an object: some messages name it."""
    where = _STORAGE_PATHS.get(kind.group_resource, kind.plural)
    return f"/registry/{where}/{namespace}/{name}" if kind.namespaced else f"/registry/{where}/{name}"


def _other_object(req: Request, uid: str, old: Record | None) -> Conflict:
    found = old.obj.metadata.uid if old else ""
    why = (
        f"StorageError: invalid object, Code: 4, Key: {storage_path(req.kind, req.namespace, req.name)}, "
        f"ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, "
        f"UID in object meta: {found}"
    )
    return Conflict.of(req.kind, req.name, why)
