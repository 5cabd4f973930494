"""The life of a process: one task tree, begun, announced, and ended by SIGINT or SIGTERM."""

from __future__ import annotations

import gc
import signal
from collections.abc import Awaitable, Callable
from importlib.util import find_spec

import anyio
from anyio.abc import TaskGroup

__all__ = ["CannotStart", "run_until_signalled"]


class CannotStart(Exception):
    """Something outside kcore is in the way; the message is one sentence for the user."""


# So many new objects call the collector. At Python's 700 it comes every few requests, and finds them all in use.
_YOUNG = 10_000


def run_until_signalled(start: Callable[[TaskGroup], Awaitable[None]], mendable: tuple[type[Exception], ...]) -> None:
    """Run what `start` puts into a task group until a signal, or until all of it has ended.

    `start` returns once everything works. Where it fails before that with one of the `mendable` errors, or with an
    OSError, CannotStart is raised instead: the user can do something about it. On uvloop where that is installed.
    """
    ready = False

    async def main() -> None:
        nonlocal ready
        async with anyio.create_task_group() as watch:
            watch.start_soon(_cancel_on_signal, watch.cancel_scope)
            async with anyio.create_task_group() as tasks:
                await start(tasks)
                ready = True
                # What start-up made stays for good: the collector need not look at it now, nor ever again.
                gc.collect()
                gc.freeze()
                gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
                gc.enable()
            watch.cancel_scope.cancel()

    try:
        anyio.run(main, backend_options={"use_uvloop": find_spec("uvloop") is not None})
    except Exception as group:
        error = _innermost(group)
        if ready or not isinstance(error, (*mendable, OSError)):
            raise
        said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
        raise CannotStart(said) from error


async def _cancel_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return


def _innermost(error: BaseException) -> BaseException:
    """The first error inside the groups that task trees raise."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
