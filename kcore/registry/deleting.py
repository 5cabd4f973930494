"""The recipe of delete: preconditions, what becomes of dependents, grace, finalizers, and at last the removal.

Deletion is two-phased where anything holds the object: it is first marked (`deletionTimestamp`), and goes when the
last holder lets go (see `updating`). A gracefully deleted object whose time is 0 is marked and removed at once, so
that watchers see both, as upstream's do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from kcore.api.errors import ApiError, Conflict, Invalid, NotFound
from kcore.api.field import FieldError, Path, invalid, not_supported
from kcore.api.kind import Kind
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta, Status, StatusDetails
from kcore.api.timestamp import format_seconds, parse
from kcore.kit.crowd import for_each
from kcore.registry.admission import Admission, Operation
from kcore.registry.converting import converted
from kcore.registry.listing import list_records
from kcore.registry.metadata import FOREGROUND, ORPHAN
from kcore.registry.pipeline import Pipeline, absent, durable, rehearsed
from kcore.registry.request import Answer, GivenOptions, ListOptions, ListPage, Request
from kcore.registry.strategy import Strategy
from kcore.store.store import Delete, Put, Record, RevisionMismatch

__all__ = ["check_delete_options", "delete", "delete_collection"]

replace = msgspec.structs.replace


async def delete(pipe: Pipeline, req: Request, options: DeleteOptions, *, admission: Admission | None = None) -> Answer:
    """`admission`: who is asked, if not the whole chain."""
    check_delete_options(options)
    admission = admission or pipe.admission
    req.options = GivenOptions(delete=options)
    if options.dry_run:
        req.dry_run = True
    if options.grace_period_seconds is not None and options.grace_period_seconds < 0:
        options = replace(options, grace_period_seconds=1)
    strategy = pipe.strategy(req.kind)
    key = req.kind.key(req.namespace, req.name)
    while True:
        old = await pipe.head(req.kind, key)
        if old is None:
            raise absent(req)
        await admission.admit(req, Operation.DELETE, None, old.obj)
        _check_preconditions(req.kind, old.obj.metadata, options)
        await admission.validate(req, Operation.DELETE, None, old.obj)
        try:
            return await _delete(pipe, strategy, req, options, old)
        except RevisionMismatch:
            continue


async def _delete(pipe: Pipeline, strategy: Strategy, req: Request, options: DeleteOptions, old: Record) -> Answer:
    plan = _plan(pipe, strategy, req, options, old.obj)
    if plan.held:
        record = await _mark(pipe, req, plan.obj, old)
        if options.orphan_dependents is False:
            req.code = 202
        return record
    if plan.graceful and plan.obj is not old.obj:
        return await _remove(pipe, strategy, req, _copy(plan.obj), old, marked=plan.obj)
    return await _remove(pipe, strategy, req, plan.obj, old)


class _Plan(NamedTuple):
    """What the object becomes, and whether it stays for now."""

    obj: Any
    held: bool
    graceful: bool = False


def _plan(pipe: Pipeline, strategy: Strategy, req: Request, options: DeleteOptions, old: Any) -> _Plan:
    """What a deletion does to an object: pure but for the time, told by the clock."""
    metadata: ObjectMeta = old.metadata
    finalizers = _finalizers(strategy, metadata, options)
    grace = strategy.grace_period(req, old, options)
    if grace is None or (metadata.deletion_timestamp and not metadata.deletion_grace_period_seconds):
        if not finalizers and not strategy.holds_deletion(old):
            return _Plan(_copy(old), held=False)
        # Namespaces, held by their own finalizers, carry no grace period.
        marked = _marked(pipe, metadata, finalizers, None if strategy.holds_deletion(old) else 0)
        return _Plan(_with_metadata(strategy, old, marked), held=True)
    if metadata.deletion_timestamp:
        standing = metadata.deletion_grace_period_seconds or 0
        # Only a shorter grace period may follow a longer one, and only if the client names it.
        if options.grace_period_seconds is None or options.grace_period_seconds >= standing:
            return _Plan(old, held=True)
        grace = options.grace_period_seconds
        sooner = format_seconds(parse(metadata.deletion_timestamp) - standing + grace)
        marked = replace(metadata, deletion_timestamp=sooner, deletion_grace_period_seconds=grace)
    else:
        marked = _marked(pipe, metadata, finalizers, grace)
    held = grace > 0 or bool(marked.finalizers) or strategy.holds_deletion(old)
    return _Plan(_with_metadata(strategy, old, marked), held, graceful=True)


def _marked(pipe: Pipeline, metadata: ObjectMeta, finalizers: Sequence[str], grace: int | None) -> ObjectMeta:
    if metadata.deletion_timestamp:
        return replace(metadata, deletion_grace_period_seconds=grace, finalizers=tuple(finalizers))
    return replace(
        metadata,
        deletion_timestamp=format_seconds(pipe.env.clock.now() + (grace or 0)),
        deletion_grace_period_seconds=grace,
        finalizers=tuple(finalizers),
        generation=metadata.generation + 1 if metadata.generation else 0,
    )


def _with_metadata(strategy: Strategy, old: Any, metadata: ObjectMeta) -> Any:
    """A fresh top level over shared parts: only it and its metadata may be filled."""
    new = replace(old, metadata=metadata)
    if not old.metadata.deletion_timestamp:
        strategy.begin_deletion(new)
    return new


def _copy(old: Any) -> Any:
    """What the store may stamp with the deletion's revision."""
    return replace(old, metadata=replace(old.metadata))


async def _mark(pipe: Pipeline, req: Request, obj: Any, old: Record) -> Record:
    if obj == old.obj and durable(pipe, req, old):
        return old
    if req.dry_run:
        return rehearsed(old.key, obj)
    if obj is old.obj:
        obj = _copy(obj)
    return await pipe.commit(req.kind, Put(old.key, obj, old.revision))


async def _remove(
    pipe: Pipeline, strategy: Strategy, req: Request, obj: Any, old: Record, *, marked: Any = None
) -> Answer:
    """`marked`: how the object stands for a moment, where it goes with grace."""
    if req.dry_run:
        record = rehearsed(old.key, obj)
    else:
        record = await pipe.commit(req.kind, Delete(old.key, obj, old.revision, farewell=marked))
        strategy.deleted(record.obj)
    return record if strategy.returns_deleted else _success(req.kind, old.obj.metadata)


def _success(kind: Kind, metadata: ObjectMeta) -> Status:
    details = StatusDetails(name=metadata.name, group=kind.group, kind=kind.plural, uid=metadata.uid)
    return Status(kind="Status", api_version="v1", status="Success", details=details)


def _finalizers(strategy: Strategy, metadata: ObjectMeta, options: DeleteOptions) -> Sequence[str]:
    """The finalizers that say what the garbage collector shall do with dependents: at most one of its two."""
    policy = options.propagation_policy
    orphan = foreground = False
    if options.orphan_dependents is not None:
        orphan = options.orphan_dependents
    elif policy is not None:
        orphan, foreground = policy == "Orphan", policy == "Foreground"
    elif ORPHAN in metadata.finalizers:
        orphan = True
    elif FOREGROUND in metadata.finalizers:
        foreground = True
    else:
        orphan = strategy.default_orphans
    wanted = ([ORPHAN] if orphan else []) + ([FOREGROUND] if foreground else [])
    if [f for f in metadata.finalizers if f in (ORPHAN, FOREGROUND)] == wanted:
        return metadata.finalizers
    return (*(f for f in metadata.finalizers if f not in (ORPHAN, FOREGROUND)), *wanted)


_POLICIES = ("Foreground", "Background", "Orphan")


def check_delete_options(options: DeleteOptions) -> None:
    """Raise Invalid for options that contradict themselves."""
    errors: list[FieldError] = []
    path = Path("propagationPolicy")
    policy = options.propagation_policy
    if policy is not None and options.orphan_dependents is not None:
        errors.append(invalid(path, policy, "orphanDependents and deletionPropagation cannot be both set"))
    if policy is not None and policy not in _POLICIES:
        errors.append(not_supported(path, policy, (*_POLICIES, "nil")))
    if options.dry_run and any(d != "All" for d in options.dry_run):
        errors.append(not_supported(Path("dryRun"), options.dry_run, ("All",)))
    if errors:
        raise Invalid.named("meta.k8s.io", "DeleteOptions", "", errors)


def _check_preconditions(kind: Kind, metadata: ObjectMeta, options: DeleteOptions) -> None:
    wanted = options.preconditions
    if wanted is None:
        return
    if wanted.uid is not None and wanted.uid != metadata.uid:
        raise _conflict(
            kind,
            metadata,
            f"the UID in the precondition ({wanted.uid}) does not match the UID in record ({metadata.uid}). "
            "The object might have been deleted and then recreated",
        )
    if wanted.resource_version is not None and wanted.resource_version != metadata.resource_version:
        raise _conflict(
            kind,
            metadata,
            f"the ResourceVersion in the precondition ({wanted.resource_version}) does not match "
            f"the ResourceVersion in record ({metadata.resource_version}). The object might have been modified",
        )


def _conflict(kind: Kind, metadata: ObjectMeta, why: str) -> Conflict:
    """Upstream names the kind here where it names the resource elsewhere."""
    what = f"{kind.name}.{kind.group}" if kind.group else kind.name
    details = StatusDetails(name=metadata.name, group=kind.group, kind=kind.name)
    return Conflict(f'Operation cannot be fulfilled on {what} "{metadata.name}": {why}', details)


async def delete_collection(
    pipe: Pipeline, req: Request, delete_options: DeleteOptions, list_options: ListOptions
) -> ListPage:
    """Delete what the list selects; answers the objects as they were."""
    check_delete_options(delete_options)
    page = await converted(lambda: list_records(pipe, req, list_options))
    failures: list[ApiError] = []

    async def remove(record: Record) -> None:
        metadata: ObjectMeta = record.obj.metadata
        one = replace(req, verb="delete", namespace=metadata.namespace, name=metadata.name)
        try:
            await delete(pipe, one, delete_options)
        except NotFound:
            pass
        except ApiError as e:
            failures.append(e)

    await for_each(page.records, remove)
    if failures:
        raise failures[0]
    return page
