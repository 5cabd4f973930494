"""All controllers as one service: kcore's kube-controller-manager."""

from __future__ import annotations

import anyio
from anyio.abc import TaskStatus

from kcore.client.client import Client
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers
from kcore.client.runner import Runner
from kcore.controllers import CONTROLLERS
from kcore.controllers.context import Context, ControllerOptions
from kcore.controllers.garbagecollector import GarbageCollector
from kcore.kit.clock import Chance, Clock

__all__ = ["ControllerManager"]


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
        client = client.as_user("system:kube-controller-manager", ("system:masters", "system:authenticated"))
        context = Context(client, informers, clock, chance, events, options)
        self._runners = [Runner(make(context), informers) for make in CONTROLLERS]
        self._garbage_collector = GarbageCollector(context)

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Run until cancelled. Started once every controller has seen its part of the cluster."""
        async with anyio.create_task_group() as tasks:
            for runner in self._runners:
                await tasks.start(runner.run)
            await tasks.start(self._garbage_collector.run)
            task_status.started()
