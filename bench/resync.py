"""How long does it take to look again at 10,000 objects that are as they should be? (goal: 100 ms)

In one process, without HTTP: 10,000 ReplicaSets with nothing to do are queued at once, as after a restart.
"""

from __future__ import annotations

import time

import anyio

from bench.serving import report
from kcore.api.apps_v1 import ReplicaSet, ReplicaSetSpec
from kcore.api.core_v1 import Container, Namespace, PodSpec, PodTemplateSpec
from kcore.api.meta_v1 import LabelSelector, ObjectMeta
from kcore.api.scheme import Scheme
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers, key_of
from kcore.client.local import LocalClient
from kcore.client.runner import Runner
from kcore.controllers.context import Context
from kcore.controllers.replicaset import ReplicaSetController
from kcore.kit.clock import Chance, SystemClock
from kcore.registry.codec import StoreCodec
from kcore.registry.strategies import STRATEGIES
from kcore.registry.verbs import Registry
from kcore.store.embedded import EmbeddedStore
from kcore.store.log import MemoryLog

OBJECTS = 10_000
GOAL_MS = 100


def replica_set(name: str) -> ReplicaSet:
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels={"app": name}), spec=PodSpec(containers=(Container(name="app", image="app:1"),))
    )
    spec = ReplicaSetSpec(replicas=0, selector=LabelSelector(match_labels={"app": name}), template=template)
    return ReplicaSet(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)


async def measure() -> tuple[float, float]:
    """Seconds until all were looked at, and of CPU."""
    clock, chance, scheme = SystemClock(), Chance(1), Scheme()
    store = EmbeddedStore(StoreCodec(scheme, STRATEGIES), MemoryLog())
    client = LocalClient(Registry(store, scheme, STRATEGIES, clock, chance))
    informers, events = Informers(client, chance), EventBroadcaster(client, clock)
    await client.create(Namespace(metadata=ObjectMeta(name="default")))
    for number in range(OBJECTS):
        await client.create(replica_set(f"rs{number}"))
    controller = ReplicaSetController(Context(client, informers, clock, chance, events))
    runner = Runner(controller, informers, clock)
    async with anyio.create_task_group() as tasks:
        await tasks.start(informers.run)
        await tasks.start(runner.run)
        await _settled(runner, OBJECTS)
        await _at_rest(runner)
        before = runner.figures.succeeded
        began, used = time.perf_counter(), time.process_time()
        for obj in list(informers.of(ReplicaSet).values()):
            controller.queue.add(key_of(obj))
        await _settled(runner, before + OBJECTS)
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
        tasks.cancel_scope.cancel()
    return seconds, cpu


async def _settled(runner: Runner, succeeded: int) -> None:
    """Wait until so many keys were worked on, and none waits."""
    while True:
        queue = runner.figures.queue.statistics()
        if runner.figures.succeeded >= succeeded and not (queue.waiting or queue.working or queue.delayed):
            return
        await anyio.sleep(0.001)


async def _at_rest(runner: Runner) -> None:
    """Wait until the first look at everything, which writes statuses, has had all its consequences."""
    seen = -1
    while seen != runner.figures.succeeded:
        seen = runner.figures.succeeded
        await anyio.sleep(0.5)
        await _settled(runner, seen)


def main() -> None:
    seconds, cpu = anyio.run(measure, backend_options={"use_uvloop": True})
    report(
        "resync",
        objects=OBJECTS,
        milliseconds=round(seconds * 1000),
        cpu_milliseconds=round(cpu * 1000),
        goal_milliseconds=GOAL_MS,
    )


if __name__ == "__main__":
    main()
