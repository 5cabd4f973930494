"""API Priority and Fairness at the door: finds a request's level, and has it wait there for its seat.

The configuration is read from the store and read anew when it has changed, of which the store sends word: a request
that finds a seat free pays for two look-ups. Which schema fits is remembered for questions that were asked before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import anyio

from kcore.api.flowcontrol_v1 import FlowSchema, PriorityLevelConfiguration
from kcore.api.scheme import Scheme
from kcore.registry.access import Attributes
from kcore.registry.flow_control.bootstrap import MANDATORY_LEVELS, MANDATORY_SCHEMAS
from kcore.registry.flow_control.levels import Level, Room
from kcore.registry.flow_control.queues import Ticket
from kcore.registry.flow_control.schemas import distinguisher, in_precedence, matching
from kcore.server.limits.figures import Counts, Figures, FlowKey
from kcore.server.limits.seat import UNLIMITED, Seat, TooBusy
from kcore.server.response import header
from kcore.store.store import Channel, Compacted, Store

__all__ = ["Fairness"]

_REMEMBERED_MAX = 8192
_WAIT_SECONDS = 15.0


class _FreeSeat:
    """For those who are not limited. One serves them all."""

    __slots__ = ("counts", "headers")

    def __init__(self, headers: bytes, counts: Counts) -> None:
        self.headers = headers
        self.counts = counts

    def leave(self) -> None:
        self.counts.executing -= 1


class _Place(NamedTuple):
    """Where a kind of request belongs."""

    schema: FlowSchema
    level: Level
    headers: bytes
    counts: Counts
    exempt: _FreeSeat | None


class _LimitedSeat:
    __slots__ = ("_began", "_counts", "_level", "_room", "_ticket", "headers")

    def __init__(self, room: Room, place: _Place, ticket: Ticket | None) -> None:
        self.headers = place.headers
        self._room = room
        self._level = place.level
        self._counts = counts = place.counts
        counts.dispatched += 1
        counts.executing += 1
        self._ticket = ticket
        self._began = asyncio.get_running_loop().time() if ticket is not None else 0.0

    def leave(self) -> None:
        self._counts.executing -= 1
        self._room.give_back(self._level)
        if self._ticket is not None and self._level.queues is not None:
            self._level.queues.done(self._ticket, asyncio.get_running_loop().time() - self._began)
        self._room.seat_waiting()


class Fairness:
    """`seats`: how many requests may run at once on all levels together."""

    def __init__(self, store: Store, scheme: Scheme, seats: int, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._store = store
        self._levels = scheme.of(PriorityLevelConfiguration)
        self._schemas = scheme.of(FlowSchema)
        self._seats = seats
        self._wait_seconds = wait_seconds
        self._changed = True
        self._channels: Sequence[Channel] = ()
        self._room = Room(MANDATORY_LEVELS, seats)
        self._in_order: Sequence[FlowSchema] = ()
        self._configured: Mapping[str, object] = {}
        self._counts: dict[FlowKey, Counts] = {}
        self._free = _FreeSeat(b"", Counts())
        self._remembered: dict[tuple[str | tuple[str, ...], ...], _Place] = {}

    def try_sit(self, asked: Attributes) -> Seat | None:
        if asked.subresource in UNLIMITED:
            return self._free
        place = self._place(asked)
        if place.exempt is not None:
            place.counts.dispatched += 1
            place.counts.executing += 1
            return place.exempt
        level = place.level
        if level.queues is not None and level.queues.waiting:
            return None  # behind those
        return _LimitedSeat(self._room, place, None) if self._room.take(level) else None

    def figures(self) -> Figures:
        nominal = {name: level.nominal for name, level in self._room.levels.items()}
        return Figures(self._counts, nominal)

    async def wait(self, asked: Attributes) -> Seat:
        place, room = self._place(asked), self._room
        turn = anyio.Event()
        flow = f"{place.schema.metadata.name}\0{distinguisher(place.schema, asked)}"
        ticket = room.join(place.level, flow, turn.set)
        if ticket is None:
            place.counts.rejected["queue-full" if place.level.queues is not None else "concurrency-limit"] += 1
            raise TooBusy(place.headers)
        place.counts.waiting += 1
        room.seat_waiting()
        try:
            with anyio.move_on_after(self._wait_seconds):
                await turn.wait()
        except BaseException:
            self._give_up(room, place, ticket, turn.is_set())
            raise
        finally:
            place.counts.waiting -= 1
        if not turn.is_set():
            self._give_up(room, place, ticket, False)
            place.counts.rejected["time-out"] += 1
            raise TooBusy(place.headers)
        return _LimitedSeat(room, place, ticket)

    @staticmethod
    def _give_up(room: Room, place: _Place, ticket: Ticket, seated: bool) -> None:
        if seated:
            _LimitedSeat(room, place, ticket).leave()
        else:
            room.stop_waiting(place.level, ticket)

    def _place(self, asked: Attributes) -> _Place:
        if self._changed:
            self._read()
        user, verb, group, resource, subresource, namespace, _, path, _ = asked
        key = (user.name, user.groups, verb, group, resource, subresource, namespace, path)
        place = self._remembered.get(key)
        if place is None:
            if len(self._remembered) >= _REMEMBERED_MAX:
                self._remembered.clear()
            place = self._remembered[key] = self._found(asked)
        return place

    def _found(self, asked: Attributes) -> _Place:
        """Where nothing fits, or the level does not exist, the request is caught by the last schema."""
        schema = matching(self._in_order, asked)
        level = self._room.levels.get(schema.spec.priority_level_configuration.name) if schema is not None else None
        if schema is None or level is None:
            schema = next(s for s in self._in_order if s.metadata.name == "catch-all")
            level = self._room.levels["catch-all"]
        headers = header("X-Kubernetes-PF-FlowSchema-UID", schema.metadata.uid)
        headers += header("X-Kubernetes-PF-PriorityLevel-UID", level.uid)
        counts = self._counts.setdefault(FlowKey(level.name, schema.metadata.name), Counts())
        exempt = _FreeSeat(headers, counts) if self._room.is_exempt(level) else None
        return _Place(schema, level, headers, counts, exempt)

    def _read(self) -> None:
        """Read the configuration. Who holds a seat or waits keeps to the room in which that was."""
        self._changed = False
        for channel in self._channels:
            channel.close()
        kinds, since = (self._levels, self._schemas), self._store.revision
        self._channels = [self._store.watch(kind.prefix(), since=since) for kind in kinds]
        for channel in self._channels:
            channel.on_ready(self._note)
        levels = {level.metadata.name: level for level in MANDATORY_LEVELS}
        levels.update({r.obj.metadata.name: r.obj for r in self._store.range(self._levels.prefix()).records})
        schemas = {schema.metadata.name: schema for schema in MANDATORY_SCHEMAS}
        schemas.update({r.obj.metadata.name: r.obj for r in self._store.range(self._schemas.prefix()).records})
        configured = {name: (level.metadata.uid, level.spec) for name, level in levels.items()}
        if configured != self._configured:
            self._configured = configured
            self._room = Room(tuple(levels.values()), self._seats)
        self._in_order = in_precedence(schemas.values())
        self._remembered.clear()

    def _note(self) -> None:
        """Something has been written; it is looked at when the next request comes."""
        for channel in self._channels:
            try:
                if channel.take_nowait():
                    self._changed = True
            except Compacted:
                self._changed = True
