"""The recipe of create."""

from __future__ import annotations

from functools import partial
from typing import Any

from kcore.api.errors import AlreadyExists, BadRequest, Conflict
from kcore.api.field import quote
from kcore.api.kind import Kind
from kcore.api.meta_v1 import ObjectMeta, StatusDetails
from kcore.api.schema import assign
from kcore.kit.offload import beside, is_much
from kcore.registry.admission import Operation
from kcore.registry.managed_fields import Managers
from kcore.registry.metadata import check_namespace, metadata_errors
from kcore.registry.pipeline import Pipeline, Sound, refuse, rehearsed, settled
from kcore.registry.request import Request
from kcore.registry.strategy import Strategy
from kcore.store.store import Put, Record, RevisionMismatch

__all__ = ["create"]

_NAME_TRIES = 8
_GENERATED_BASE_MAX = 58  # 63, the length of a DNS label, less the suffix


async def create(pipe: Pipeline, req: Request, obj: Any) -> Record:
    """Store a new object, which belongs to the request."""
    check_namespace(req, obj.metadata)
    strategy = pipe.strategy(req.kind)
    managers, now = pipe.managers(req), pipe.timestamp()
    if is_much(req.size):
        await beside(req.size, partial(_receive, strategy, managers, req, obj, now))
    else:
        _receive(strategy, managers, req, obj, now)
    for prepare in pipe.admission.preparations(req):
        pending = prepare(req, obj)
        if pending is not None:
            await pending
    obj = await pipe.admission.admit(req, Operation.CREATE, obj, None)
    metadata: ObjectMeta = obj.metadata
    if metadata.resource_version not in ("", "0"):
        raise BadRequest("resourceVersion should not be set on objects to be created")
    req.code = 201
    if metadata.name or not metadata.generate_name:
        return await store_new(pipe, strategy, req, obj)
    for _ in range(_NAME_TRIES):
        assign(metadata, "name", metadata.generate_name[:_GENERATED_BASE_MAX] + pipe.env.chance.suffix())
        try:
            return await store_new(pipe, strategy, req, obj)
        except AlreadyExists:
            continue
    raise _no_unique_name(req.kind, metadata.name)


def _receive(strategy: Strategy, managers: Managers, req: Request, obj: Any, now: str) -> None:
    strategy.receive(req, obj)
    managers.create(req.field_manager, obj, now)


async def store_new(pipe: Pipeline, strategy: Strategy, req: Request, obj: Any) -> Record:
    """The second half of a create, after mutating admission: also what an update of an absent object runs."""
    metadata: ObjectMeta = obj.metadata
    assign(metadata, "creation_timestamp", pipe.timestamp())
    assign(metadata, "uid", pipe.env.chance.uid())
    assign(metadata, "deletion_timestamp", None)
    assign(metadata, "deletion_grace_period_seconds", None)
    assign(metadata, "resource_version", "")
    assign(metadata, "self_link", "")
    settle = strategy.begin(req, obj, None)
    if settle is None:
        return await _put_checked(pipe, strategy, req, obj)
    with settled(settle, req):
        return await _put_checked(pipe, strategy, req, obj)


async def _put_checked(pipe: Pipeline, strategy: Strategy, req: Request, obj: Any) -> Record:
    strategy.prepare_for_create(req, obj)
    await beside(req.size, partial(_check, pipe.sound, strategy, req, obj))
    await pipe.admission.validate(req, Operation.CREATE, obj, None)
    kind, name = req.kind, obj.metadata.name
    key = kind.key(req.namespace, name)
    if req.dry_run:
        if await pipe.head(kind, key) is not None:
            raise AlreadyExists.of(kind, name)
        return rehearsed(key, obj)
    try:
        return await pipe.commit(kind, Put(key, obj, 0), *req.charges)
    except RevisionMismatch as e:
        if e.key != key:  # a quota was charged by somebody else in the meantime
            raise Conflict.of(kind, name) from None
        raise AlreadyExists.of(kind, name) from None


def _check(sound: Sound, strategy: Strategy, req: Request, obj: Any) -> None:
    """Raise Invalid for broken rules, and collect advice."""
    errors = metadata_errors(obj.metadata, req.kind.namespaced, strategy.name_rule)
    shape = req.shape = None if is_much(req.size) else strategy.shape(obj)
    if shape is not None and sound.knows(shape):
        if errors:
            refuse(req, obj.metadata.name, errors)
        return
    errors += strategy.validate(req, obj)
    refuse(req, obj.metadata.name, errors)
    advice = strategy.warnings(req, obj)
    if advice:
        req.warnings.extend(advice)
    elif shape is not None:
        sound.remember(shape)


def _no_unique_name(kind: Kind, name: str) -> AlreadyExists:
    return AlreadyExists(
        f"{kind.group_resource} {quote(name)} already exists, "
        "the server was not able to generate a unique name for the object",
        StatusDetails(name=name, group=kind.group, kind=kind.plural, retry_after_seconds=1),
    )
