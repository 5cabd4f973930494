"""The pod templates that a StatefulSet or DaemonSet has had, as ControllerRevisions; `kubectl rollout` reads them.

A revision holds a strategic merge patch that replaces the template: applied to its owner, it undoes what came later.
Of revisions with the same template only one is kept; going back to a template gives its revision the highest number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Generic, TypeVar

import msgspec
from msgspec.structs import replace

from kcore.api.apps_v1 import ControllerRevision, DaemonSet, StatefulSet
from kcore.api.core_v1 import PodTemplateSpec
from kcore.api.decoding import decode_tree
from kcore.api.errors import AlreadyExists, NotFound
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.selectors import Selector
from kcore.client.runner import controller_of
from kcore.controllers.adoption import Claimant, controller_reference, index_by_controller, owned_or_orphaned
from kcore.controllers.context import Context
from kcore.controllers.templates import template_hash

__all__ = ["REVISION_LABEL", "History", "template_of"]

REVISION_LABEL = "controller-revision-hash"
"""By which pods name the revision that they were made from."""

LONGEST_PREFIX = 223

T = TypeVar("T", StatefulSet, DaemonSet)


def template_patch(template: PodTemplateSpec) -> dict[str, Any]:
    """The data of a revision."""
    tree = msgspec.json.decode(msgspec.json.encode(template))
    return {"spec": {"template": {**tree, "$patch": "replace"}}}


def template_of(revision: ControllerRevision) -> PodTemplateSpec:
    tree = dict(revision.data["spec"]["template"])
    tree.pop("$patch", None)
    template = decode_tree(PodTemplateSpec, tree).obj
    assert isinstance(template, PodTemplateSpec)
    return template


class History(Generic[T]):
    """The revisions of all objects of one kind. `hash_label` is where a revision tells its hash."""

    def __init__(self, context: Context, type_: type[T], hash_label: str) -> None:
        self._client = context.client
        self._kind = context.client.scheme.of(type_)
        self._hash_label = hash_label
        self._revisions = context.informers.of(ControllerRevision)
        index_by_controller(self._revisions)

    async def of(self, owner: T, selector: Selector) -> list[ControllerRevision]:
        """The owner's revisions, the newest last; what nobody owns and its selector matches is adopted."""
        claimant = Claimant(self._client, owner, lambda revision: selector.matches(revision.metadata.labels))
        return sorted(await claimant.claim(owned_or_orphaned(self._revisions, owner)), key=_age)

    async def latest(self, owner: T, standing: list[ControllerRevision]) -> tuple[ControllerRevision, int]:
        """The revision of the owner's template, made or renumbered where needed, and the count of collisions.

        `standing` is what `of` gave, and is kept true.
        """
        data = template_patch(owner.spec.template)
        number = standing[-1].revision + 1 if standing else 1
        collisions = owner.status.collision_count or 0
        equal = [revision for revision in standing if revision.data == data]
        if not equal:
            revision, collisions = await self._create(owner, data, number, collisions)
        elif equal[-1] is standing[-1]:
            return standing[-1], collisions
        else:
            standing.remove(equal[-1])
            revision = await self._client.update(replace(equal[-1], revision=number))
        standing.append(revision)
        return revision, collisions

    async def _create(
        self, owner: T, data: dict[str, Any], number: int, collisions: int
    ) -> tuple[ControllerRevision, int]:
        while True:
            revision = self._make(owner, data, number, collisions)
            try:
                return await self._client.create(revision), collisions
            except AlreadyExists:
                found = await self._client.get(ControllerRevision, revision.metadata.name, owner.metadata.namespace)
            manager = controller_of(found.metadata)
            if manager is not None and manager.uid == owner.metadata.uid and found.data == data:
                return found, collisions  # it is only that the cache does not show it yet
            collisions += 1

    def _make(self, owner: T, data: dict[str, Any], number: int, collisions: int) -> ControllerRevision:
        template = owner.spec.template
        hash_ = template_hash(template, collisions)
        return ControllerRevision(
            metadata=ObjectMeta(
                name=f"{owner.metadata.name[:LONGEST_PREFIX]}-{hash_}",
                namespace=owner.metadata.namespace,
                labels={**template.metadata.labels, self._hash_label: hash_},
                annotations=owner.metadata.annotations,
                owner_references=(controller_reference(owner, self._kind),),
            ),
            data=data,
            revision=number,
        )

    def hash_of(self, revision: ControllerRevision) -> str:
        return revision.metadata.labels.get(self._hash_label, "")

    async def forget(self, owner: T, revisions: Iterable[ControllerRevision], live: Collection[str]) -> None:
        """Delete the oldest beyond the history limit. Those named in `live` are in use, and do not count."""
        limit = owner.spec.revision_history_limit
        if limit is None or limit < 0:
            return
        unused = [revision for revision in revisions if revision.metadata.name not in live]
        for revision in unused[: max(0, len(unused) - limit)]:
            try:
                await self._client.delete(ControllerRevision, revision.metadata.name, revision.metadata.namespace)
            except NotFound:
                continue


def _age(revision: ControllerRevision) -> tuple[int, str, str]:
    return revision.revision, revision.metadata.creation_timestamp or "", revision.metadata.name
