"""How long a coroutine holds the event loop: its steps, without what lies between them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from kcore.kit.clock import Clock

__all__ = ["Effort"]

T = TypeVar("T")


class Effort(Generic[T]):
    """Await it instead of `work`. In virtual time nothing is an effort."""

    def __init__(self, work: Coroutine[Any, Any, T], clock: Clock) -> None:
        self._work = work
        self._now = clock.now
        self.seconds = 0.0

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._work.__await__()
        proceed: Callable[[Any], Any] = steps.send
        given: Any = None
        now = self._now
        while True:
            began = now()
            try:
                waits_for = proceed(given)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            finally:
                self.seconds += now() - began
            try:
                proceed, given = steps.send, (yield waits_for)
            except BaseException as error:
                proceed, given = steps.throw, error
