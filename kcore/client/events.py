"""What components tell about objects: `kubectl describe` shows it, nothing depends on it.

Recording is synchronous and cheap. A service writes in the background, a few at a time, so that a flood of events
never holds up the work that they tell about.
"""

from __future__ import annotations

from collections import deque

import anyio
import structlog
from anyio.abc import TaskStatus

from kcore.api.core_v1 import Event, EventSource, ObjectReference
from kcore.api.errors import ApiError, NotFound
from kcore.api.object import Object
from kcore.client.client import Client
from kcore.client.correlation import Correlator, Occurrence
from kcore.client.workqueue import WorkQueue
from kcore.kit.clock import Clock

__all__ = ["EventBroadcaster", "EventRecorder"]

AT_ONCE = 32
PAUSE = 0.02
MAX_PENDING = 20_000

log = structlog.get_logger(__name__)


class EventRecorder:
    """The voice of one component."""

    def __init__(self, broadcaster: EventBroadcaster, source: EventSource) -> None:
        self._broadcaster = broadcaster
        self._source = source

    def event(
        self,
        regarding: Object | ObjectReference,
        type_: str,
        reason: str,
        message: str,
        *,
        field_path: str = "",
    ) -> None:
        """Tell that `reason` happened to `regarding`. `type_` is Normal or Warning; `field_path` names a part of it,
        as in `spec.containers{app}`."""
        self._broadcaster.record(self._source, regarding, type_, reason, message, field_path)


class EventBroadcaster:
    """Correlates what all recorders of the process tell, and writes what remains."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._correlator = Correlator()
        self._pending: dict[str, tuple[Event, bool]] = {}
        self._names: deque[str] = deque()
        """Those of the pending ones that are no writer's yet, in order."""
        self._work: WorkQueue[str] = WorkQueue()
        self._wake = anyio.Event()

    def recorder(self, component: str, host: str = "") -> EventRecorder:
        return EventRecorder(self, EventSource(component=component, host=host))

    def record(
        self,
        source: EventSource,
        regarding: Object | ObjectReference,
        type_: str,
        reason: str,
        message: str,
        field_path: str,
    ) -> None:
        reference = regarding if isinstance(regarding, ObjectReference) else self._reference(regarding, field_path)
        seen = Occurrence(source, reference, type_, reason, message, self._clock.now())
        event = self._correlator.correlate(seen)
        if event is None or len(self._pending) >= MAX_PENDING:
            return
        name = event.metadata.name
        standing = self._pending.get(name)
        self._pending[name] = (event, standing[1] if standing else event.count == 1)
        if standing is None:
            self._names.append(name)
        self._wake.set()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Write until cancelled."""
        async with anyio.create_task_group() as writers:
            for _ in range(AT_ONCE):
                writers.start_soon(self._write_events)
            task_status.started()
            while True:
                await self._wake.wait()
                self._wake = anyio.Event()
                while self._names:
                    for _ in range(min(AT_ONCE, len(self._names))):
                        self._work.add(self._names.popleft())
                    await anyio.sleep(PAUSE)

    async def _write_events(self) -> None:
        while True:
            name = await self._work.get()
            try:
                await self._write(*self._pending.pop(name))
            finally:
                self._work.done(name)

    async def _write(self, event: Event, new: bool) -> None:
        try:
            if new or not await self._count(event):
                await self._client.create(event)
        except ApiError as error:
            # Above all: its namespace is being deleted. Events are not worth a retry.
            log.debug("event lost", reason=event.reason, why=error.message)

    async def _count(self, event: Event) -> bool:
        """Raise the count of the event that stands; False: there is none any more."""
        patch = {"count": event.count, "lastTimestamp": event.last_timestamp, "message": event.message}
        try:
            await self._client.patch(Event, event.metadata.name, patch, event.metadata.namespace)
        except NotFound:
            return False
        return True

    def _reference(self, obj: Object, field_path: str) -> ObjectReference:
        kind, metadata = self._client.scheme.of(type(obj)), obj.metadata
        return ObjectReference(
            kind=kind.name,
            api_version=kind.api_version,
            namespace=metadata.namespace,
            name=metadata.name,
            uid=metadata.uid,
            resource_version=metadata.resource_version,
            field_path=field_path,
        )
