"""The other composition root: one component in its own process, working for an API server that runs elsewhere."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus

from kcore.api.errors import ApiError
from kcore.client import kubeconfig
from kcore.client.client import Client
from kcore.client.definitions import DefinedKinds
from kcore.client.events import EventBroadcaster
from kcore.client.http import HttpClient
from kcore.client.informer import Informers
from kcore.client.leaderelection import Election, LeaderElector
from kcore.kit.clock import Chance, Clock, SystemClock
from kcore.kit.process import CannotStart, run_until_signalled
from kcore.kit.service import Service

__all__ = ["Component", "Remote", "Surroundings", "ask", "run_component"]


@dataclass(frozen=True, slots=True)
class Remote:
    """Which API server, and whether only the holder of the component's Lease works."""

    kubeconfig: Path
    context: str = ""
    leader_elect: bool = True


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every component is built over. The caches and the events are run beside its services."""

    client: Client
    informers: Informers
    events: EventBroadcaster
    clock: Clock
    chance: Chance
    access: kubeconfig.Access
    """How the client proves who it is."""


@dataclass(frozen=True, slots=True)
class Component:
    """`name` is upstream's (`kube-scheduler`); `services` builds what runs, in the order in which it starts."""

    name: str
    services: Callable[[Surroundings], Iterable[Service]]
    knows_custom_kinds: bool = True
    """Whether it works with objects of kinds that definitions bring."""
    waits_for_caches: bool = True
    """Whether it begins only once the caches that it has asked for are filled."""


T = TypeVar("T")

_MENDABLE = (kubeconfig.KubeconfigError, ApiError)


def ask(remote: Remote, question: Callable[[Client], Awaitable[T]]) -> T:
    """Put one question to the API server. Raises CannotStart where it does not answer, or refuses."""

    async def main() -> T:
        access = await anyio.to_thread.run_sync(kubeconfig.load, remote.kubeconfig, remote.context)
        async with HttpClient.open(access) as client:
            return await question(client)

    try:
        return anyio.run(main)
    except _MENDABLE as error:
        raise CannotStart(str(error)) from error


def run_component(component: Component, remote: Remote, on_ready: Callable[[], None]) -> None:
    """Run until SIGINT or SIGTERM, or until the lease is lost. Raises CannotStart.

    `on_ready` is called once the component works; with leader election that may be long after the start.
    """

    async def start(tasks: TaskGroup) -> None:
        access = await anyio.to_thread.run_sync(kubeconfig.load, remote.kubeconfig, remote.context)
        await tasks.start(_run, component, remote, access, on_ready)

    run_until_signalled(start, _MENDABLE)


async def _run(
    component: Component,
    remote: Remote,
    access: kubeconfig.Access,
    on_ready: Callable[[], None],
    *,
    task_status: TaskStatus[None],
) -> None:
    clock, chance = SystemClock(), Chance()
    async with HttpClient.open(access, agent=component.name) as client:

        async def work() -> None:
            await _work(component, client, access, clock, chance, on_ready)

        task_status.started()
        if not remote.leader_elect:
            await work()
            return
        identity = f"{socket.gethostname()}_{uuid.uuid4()}"
        election = Election("kube-system", component.name, identity)
        await LeaderElector(client, election, clock, chance).run(work)


async def _work(
    component: Component,
    client: Client,
    access: kubeconfig.Access,
    clock: Clock,
    chance: Chance,
    on_ready: Callable[[], None],
) -> None:
    """One term: fresh caches, and the component's services over them, until cancelled."""
    informers = Informers(client, chance)
    events = EventBroadcaster(client, clock)
    surroundings = Surroundings(client, informers, events, clock, chance, access)
    kinds = [DefinedKinds(client.scheme, informers)] if component.knows_custom_kinds else []
    first: list[Service] = [events, *kinds]
    async with anyio.create_task_group() as tasks:
        if component.waits_for_caches:
            first.insert(0, informers)
        else:
            tasks.start_soon(partial(informers.run, task_status=anyio.TASK_STATUS_IGNORED))
        # One after another, so that a component may make a service of what it learnt from the one before.
        for service in chain(first, component.services(surroundings)):
            await tasks.start(service.run)
        on_ready()
