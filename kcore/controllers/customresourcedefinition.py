"""Definitions of custom resources: their names are accepted unless others have them, and at the end they take their
objects along. What is served because of a definition is the registry's affair; it follows the conditions set here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from msgspec.structs import replace

from kcore.api.apiextensions_v1 import (
    CustomResourceDefinition,
    CustomResourceDefinitionCondition,
    CustomResourceDefinitionNames,
    CustomResourceDefinitionStatus,
)
from kcore.api.errors import NotFound
from kcore.api.kind import Kind
from kcore.api.meta_v1 import DeleteOptions
from kcore.api.object import Object
from kcore.api.timestamp import format_seconds
from kcore.client.runner import Controller, Result
from kcore.controllers.context import Context

__all__ = ["CustomResourceDefinitionController"]

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
RETRY_SECONDS = 1.0

Conditions = tuple[CustomResourceDefinitionCondition, ...]


class CustomResourceDefinitionController(Controller):
    name = "crd-controller"
    root = CustomResourceDefinition
    workers = 2

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._client = context.client
        self._clock = context.clock
        self._definitions = context.informers.of(CustomResourceDefinition)
        self._definitions.add_handler(self._related)

    def _related(self, old: CustomResourceDefinition | None, new: CustomResourceDefinition | None) -> None:
        """Names that one definition gives up may be what another of its group waits for."""
        changed = old or new
        if changed is None or (old is not None and new is not None and old.status == new.status):
            return
        for other in self._definitions.values():
            if other.spec.group == changed.spec.group:
                self.queue.add(other.metadata.name)

    async def reconcile(self, key: str) -> Result | None:
        definition = self._definitions.get(key)
        if definition is None:
            return None
        if definition.metadata.deletion_timestamp is not None:
            return await self._clean_up(definition)
        names, conditions = self._judge(definition)
        await self._tell(definition, replace(definition.status, accepted_names=names, conditions=conditions))
        return None

    def _judge(self, definition: CustomResourceDefinition) -> tuple[CustomResourceDefinitionNames, Conditions]:
        """The names that are accepted, and what is to be said of them."""
        status = definition.status
        accepted, conflicts = _accept(definition, list(self._taken(definition)))
        told = status.conditions or ()
        if conflicts:
            reason, message = conflicts[-1]
            told = self._with(told, "NamesAccepted", "False", reason, message)
        else:
            told = self._with(told, "NamesAccepted", "True", "NoConflicts", "no conflicts found")
        if _is(told, "Established"):  # once so, always so
            return accepted, told
        if conflicts:
            return accepted, self._with(told, "Established", "False", "NotAccepted", "not all names are accepted")
        return accepted, self._with(
            told, "Established", "True", "InitialNamesAccepted", "the initial names have been accepted"
        )

    def _taken(self, definition: CustomResourceDefinition) -> Iterator[CustomResourceDefinitionNames]:
        for other in self._definitions.values():
            if other.spec.group == definition.spec.group and other.metadata.uid != definition.metadata.uid:
                yield other.status.accepted_names

    def _with(self, told: Conditions, type_: str, status: str, reason: str, message: str) -> Conditions:
        before = next((c for c in told if c.type == type_), None)
        if before is not None and (before.status, before.reason, before.message) == (status, reason, message):
            return told
        since = before.last_transition_time if before is not None and before.status == status else None
        condition = CustomResourceDefinitionCondition(
            type=type_,
            status=status,
            reason=reason,
            message=message,
            last_transition_time=since or format_seconds(self._clock.now()),
        )
        return (*(condition if c is before else c for c in told), *(() if before else (condition,)))

    async def _tell(self, definition: CustomResourceDefinition, status: CustomResourceDefinitionStatus) -> None:
        if status != definition.status:
            await self._client.update(replace(definition, status=status), subresource="status")

    async def _clean_up(self, definition: CustomResourceDefinition) -> Result | None:
        """Delete the objects, and let the definition go once the last of them is gone."""
        metadata = definition.metadata
        if CLEANUP not in metadata.finalizers:
            return None
        kind = self._kind(definition)
        if kind is not None and not await self._emptied(kind):
            told = self._with(
                definition.status.conditions or (),
                "Terminating",
                "True",
                "InstanceDeletionInProgress",
                "CustomResource deletion is in progress",
            )
            await self._tell(definition, replace(definition.status, conditions=told))
            return Result(RETRY_SECONDS)
        kept = tuple(f for f in metadata.finalizers if f != CLEANUP)
        with suppress(NotFound):
            await self._client.update(replace(definition, metadata=replace(metadata, finalizers=kept)))
        return None

    def _kind(self, definition: CustomResourceDefinition) -> Kind | None:
        """One of the kinds that the definition serves: in any version they have the same objects.

        In the one that is stored they need no conversion, for which perhaps nobody is there any more."""
        found = [k for k in self._client.scheme if k.definition and k.definition.metadata.name == _name(definition)]
        stored = next((version.name for version in definition.spec.versions if version.storage), "")
        return max(found, key=lambda kind: kind.version == stored, default=None)

    async def _emptied(self, kind: Kind) -> bool:
        objects: Sequence[Object] = (await self._client.list(kind)).items
        for obj in objects:
            if obj.metadata.deletion_timestamp is None:
                options = DeleteOptions(propagation_policy="Background")
                try:
                    await self._client.delete(kind, obj.metadata.name, obj.metadata.namespace, options)
                except NotFound:
                    continue
        return not (await self._client.list(kind)).items


def _name(definition: CustomResourceDefinition) -> str:
    return definition.metadata.name


def _is(conditions: Conditions, type_: str) -> bool:
    return any(c.type == type_ and c.status == "True" for c in conditions)


def _accept(
    definition: CustomResourceDefinition, others: Sequence[CustomResourceDefinitionNames]
) -> tuple[CustomResourceDefinitionNames, list[tuple[str, str]]]:
    """The wanted names as far as no other definition of the group has them, and the conflicts (reason, message).

    Plural, singular and short names share one space; kind and list kind another.
    """
    wanted, standing = definition.spec.names, definition.status.accepted_names
    resources = {name for other in others for name in (other.plural, other.singular, *other.short_names) if name}
    kinds = {name for other in others for name in (other.kind, other.list_kind) if name}
    conflicts: list[tuple[str, str]] = []

    def take(value: str, before: str, taken: set[str], reason: str) -> str:
        if value not in taken:
            return value
        conflicts.append((reason, f'"{value}" is already in use'))
        return before

    plural = take(wanted.plural, standing.plural, resources, "PluralConflict")
    singular = take(wanted.singular, standing.singular, resources, "SingularConflict")
    clashes = [name for name in wanted.short_names if name in resources]
    if clashes:
        conflicts.append(("ShortNamesConflict", ", ".join(f'"{name}" is already in use' for name in clashes)))
    kind = take(wanted.kind, standing.kind, kinds, "KindConflict")
    list_kind = take(wanted.list_kind, standing.list_kind, kinds, "ListKindConflict")
    accepted = CustomResourceDefinitionNames(
        plural=plural,
        singular=singular,
        short_names=standing.short_names if clashes else wanted.short_names,
        kind=kind,
        list_kind=list_kind,
        categories=wanted.categories,
    )
    return accepted, conflicts
