"""What components tell about objects: `kubectl describe` shows it, nothing depends on it.

Recording is synchronous and cheap. A service writes in the background, a few at a time, so that a flood of events
never holds up the work that they tell about.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

import anyio
import structlog
from anyio.abc import TaskStatus

from kcore.api.core_v1 import Event, EventSource, ObjectReference
from kcore.api.errors import ApiError, NotFound, because_namespace_goes
from kcore.api.object import Object
from kcore.client.client import Client
from kcore.client.correlation import Correlator, Occurrence
from kcore.kit.clock import Clock
from kcore.kit.crowd import for_each

__all__ = ["EventBroadcaster", "EventRecorder"]

LOOKED_AT = 320
BATCH = 32
AT_ONCE = 8
PAUSE = 0.05
"""After each batch: a flood of events takes its time."""
MAX_SEEN = 20_000

Pending = tuple[Event, bool]
"""An event to write, and whether it is a new one."""

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
    """Correlates what all recorders of the process have told, in the background, and writes what remains."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._correlator = Correlator()
        self._seen: deque[Occurrence] = deque()
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
        if len(self._seen) >= MAX_SEEN:
            return
        reference = regarding if isinstance(regarding, ObjectReference) else self._reference(regarding, field_path)
        self._seen.append(Occurrence(source, reference, type_, reason, message, self._clock.now()))
        self._wake.set()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Write until cancelled."""
        task_status.started()
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            while self._seen:
                await for_each(self._batch(), self._write, AT_ONCE)
                await anyio.sleep(PAUSE)

    def _batch(self) -> Collection[Pending]:
        """What comes of the oldest occurrences."""
        batch: dict[str, Pending] = {}
        for _ in range(min(LOOKED_AT, len(self._seen))):
            event = self._correlator.correlate(self._seen.popleft())
            if event is not None:
                name = event.metadata.name
                is_new = batch[name][1] if name in batch else event.count == 1
                batch[name] = event, is_new
            if len(batch) == BATCH:
                break
        return batch.values()

    async def _write(self, pending: Pending) -> None:
        event, new = pending
        try:
            if new or not await self._count(event):
                await self._client.create(event)
        except ApiError as error:
            # Events are not worth a retry.
            log.debug("event lost", reason=event.reason, why=error.message)
            if isinstance(error, NotFound) or because_namespace_goes(error):
                self._drop(event.metadata.namespace)

    def _drop(self, namespace: str) -> None:
        """Forget what was to be told in a namespace that takes nothing any more: of its end there is much to tell."""
        self._seen = deque(seen for seen in self._seen if seen.namespace != namespace)

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
