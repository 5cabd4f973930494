"""Keeps the objects of API Priority and Fairness: those of a new cluster as they should be, and whether each FlowSchema
names a level that exists.

The mandatory ones are put back at once; the suggested ones at start, unless somebody has said `false` in their
auto-update annotation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import anyio
from msgspec.structs import replace

from kcore.api.errors import AlreadyExists
from kcore.api.flowcontrol_v1 import FlowSchema, FlowSchemaCondition, FlowSchemaStatus, PriorityLevelConfiguration
from kcore.api.timestamp import format_seconds
from kcore.client.client import Client
from kcore.client.informer import Informers
from kcore.client.runner import Controller, MapFunction, Result
from kcore.kit.clock import Clock
from kcore.registry.flow_control.bootstrap import (
    AUTO_UPDATE,
    MANDATORY_LEVELS,
    MANDATORY_SCHEMAS,
    SUGGESTED_LEVELS,
    SUGGESTED_SCHEMAS,
)

__all__ = ["FlowSchemaController", "ensure_flow_control"]

_DANGLING = "Dangling"
_MANDATORY = {schema.metadata.name: schema for schema in MANDATORY_SCHEMAS}


async def ensure_flow_control(client: Client) -> None:
    """Create what is absent, and set right what is not as it should be."""
    await _ensure(client, PriorityLevelConfiguration, MANDATORY_LEVELS, SUGGESTED_LEVELS)
    await _ensure(client, FlowSchema, MANDATORY_SCHEMAS, SUGGESTED_SCHEMAS)


async def _ensure(client: Client, kind: type[Any], mandatory: Sequence[Any], suggested: Sequence[Any]) -> None:
    standing = {obj.metadata.name: obj for obj in (await client.list(kind)).items}
    async with anyio.create_task_group() as tasks:
        for wanted in (*mandatory, *suggested):
            found = standing.get(wanted.metadata.name)
            if found is None:
                tasks.start_soon(_create, client, wanted)
            elif found.spec != wanted.spec and (wanted in mandatory or _keeps(found)):
                tasks.start_soon(client.update, replace(found, spec=wanted.spec))


def _keeps(standing: Any) -> bool:
    return bool(standing.metadata.annotations.get(AUTO_UPDATE) == "true")


async def _create(client: Client, obj: Any) -> None:
    try:
        await client.create(obj)
    except AlreadyExists:
        return


class FlowSchemaController(Controller):
    name = "flow-control-controller"
    root = FlowSchema

    def __init__(self, client: Client, informers: Informers, clock: Clock) -> None:
        super().__init__()
        self._client = client
        self._schemas = informers.of(FlowSchema)
        self._levels = informers.of(PriorityLevelConfiguration)
        self._clock = clock

    def maps(self) -> Mapping[type[Any], MapFunction]:
        return {PriorityLevelConfiguration: self._concerned}

    def _concerned(self, old: Any, new: Any) -> Iterable[str]:
        """All schemas that name the level; and the mandatory one of its name, where the level itself may be gone."""
        name = (new or old).metadata.name
        yield from (s.metadata.name for s in self._schemas.values() if s.spec.priority_level_configuration.name == name)
        if name in _MANDATORY:
            yield name

    async def reconcile(self, key: str) -> Result | None:
        if key in _MANDATORY:
            await self._put_back(key)
        schema = self._schemas.get(key)
        if schema is None:
            return None
        wanted = _dangling(schema, self._levels.get(schema.spec.priority_level_configuration.name) is None)
        held = next((c for c in schema.status.conditions if c.type == _DANGLING), None)
        if held is not None and (held.status, held.message) == (wanted.status, wanted.message):
            return None
        others = [c for c in schema.status.conditions if c.type != _DANGLING]
        condition = replace(wanted, last_transition_time=format_seconds(self._clock.now()))
        status = FlowSchemaStatus(conditions=(*others, condition))
        await self._client.update(replace(schema, status=status), subresource="status")
        return None

    async def _put_back(self, name: str) -> None:
        for kind, cache, mandatory in (
            (PriorityLevelConfiguration, self._levels, MANDATORY_LEVELS),
            (FlowSchema, self._schemas, MANDATORY_SCHEMAS),
        ):
            wanted: Any = next(obj for obj in mandatory if obj.metadata.name == name)
            found: Any = cache.get(name)
            if found is None or found.spec != wanted.spec:
                await _ensure(self._client, kind, (wanted,), ())


def _dangling(schema: FlowSchema, missing: bool) -> FlowSchemaCondition:
    level = schema.spec.priority_level_configuration.name
    named = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}"'
    if missing:
        why = f"{named} but there is no such object"
        return FlowSchemaCondition(type=_DANGLING, status="True", reason="NotFound", message=why)
    return FlowSchemaCondition(type=_DANGLING, status="False", reason="Found", message=f"{named} and it exists")
