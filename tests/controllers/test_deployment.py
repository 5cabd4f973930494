from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace

from kcore.api.apps_v1 import Deployment, DeploymentStrategy
from kcore.api.core_v1 import Pod
from tests.controllers.control import controlled, deployment, pods_of, replica_sets, rolling, run_pods, template
from tests.sim.world import World

REVISION = "deployment.kubernetes.io/revision"


@asynccontextmanager
async def running(wanted: Deployment) -> AsyncIterator[World]:
    """A world in which the deployment has been rolled out."""
    async with controlled() as w:
        w.tasks.start_soon(run_pods, w)
        await w.client.create(wanted)
        await w.settle(5)
        yield w


async def edit(w: World, name: str = "web", **spec: Any) -> Deployment:
    standing = await w.client.get(Deployment, name, "ns")
    return await w.client.update(replace(standing, spec=replace(standing.spec, **spec)))


async def current(w: World, name: str = "web") -> Deployment:
    return await w.client.get(Deployment, name, "ns")


def conditions(d: Deployment) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in d.status.conditions}


async def test_new_deployment_becomes_available() -> None:
    async with running(deployment(replicas=3, progress_deadline_seconds=600)) as w:
        d = await current(w)
        status = d.status
        assert (status.replicas, status.updated_replicas, status.ready_replicas) == (3, 3, 3)
        assert (status.available_replicas, status.unavailable_replicas) == (3, 0)
        assert d.metadata.annotations[REVISION] == "1"
        assert conditions(d) == {
            "Available": ("True", "MinimumReplicasAvailable"),
            "Progressing": ("True", "NewReplicaSetAvailable"),
        }
        rs = (await replica_sets(w))["1"]
        [progressing] = [c for c in status.conditions if c.type == "Progressing"]
        assert progressing.message == f'ReplicaSet "{rs.metadata.name}" has successfully progressed.'
        hash_ = rs.metadata.labels["pod-template-hash"]
        assert rs.metadata.name == f"web-{hash_}"
        assert rs.metadata.annotations["deployment.kubernetes.io/max-replicas"] == "4"
        assert {p.metadata.labels["pod-template-hash"] for p in await pods_of(w)} == {hash_}
        assert await w.told(d) == [
            f"Normal ScalingReplicaSet Scaled up replica set {rs.metadata.name} from 0 to 3",
        ]


async def test_rolling_update_stays_within_its_bounds() -> None:
    start = deployment(replicas=10, progress_deadline_seconds=600, strategy=rolling(3, 2))
    async with running(start) as w:
        pods = w.informers.of(Pod)
        most, least = 0, 100

        def watch(old: Pod | None, new: Pod | None) -> None:
            nonlocal most, least
            alive = [p for p in pods.values() if p.metadata.deletion_timestamp is None]
            most = max(most, len(alive))
            ready = sum(any(c.type == "Ready" and c.status == "True" for c in p.status.conditions) for p in alive)
            least = min(least, ready)

        pods.add_handler(watch)
        await edit(w, template=template(image="app:2"))
        await w.settle(20)
        by_revision = await replica_sets(w)
        assert {r: (rs.spec.replicas, rs.status.available_replicas) for r, rs in by_revision.items()} == {
            "1": (0, 0),
            "2": (10, 10),
        }
        assert most <= 13
        assert least >= 8
        assert (await current(w)).metadata.annotations[REVISION] == "2"


async def test_rollback_reuses_the_old_replica_set_under_a_new_revision() -> None:
    async with running(deployment(replicas=2)) as w:
        await edit(w, template=template(image="app:2"))
        await w.settle(10)
        first = (await replica_sets(w))["1"]
        await edit(w, template=template(image="app:1"))
        await w.settle(10)
        by_revision = await replica_sets(w)
        assert sorted(by_revision) == ["2", "3"]
        assert by_revision["3"].metadata.uid == first.metadata.uid
        assert by_revision["3"].metadata.annotations["deployment.kubernetes.io/revision-history"] == "1"
        assert by_revision["3"].spec.replicas == 2


async def test_recreate_lets_every_old_pod_go_first() -> None:
    async with running(deployment(replicas=3, strategy=DeploymentStrategy(type="Recreate"))) as w:
        pods = w.informers.of(Pod)
        mixed = False

        def watch(old: Pod | None, new: Pod | None) -> None:
            nonlocal mixed
            mixed = mixed or len({p.spec.containers[0].image for p in pods.values()}) > 1

        pods.add_handler(watch)
        await edit(w, template=template(image="app:2"))
        await w.settle(10)
        assert {p.spec.containers[0].image for p in await pods_of(w)} == {"app:2"}
        assert len(await pods_of(w)) == 3
        assert not mixed


async def test_paused_deployment_scales_but_does_not_roll() -> None:
    async with running(deployment(replicas=2, progress_deadline_seconds=600)) as w:
        await edit(w, paused=True, replicas=4, template=template(image="app:2"))
        await w.settle(5)
        d = await current(w)
        assert conditions(d)["Progressing"] == ("Unknown", "DeploymentPaused")
        assert {p.spec.containers[0].image for p in await pods_of(w)} == {"app:1"}
        assert len(await pods_of(w)) == 4
        assert d.status.updated_replicas == 0
        await edit(w, paused=False)
        await w.settle(10)
        assert {p.spec.containers[0].image for p in await pods_of(w)} == {"app:2"}
        assert conditions(await current(w))["Progressing"] == ("True", "NewReplicaSetAvailable")


async def test_rollout_that_gets_stuck_exceeds_its_deadline() -> None:
    async with controlled() as w:
        await w.client.create(deployment(replicas=1, progress_deadline_seconds=60))
        await w.settle(55)
        assert conditions(await current(w))["Progressing"][0] == "True"
        await w.settle(10)
        assert conditions(await current(w)) == {
            "Available": ("False", "MinimumReplicasUnavailable"),
            "Progressing": ("False", "ProgressDeadlineExceeded"),
        }


async def test_history_beyond_the_limit_is_deleted() -> None:
    async with running(deployment(replicas=1, revision_history_limit=1)) as w:
        for version in (2, 3, 4):
            await edit(w, template=template(image=f"app:{version}"))
            await w.settle(10)
        assert sorted(await replica_sets(w)) == ["3", "4"]


async def test_taken_name_gives_another_hash() -> None:
    async with running(deployment(replicas=1)) as w:
        [rs] = (await replica_sets(w)).values()
        other = replace(rs, metadata=replace(rs.metadata, uid="", resource_version="", owner_references=()))
        foreign = template("other")
        taken = replace(other.spec, template=replace(foreign, metadata=other.spec.template.metadata))
        await w.client.delete(Deployment, "web", "ns")
        await w.settle(10)
        await w.client.create(
            replace(
                other,
                spec=replace(
                    taken, template=template("web", "foreign"), replicas=0, selector=deployment().spec.selector
                ),
                metadata=replace(other.metadata, labels={"app": "else"}),
            )
        )
        await w.client.create(deployment(replicas=1))
        await w.settle(10)
        d = await current(w)
        assert d.status.collision_count == 1
        assert d.status.available_replicas == 1
