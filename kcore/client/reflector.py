"""How a cache follows the server: list once, watch from there, resume after a break, list anew when history is gone.

`step` is the whole of it, a pure function; `Reflector` asks the client what the state says comes next and hands
what comes out of it to the cache.

    Listing --Page, more to come--> Listing         Watching --Batch---------------> Watching (further on)
    Listing --Page, the last------> Watching        Watching --Ended---------------> Watching (resumed)
    Listing --Failed--------------> Listing, later  Watching --Failed with Expired-> Listing
                                                    Watching --Failed--------------> Watching, later
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

import anyio
import structlog

from kcore.api.errors import ApiError, Expired
from kcore.api.kind import Kind
from kcore.api.object import Object
from kcore.client.client import Client, Listed, WatchEvent
from kcore.kit.clock import Chance

__all__ = [
    "Apply",
    "Batch",
    "Ended",
    "Failed",
    "Listing",
    "Page",
    "Reflector",
    "Replace",
    "State",
    "Wait",
    "Watching",
    "step",
]

T = TypeVar("T", bound=Object)

PAGE_SIZE = 5000
FIRST_DELAY = 0.8
LONGEST_DELAY = 30.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """The next thing to do is to list, from `continue_` on; `items` came with the pages before."""

    continue_: str = ""
    items: tuple[T, ...] = ()
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Watching:
    """The next thing to do is to watch after `resource_version`. `fruitless`: this watch has brought nothing yet."""

    resource_version: str
    fruitless: bool = True
    failures: int = 0


State = Listing[T] | Watching


class Page(NamedTuple, Generic[T]):
    """A page of a list came."""

    listed: Listed[T]


class Batch(NamedTuple, Generic[T]):
    """Events came."""

    events: Sequence[WatchEvent[T]]


class Ended(NamedTuple):
    """The server ended the watch, as servers do now and then."""


class Failed(NamedTuple):
    """The list or the watch failed."""

    error: ApiError


Observation = Page[T] | Batch[T] | Ended | Failed


class Replace(NamedTuple, Generic[T]):
    """The cache is to hold exactly these."""

    items: Sequence[T]


class Apply(NamedTuple, Generic[T]):
    """These events happened to what the cache holds."""

    events: Sequence[WatchEvent[T]]


class Wait(NamedTuple):
    """Before the next request, wait (with jitter)."""

    seconds: float


Effect = Replace[T] | Apply[T] | Wait


def step(state: State[T], seen: Observation[T]) -> tuple[State[T], Sequence[Effect[T]]]:
    """What follows from `seen`, and what is to be done about it."""
    if isinstance(state, Watching):
        return _step_watching(state, seen)
    return _step_listing(state, seen)


def _step_listing(state: Listing[T], seen: Observation[T]) -> tuple[State[T], Sequence[Effect[T]]]:
    match seen:
        case Page(listed) if listed.continue_:
            return Listing(listed.continue_, (*state.items, *listed.items)), ()
        case Page(listed):
            return Watching(listed.resource_version), (Replace((*state.items, *listed.items)),)
        case Failed(error) if isinstance(error, Expired) and state.continue_:
            return Listing(failures=state.failures + 1), ()
        case Failed():
            return replace(state, failures=state.failures + 1), (Wait(_delay(state.failures)),)
    raise AssertionError(f"{seen} while listing")


def _step_watching(state: Watching, seen: Observation[T]) -> tuple[State[T], Sequence[Effect[T]]]:
    match seen:
        case Batch(events):
            return Watching(events[-1].object.metadata.resource_version, fruitless=False), (Apply(events),)
        case Ended() if state.fruitless:
            failures = state.failures + 1
            return replace(state, failures=failures), (Wait(_delay(state.failures)),)
        case Ended():
            return Watching(state.resource_version), ()
        case Failed(error) if isinstance(error, Expired):
            return Listing(), ()
        case Failed():
            failures = state.failures + 1
            return Watching(state.resource_version, failures=failures), (Wait(_delay(state.failures)),)
    raise AssertionError(f"{seen} while watching")


def _delay(failures: int) -> float:
    return min(FIRST_DELAY * 2.0 ** min(failures, 16), LONGEST_DELAY)


class Reflector(Generic[T]):
    """Drives `step` for one kind, narrowed by `field_selector` and `namespace`."""

    def __init__(
        self,
        client: Client,
        kind: Kind,
        *,
        replace: Callable[[Sequence[T]], None],
        apply: Callable[[Sequence[WatchEvent[T]]], None],
        chance: Chance,
        field_selector: str = "",
        namespace: str = "",
    ) -> None:
        self._client = client
        self._kind = kind
        self._replace = replace
        self._apply = apply
        self._chance = chance
        self._field_selector = field_selector
        self._namespace = namespace
        self._state: State[T] = Listing()

    async def run(self) -> None:
        """Follow the server until cancelled."""
        while True:
            try:
                if isinstance(self._state, Listing):
                    await self._see(Page(await self._list(self._state)))
                else:
                    await self._watch(self._state)
            except ApiError as error:
                log.warning("reflector failed", kind=self._kind.name, error=error.message)
                await self._see(Failed(error))

    async def _list(self, state: Listing[T]) -> Listed[T]:
        return await self._client.list(
            self._kind,
            self._namespace,
            field_selector=self._field_selector,
            limit=PAGE_SIZE,
            continue_=state.continue_,
        )

    async def _watch(self, state: Watching) -> None:
        watch: AbstractAsyncContextManager[AsyncIterator[Sequence[WatchEvent[T]]]] = self._client.watch(
            self._kind,
            self._namespace,
            resource_version=state.resource_version,
            field_selector=self._field_selector,
        )
        async with watch as batches:
            async for events in batches:
                await self._see(Batch(events))
        await self._see(Ended())

    async def _see(self, seen: Observation[T]) -> None:
        self._state, effects = step(self._state, seen)
        for effect in effects:
            match effect:
                case Apply(events):
                    self._apply(events)
                case Replace(items):
                    self._replace(items)
                case Wait(seconds):
                    await anyio.sleep(self._chance.jitter(seconds, 1.0))
