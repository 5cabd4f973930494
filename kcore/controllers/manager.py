"""All controllers as one service: kcore's kube-controller-manager."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
from anyio.abc import TaskStatus

from kcore.client.client import Client
from kcore.client.events import EventBroadcaster
from kcore.client.figures import Figures
from kcore.client.informer import Informers
from kcore.client.runner import Runner
from kcore.controllers import CONTROLLERS
from kcore.controllers.accounts import as_controller
from kcore.controllers.context import Context
from kcore.controllers.garbagecollector import GarbageCollector
from kcore.controllers.options import ControllerOptions
from kcore.kit.clock import Chance, Clock

__all__ = ["ControllerManager", "chosen"]


def chosen(wanted: Sequence[str]) -> frozenset[str]:
    """The names of the controllers that are wanted, in upstream's language: `*` for all, `NAME` for one, `-NAME` for
    all but one; the ending `-controller` may be left out. Raises ValueError for a name that is none."""
    known = [*(make.name for make in CONTROLLERS), GarbageCollector.name]
    full = {name.removesuffix("-controller"): name for name in known} | {name: name for name in known}
    names = {word.removeprefix("-") for word in wanted} - {"*"}
    if strangers := sorted(names - full.keys()):
        raise ValueError(f"no controller is called {', '.join(strangers)}; there are {', '.join(sorted(known))}")
    off = {full[word[1:]] for word in wanted if word.startswith("-")}
    on = set(known) if "*" in wanted else {full[word] for word in wanted if not word.startswith("-")}
    return frozenset(on - off)


class ControllerManager:
    """Runs every controller over shared caches. `informers` and `events` are services of their own, run elsewhere."""

    def __init__(
        self,
        client: Client,
        informers: Informers,
        clock: Clock,
        chance: Chance,
        events: EventBroadcaster,
        options: ControllerOptions,
    ) -> None:
        def context(name: str) -> Context:
            return Context(as_controller(client, name), informers, clock, chance, events, options)

        names = chosen(options.controllers)
        wanted = [make(context(make.name)) for make in CONTROLLERS if make.name in names]
        self._runners = [Runner(controller, informers, clock) for controller in wanted]
        collects = GarbageCollector.name in names
        self._garbage_collector = GarbageCollector(context(GarbageCollector.name)) if collects else None

    @property
    def figures(self) -> Sequence[Figures]:
        """How each controller is doing."""
        own = [self._garbage_collector.figures] if self._garbage_collector is not None else []
        return [*(runner.figures for runner in self._runners), *own]

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Run until cancelled. Started once every controller has seen its part of the cluster."""
        async with anyio.create_task_group() as tasks:
            for runner in self._runners:
                await tasks.start(runner.run)
            if self._garbage_collector is not None:
                await tasks.start(self._garbage_collector.run)
            task_status.started()
