"""Whatever happens to the controllers on the way, the cluster ends as it should: once each, and nothing left over.

Controllers are killed in the middle of what they do and started again; their writes meet conflicts and errors, or are
done without an answer; their watches break. Meanwhile somebody works with the cluster. In the end, when all is quiet,
it must look exactly as after the same work on a quiet day.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from kcore.api.apps_v1 import (
    Deployment,
    ReplicaSet,
    StatefulSet,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetSpec,
)
from kcore.api.batch_v1 import Job
from kcore.api.core_v1 import (
    ConfigMap,
    Endpoints,
    Namespace,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    Secret,
    Service,
    ServiceAccount,
    ServicePort,
    ServiceSpec,
)
from kcore.api.discovery_v1 import EndpointSlice
from kcore.api.errors import Conflict, NotFound
from kcore.api.meta_v1 import DeleteOptions, LabelSelector, ObjectMeta
from kcore.api.object import Object
from kcore.client.events import EventBroadcaster
from kcore.client.informer import Informers
from kcore.controllers.manager import ControllerManager
from kcore.controllers.options import ControllerOptions
from tests.controllers.control import deployment, make_ready, template
from tests.controllers.jobs import end, job
from tests.controllers.volumes import claim, make_class
from tests.sim.chaos import ChaoticClient, Trouble
from tests.sim.world import World, world

KINDS: tuple[type[Object], ...] = (
    Deployment,
    ReplicaSet,
    StatefulSet,
    Job,
    Pod,
    Service,
    Endpoints,
    EndpointSlice,
    PersistentVolumeClaim,
    PersistentVolume,
    ConfigMap,
    Secret,
    ServiceAccount,
    Namespace,
)
CALM = 900.0
"""Seconds of quiet after which everything must have come to rest: the longest back-off is among them."""


async def kubelets(w: World) -> None:
    """The stand-in: pods become ready, those of Jobs end, what is deleted goes."""
    while True:
        for pod in (await w.inside.list(Pod)).items:
            if pod.metadata.deletion_timestamp is not None:
                await w.client.delete(
                    Pod, pod.metadata.name, pod.metadata.namespace, DeleteOptions(grace_period_seconds=0)
                )
            elif pod.status.phase == "Pending":
                await make_ready(w, pod)
            elif pod.status.phase == "Running" and "job-name" in pod.metadata.labels:
                await end(w, pod)
        await w.settle(1)


async def edit(w: World, kind: type[Deployment] | type[StatefulSet], name: str, **spec: object) -> None:
    """Whoever edits reads again when somebody was faster."""
    while True:
        found: Any = await w.client.get(kind, name, "ns")
        with suppress(Conflict):
            await w.client.update(replace(found, spec=replace(found.spec, **spec)))
            return


async def make_set(w: World) -> None:
    """It shrinks and grows again: what there is in the end must not tell how far it ever got. (A claim is made before
    its pod; one that never gets its pod, because the set has shrunk meanwhile, stays: upstream's does as well.)"""
    await make_class(w, reclaim_policy="Delete")
    spec = StatefulSetSpec(
        replicas=3,
        service_name="db",
        persistent_volume_claim_retention_policy=StatefulSetPersistentVolumeClaimRetentionPolicy(
            when_deleted="Delete", when_scaled="Delete"
        ),
        selector=LabelSelector(match_labels={"app": "db"}),
        template=template("db"),
        volume_claim_templates=(replace(claim(class_="fast"), metadata=ObjectMeta(name="data")),),
    )
    await w.client.create(StatefulSet(metadata=ObjectMeta(name="db", namespace="ns"), spec=spec))


async def make_service(w: World) -> None:
    spec = ServiceSpec(selector={"app": "web"}, ports=(ServicePort(name="http", port=80),))
    await w.client.create(Service(metadata=ObjectMeta(name="web", namespace="ns"), spec=spec))


async def make_doomed(w: World) -> None:
    await w.create_namespace("doomed")
    made = deployment("gone", 2)
    await w.client.create(replace(made, metadata=replace(made.metadata, namespace="doomed")))


async def replace_job(w: World) -> None:
    """Another of the same name: nothing of the first may count for it."""
    await w.client.delete(Job, "once", "ns", DeleteOptions(propagation_policy="Background"))
    with anyio.fail_after(600):
        while True:
            try:
                await w.client.get(Job, "once", "ns")
            except NotFound:
                break
            await w.settle(1)
    await w.client.create(job("once", completions=2, parallelism=2, completion_mode="Indexed"))


WORK: tuple[Callable[[World], Awaitable[object]], ...] = (
    lambda w: w.client.create(deployment("web", 3)),
    make_service,
    make_set,
    make_doomed,
    lambda w: w.client.create(job("once", completions=3, parallelism=2, completion_mode="Indexed")),
    lambda w: w.client.create(deployment("brief", 2)),
    lambda w: edit(w, Deployment, "web", replicas=6),
    lambda w: edit(w, StatefulSet, "db", replicas=1),
    replace_job,
    lambda w: w.client.delete(Namespace, "doomed"),
    lambda w: edit(w, Deployment, "web", template=template("web", "app:2")),
    lambda w: w.client.delete(Deployment, "brief", "ns", DeleteOptions(propagation_policy="Background")),
    lambda w: edit(w, StatefulSet, "db", replicas=3, template=template("db", "app:2")),
)


async def work(w: World, dice: Random) -> None:
    for step in WORK:
        await w.settle(dice.random() * 4)
        await step(w)


async def control(w: World, trouble: Trouble) -> None:
    """The controllers of one life: caches of their own, until killed."""
    client = ChaoticClient(w.client, trouble)
    informers, events = Informers(client, w.chance), EventBroadcaster(client, w.clock)
    manager = ControllerManager(client, informers, w.clock, w.chance, events, ControllerOptions())
    async with anyio.create_task_group() as tasks:
        await tasks.start(events.run)
        tasks.start_soon(lambda: informers.run(task_status=anyio.TASK_STATUS_IGNORED))
        await tasks.start(manager.run)


async def live(seed: int | None) -> Counter[str]:
    """What the cluster looks like in the end. Without a seed: after a quiet day."""
    dice = Random(seed)
    trouble = Trouble(dice, on=seed is not None)
    async with world(seed or 0) as w:
        await w.create_namespace()
        w.tasks.start_soon(kubelets, w)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work, w, dice)
            while trouble.on and w.clock.now() < 1_700_000_060:
                with anyio.move_on_after(1 + dice.random() * 15):
                    await control(w, trouble)
            trouble.on = False
            tasks.start_soon(control, w, trouble)
            await w.settle(CALM)
            tasks.cancel_scope.cancel()
        await check(w)
        return Counter([shown async for shown in shapes(w)])


async def check(w: World) -> None:
    """Nothing is left without its owner."""
    everything = [obj for kind in KINDS for obj in (await w.client.list(kind)).items]
    uids = {obj.metadata.uid for obj in everything}
    for obj in everything:
        for owner in obj.metadata.owner_references:
            assert owner.uid in uids, f"{type(obj).__name__} {obj.metadata.name} is an orphan of {owner.name}"
        assert obj.metadata.deletion_timestamp is None, f"{obj.metadata.name} never went"
    (slice_,) = [s for s in everything if isinstance(s, EndpointSlice)]
    ready = [p.status.pod_ip for p in everything if isinstance(p, Pod) and p.metadata.labels.get("app") == "web"]
    assert sorted(e.addresses[0] for e in slice_.endpoints or ()) == sorted(ready)


async def shapes(w: World) -> AsyncIterator[str]:
    """Every object, without what differs from run to run. Of pods that ended, some may have been deleted at that very
    moment, as one too many: their Job has counted them."""
    for kind in KINDS:
        for obj in (await w.client.list(kind)).items:
            if isinstance(obj, Pod) and obj.status.phase == "Succeeded":
                assert not obj.metadata.finalizers
                continue
            name = re.sub(r"pvc-[0-9a-f-]{36}", "pvc-UID", obj.metadata.name)
            if obj.metadata.generate_name and not isinstance(obj, Pod | ReplicaSet):
                name = f"{obj.metadata.generate_name}*"
            if isinstance(obj, Pod) and not name.startswith("db-"):
                name = f"{obj.metadata.generate_name}*"
            yield f"{kind.__name__} {obj.metadata.namespace}/{name} {_state(obj)}"


def _state(obj: Object) -> str:
    match obj:
        case Deployment(status=s):
            return f"{s.replicas} {s.updated_replicas} {s.available_replicas}"
        case ReplicaSet(status=s) | StatefulSet(status=s):
            return f"{s.replicas} {s.ready_replicas}"
        case Job(status=s):
            return f"{s.active} {s.completed_indexes} {s.failed} {s.uncounted_terminated_pods}"
        case Pod(spec=spec, status=status):
            return f"{status.phase} {spec.containers[0].image}"
        case PersistentVolumeClaim(status=claimed):
            return claimed.phase
        case PersistentVolume(status=held):
            return held.phase
    return ""


_quiet_day: list[Counter[str]] = []


async def quiet_day() -> Counter[str]:
    """One is as good as another."""
    if not _quiet_day:
        _quiet_day.append(await live(None))
    return _quiet_day[0]


@pytest.mark.parametrize("seed", range(24))
async def test_cluster_ends_as_after_a_quiet_day(seed: int) -> None:
    assert await live(seed) == await quiet_day()


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 600))
async def test_cluster_ends_as_after_a_quiet_day_for_many_seeds(seed: int) -> None:
    assert await live(seed) == await quiet_day()
