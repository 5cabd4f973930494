"""The namespace controller: a namespace that is to go takes everything in it along, then goes.

Pods go first and all the way, so that nothing they need vanishes under them (KEP-5080). What has finalizers keeps the
namespace waiting; its conditions say for what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from msgspec.structs import replace

from kcore.api.core_v1 import Namespace, NamespaceCondition, Pod
from kcore.api.errors import ApiError, MethodNotAllowed, NotFound
from kcore.api.kind import Kind
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.object import Object
from kcore.api.timestamp import format_seconds
from kcore.client.runner import Controller, Result
from kcore.controllers.context import Context

__all__ = ["NamespaceController"]

FINALIZER = "kubernetes"


@dataclass(slots=True)
class _Remains:
    """What is still there after everything was asked to go."""

    counts: dict[str, int] = field(default_factory=dict)
    finalizers: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def add(self, kind: Kind, objects: Sequence[Object]) -> None:
        if objects:
            self.counts[f"{kind.plural}.{kind.group}"] = len(objects)
        for obj in objects:
            self.finalizers.update(obj.metadata.finalizers)


def _is_content(kind: Kind) -> bool:
    return kind.namespaced and {"delete", "list", "watch"} <= set(kind.verbs)


class NamespaceController(Controller):
    """Empties and finalizes namespaces that have a deletion timestamp."""

    name = "namespace-controller"
    root = Namespace
    workers = 10

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._namespaces = context.informers.of(Namespace)
        self._informers = context.informers
        self._followed: set[str] = set()
        for kind in self._contents():
            self._served(kind, True)
        self._client.scheme.subscribe(self._served)

    def _served(self, kind: Kind, served: bool) -> None:
        """A kind has come or gone. (The garbage collector, which sees to all kinds, drops the cache.)"""
        if not served:
            self._followed.discard(kind.group_resource)
        elif _is_content(kind) and kind.plural != "events" and kind.group_resource not in self._followed:
            # nobody holds events back, and no cache is to be filled with them
            self._followed.add(kind.group_resource)
            self._informers.of(kind).add_handler(self._content_changed)

    def _contents(self) -> Iterable[Kind]:
        """Every namespaced kind that can be deleted, once where two versions show the same objects; pods first."""
        found = {kind.group_resource: kind for kind in self._client.scheme if _is_content(kind)}
        return sorted(found.values(), key=lambda kind: kind.type is not Pod)

    def _content_changed(self, old: Object | None, new: Object | None) -> None:
        """Something went, or lost a finalizer: a namespace that waited for it may go on."""
        if old is None:
            return
        namespace = self._namespaces.get(old.metadata.namespace)
        if namespace is None or namespace.metadata.deletion_timestamp is None:
            return
        if new is None or new.metadata.finalizers != old.metadata.finalizers:
            self.queue.add(namespace.metadata.name)

    async def reconcile(self, key: str) -> Result | None:
        namespace = self._namespaces.get(key)
        if namespace is None or namespace.metadata.deletion_timestamp is None:
            return None
        if FINALIZER not in namespace.spec.finalizers:
            return None
        remains = await self._empty(key)
        if remains.counts or remains.errors:
            await self._tell(namespace, remains)
            # Changes of the content lead here again; what failed needs another attempt.
            return Result(5.0) if remains.errors else None
        await self._finalize(namespace)
        return None

    async def _empty(self, namespace: str) -> _Remains:
        remains = _Remains()
        for kind in self._contents():
            await self._delete_all(kind, namespace, remains)
            if kind.type is Pod and remains.counts:
                break
        return remains

    async def _delete_all(self, kind: Kind, namespace: str, remains: _Remains) -> None:
        list_ = partial(self._client.list, kind, namespace)
        objects: Sequence[Object] = (await list_()).items
        if any(obj.metadata.deletion_timestamp is None for obj in objects):
            try:
                await self._delete(kind, namespace, objects)
            except ApiError as error:
                remains.errors.append(error.message)
            objects = (await list_()).items
        remains.add(kind, objects)

    async def _delete(self, kind: Kind, namespace: str, objects: Sequence[Object]) -> None:
        options = DeleteOptions(propagation_policy="Background")
        if "deletecollection" in kind.verbs:
            await self._client.delete_collection(kind, namespace, options=options)
            return
        for obj in objects:
            try:
                await self._client.delete(kind, obj.metadata.name, namespace, options)
            except (NotFound, MethodNotAllowed):
                continue

    async def _tell(self, namespace: Namespace, remains: _Remains) -> None:
        conditions = namespace.status.conditions
        for new in _conditions(remains, format_seconds(self._clock.now())):
            conditions = _with(conditions, new)
        if conditions != namespace.status.conditions:
            status = replace(namespace.status, conditions=conditions)
            await self._client.update(replace(namespace, status=status), subresource="status")

    async def _finalize(self, namespace: Namespace) -> None:
        others = tuple(name for name in namespace.spec.finalizers if name != FINALIZER)
        spec = replace(namespace.spec, finalizers=others)
        try:
            await self._client.update(replace(namespace, spec=spec), subresource="finalize")
        except NotFound:
            return


def _with(conditions: tuple[NamespaceCondition, ...], new: NamespaceCondition) -> tuple[NamespaceCondition, ...]:
    """`new` in the place of its like, or at the end; its time stays where its status does."""
    for at, old in enumerate(conditions):
        if old.type == new.type:
            if old.status == new.status:
                new = replace(new, last_transition_time=old.last_transition_time)
            return (*conditions[:at], new, *conditions[at + 1 :])
    return (*conditions, new)


def _conditions(remains: _Remains, now: str) -> Iterable[NamespaceCondition]:
    """All five, in upstream's order and words. The first two can not fail where the kinds are known in process."""
    yield _condition(
        now,
        "NamespaceDeletionDiscoveryFailure",
        "False",
        "ResourcesDiscovered",
        "All resources successfully discovered",
    )
    parsed = "All legacy kube types successfully parsed"
    yield _condition(now, "NamespaceDeletionGroupVersionParsingFailure", "False", "ParsedGroupVersions", parsed)
    failed = "NamespaceDeletionContentFailure"
    if remains.errors:
        message = f"Failed to delete all resource types, {len(remains.errors)} remaining: {', '.join(remains.errors)}"
        yield _condition(now, failed, "True", "ContentDeletionFailed", message)
    else:
        message = "All content successfully deleted, may be waiting on finalization"
        yield _condition(now, failed, "False", "ContentDeleted", message)
    if remains.counts:
        each = (f"{resource} has {count} resource instances" for resource, count in sorted(remains.counts.items()))
        message = f"Some resources are remaining: {', '.join(each)}"
        yield _condition(now, "NamespaceContentRemaining", "True", "SomeResourcesRemain", message)
    else:
        message = "All content successfully removed"
        yield _condition(now, "NamespaceContentRemaining", "False", "ContentRemoved", message)
    if remains.finalizers:
        each = (f"{name} in {count} resource instances" for name, count in sorted(remains.finalizers.items()))
        message = f"Some content in the namespace has finalizers remaining: {', '.join(each)}"
        yield _condition(now, "NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", message)
    else:
        message = "All content-preserving finalizers finished"
        yield _condition(now, "NamespaceFinalizersRemaining", "False", "ContentHasNoFinalizers", message)


def _condition(now: str, type_: str, status: str, reason: str, message: str) -> NamespaceCondition:
    return NamespaceCondition(type=type_, status=status, reason=reason, message=message, last_transition_time=now)
