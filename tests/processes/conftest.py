"""Real processes, real time: waits end as soon as what they wait for is there."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import Pod, ServiceAccount
from kcore.api.errors import NotFound
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta
from kcore.api.scheme import Scheme
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers
from kcore.client.local import LocalClient
from kcore.kit.clock import Chance, SystemClock
from kcore.node.cri import ContainerConfig, ContainerInfo
from kcore.node.engine import KubeletEngine, KubeletOptions
from kcore.node.options import NodeOptions
from kcore.node.process.runtime import ProcessRuntime
from kcore.node.runtimes import ProcessOptions
from kcore.registry.codec import StoreCodec
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog
from tests.sim.world import World

ADDRESSES = f"127.{130 + os.getpid() % 100}.0.0/16"
"""What others who test on this machine just now hardly use, too."""
NAP = f"9{os.getpid()}"
"""How many seconds those sleep that tests look for: so long does nobody else on this machine."""
PATIENCE = 60.0
"""Seconds that nothing should take, even on a machine that has much else to do."""


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE):
        while not holds():  # noqa: ASYNC110  # what other processes do is told by no event
            await anyio.sleep(0.01)


async def until_async(holds: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(PATIENCE):
        while not await holds():  # noqa: ASYNC110  # as above
            await anyio.sleep(0.01)


@dataclass
class Box:
    """A process runtime by itself."""

    runtime: ProcessRuntime
    folder: Path
    exits: dict[str, ContainerInfo] = field(default_factory=dict)

    async def start(self, script: str, **changes: object) -> str:
        """Run a shell script in a container. Gives its id."""
        config = ContainerConfig(
            pod_uid="uid-1",
            name="app",
            attempt=0,
            image="x",
            command=["sh", "-c", script],
            env={"GREETING": "hello"},
            log_path=self.folder / "logs" / "0.log",
            hostname="web-0",
        )
        return (await self.runtime.start_container(config._replace(**changes))).id  # type: ignore[arg-type]

    async def exit_of(self, id_: str) -> ContainerInfo:
        await until(lambda: id_ in self.exits)
        return self.exits[id_]

    def log(self) -> list[str]:
        """What was written, without times."""
        file = self.folder / "logs" / "0.log"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split(" ", 1)[1] for line in lines]


@asynccontextmanager
async def box(
    folder: Path, *, isolate: bool = True, stop_at_end: bool = True, linger_seconds: float = 0.0
) -> AsyncIterator[Box]:
    """A runtime that has started."""
    chance = Chance()
    runtime = ProcessRuntime(folder, chance, linger_seconds=linger_seconds, stop_at_end=stop_at_end, isolate=isolate)
    made = Box(runtime, folder)
    async with anyio.create_task_group() as tasks:
        await tasks.start(made.runtime.run, lambda info: made.exits.update({info.id: info}))
        yield made
        tasks.cancel_scope.cancel()


@dataclass
class Processes(World):
    """A world whose nodes run processes."""

    folder: Path = Path()
    isolate: bool = True
    images_file: Path | None = None
    kubelet_client: LocalClient | None = None
    """What kubelets use, if it is not what everybody does."""

    async def create(self, given: Pod, name: str = "web") -> Pod:
        metadata = replace(given.metadata, name=name, uid="", generation=0)
        return await self.client.create(replace(given, metadata=metadata))

    async def pod(self, name: str = "web") -> Pod:
        return await self.client.get(Pod, name, "default")

    async def until_pod(self, holds: Callable[[Pod], bool], name: str = "web") -> Pod:
        """Wait for a pod to become as it should."""
        try:
            with anyio.fail_after(PATIENCE):
                while not holds(found := await self.pod(name)):  # noqa: ASYNC110  # as above
                    await anyio.sleep(0.01)
                return found
        except TimeoutError:
            raise AssertionError(f"{(await self.pod(name)).status}") from None

    async def delete(self, name: str = "web", grace: int | None = None) -> None:
        """Delete a pod and wait until it is gone."""
        await self.client.delete(Pod, name, "default", DeleteOptions(grace_period_seconds=grace))

        async def gone() -> bool:
            try:
                await self.pod(name)
            except NotFound:
                return True
            return False

        await until_async(gone)

    @asynccontextmanager
    async def kubelet(self, *, stop_at_end: bool = True) -> AsyncIterator[KubeletEngine]:
        """A kubelet with one node; the next one finds what it left."""
        options = KubeletOptions(nodes=1, node=NodeOptions(runtime="process"), cluster_cidr=ADDRESSES)
        options = options.for_processes(
            ProcessOptions(
                self.folder,
                self.images_file,
                linger_seconds=60.0,
                stop_at_end=stop_at_end,
                isolate=self.isolate,
            )
        )
        informers, chance = Informers(self.client), Chance()
        client = self.kubelet_client or self.client
        engine = KubeletEngine(client, informers, self.events, self.clock, chance, options)
        async with anyio.create_task_group() as tasks:
            await tasks.start(informers.run)
            await tasks.start(engine.run)
            yield engine
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def processes(folder: Path, *, isolate: bool = True) -> AsyncIterator[Processes]:
    clock, chance, scheme = SystemClock(), Chance(1), Scheme()
    store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog())
    registry = Registry(store, scheme, STRATEGIES, clock, chance)
    client = LocalClient(registry)
    events = EventBroadcaster(client, clock)
    async with anyio.create_task_group() as tasks:
        await tasks.start(events.run)
        informers = Informers(client, chance)
        made = Processes(
            clock=clock,  # type: ignore[arg-type]
            chance=chance,
            registry=registry,
            client=client,
            inside=client,
            informers=informers,
            events=events,
            tasks=tasks,
            folder=folder,
            isolate=isolate,
        )
        for name in ("default", "kube-node-lease"):
            await made.create_namespace(name)
        await client.create(ServiceAccount(metadata=ObjectMeta(name="default", namespace="default")))
        yield made
        tasks.cancel_scope.cancel()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kubelet"
