"""Runs a controller: turns changes into keys, and keys into calls of `reconcile`.

A controller says what it is about (`root`), what it makes (`owns`: objects whose controller reference names an
object of the root kind) and what else it must know of (`maps`). It is told only which key to look at, never what
happened; it compares what is with what should be, and does the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

import anyio
import structlog
from anyio.abc import TaskStatus

from kcore.api.errors import AlreadyExists, ApiError, Conflict
from kcore.api.meta_v1 import ObjectMeta, OwnerReference
from kcore.api.object import Object
from kcore.client.figures import Figures
from kcore.client.informer import Informers, key_of
from kcore.client.workqueue import WorkQueue
from kcore.kit.clock import Clock
from kcore.kit.effort import Effort

__all__ = ["Controller", "MapFunction", "Result", "Runner", "controller_of", "work"]

MapFunction = Callable[[Any, Any], Iterable[str]]
"""Takes a change as (old, new), as informer handlers do, and gives the keys of root objects to look at."""

Reconcile = Callable[[str], Coroutine[Any, Any, "Result | None"]]

EFFORT_SECONDS = 0.001
"""Up to here a key's work is none that matters."""
RESTS = 9.0
"""So many times as long as it was worked on a key rests: it takes a tenth of the loop at most."""
LONGEST_REST = 2.0

log = structlog.get_logger(__name__)


class Result(NamedTuple):
    """What `reconcile` may wish for: to be called again for this key, `after` seconds from now."""

    after: float


class Controller:
    """The base of every controller: subclass, say what is watched, write `reconcile`."""

    name: ClassVar[str]
    root: ClassVar[type[Object]]
    owns: ClassVar[tuple[type[Object], ...]] = ()
    workers: ClassVar[int] = 5

    def __init__(self) -> None:
        self.queue: WorkQueue[str] = WorkQueue()

    def maps(self) -> Mapping[type[Object], MapFunction]:
        """Other kinds to watch, and how a change of theirs leads to keys of the root kind."""
        return {}

    def reads(self) -> Iterable[type[Object]]:
        """Kinds whose caches must be full before the first `reconcile`, beyond those watched."""
        return ()

    async def reconcile(self, key: str) -> Result | None:
        """Make the world right for the root object called `key`, which may be gone. What it raises is retried."""
        raise NotImplementedError


def controller_of(metadata: ObjectMeta) -> OwnerReference | None:
    """The owner that manages an object, if any."""
    for reference in metadata.owner_references:
        if reference.controller:
            return reference
    return None


class Runner:
    """One controller at work."""

    def __init__(self, controller: Controller, informers: Informers, clock: Clock) -> None:
        self._controller = controller
        self._informers = informers
        self._clock = clock
        self._root_name = controller.root.__name__
        self.figures = Figures(controller.name, controller.queue)
        informers.of(controller.root)
        for kind in (*controller.owns, *controller.maps(), *controller.reads()):
            informers.of(kind)

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Work until cancelled. Started once every cache it needs has been filled and its objects are queued."""
        controller = self._controller
        kinds = (controller.root, *controller.owns, *controller.maps(), *controller.reads())
        for kind in kinds:
            await self._informers.of(kind).wait_synced()
        self._watch()
        async with anyio.create_task_group() as workers:
            for number in range(controller.workers):
                workers.start_soon(self._work, name=f"{controller.name} {number}")
            task_status.started()

    def _watch(self) -> None:
        """Register with the caches, which replay what they hold: that queues every object once."""
        controller = self._controller
        for kind, map_function in controller.maps().items():
            self._informers.of(kind).add_handler(self._mapped(map_function))
        for kind in controller.owns:
            self._informers.of(kind).add_handler(self._owned)
        if controller.root not in controller.maps():
            self._informers.of(controller.root).add_handler(self._changed)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        obj = new if new is not None else old
        assert obj is not None
        self._controller.queue.add(key_of(obj))

    def _owned(self, old: Object | None, new: Object | None) -> None:
        for obj in (old, new):
            if obj is None:
                continue
            owner = controller_of(obj.metadata)
            if owner is not None and owner.kind == self._root_name:
                namespace = obj.metadata.namespace
                self._controller.queue.add(f"{namespace}/{owner.name}" if namespace else owner.name)

    def _mapped(self, map_function: MapFunction) -> Callable[[Any, Any], None]:
        add = self._controller.queue.add

        def on_change(old: Object | None, new: Object | None) -> None:
            for key in map_function(old, new):
                add(key)

        return on_change

    async def _work(self) -> None:
        await work(self.figures, self._controller.queue, self._controller.reconcile, self._clock)


async def work(figures: Figures, queue: WorkQueue[str], reconcile: Reconcile, clock: Clock) -> None:
    """Take keys from `queue` until cancelled. One worker of a controller; several may share a queue.

    Who has much under it is woken often: so the more work a key is, the more wakes are answered by one `reconcile`.
    """
    name = figures.name
    while True:
        key = await queue.get()
        effort = Effort(reconcile(key), clock)
        try:
            result = await effort
        except (Conflict, AlreadyExists) as error:
            # Somebody was faster, and the caches will soon show it: everyday life of a controller.
            log.debug("reconcile again", controller=name, key=key, why=error.message)
            figures.requeued += 1
            queue.add_rate_limited(key)
        except Exception as error:
            if isinstance(error, ApiError):
                log.warning("reconcile failed", controller=name, key=key, why=error.message)
            else:
                log.exception("reconcile failed", controller=name, key=key)
            figures.failed(key, error)
            queue.add_rate_limited(key)
        else:
            queue.forget(key)
            if result is None:
                figures.succeeded += 1
            else:
                figures.later += 1
                queue.add_after(key, result.after)
        finally:
            queue.done(key, _rest(effort.seconds))


def _rest(effort: float) -> float:
    return min(RESTS * effort, LONGEST_REST) if effort > EFFORT_SECONDS else 0.0
