from __future__ import annotations

from collections.abc import Mapping

import anyio
import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import (
    ConfigMap,
    Pod,
    PodSpec,
    ResourceQuota,
    ResourceQuotaSpec,
    ResourceQuotaStatus,
    Secret,
    Service,
    ServicePort,
    ServiceSpec,
)
from kcore.api.errors import Forbidden
from kcore.api.meta_v1 import DeleteOptions, ObjectMeta
from tests.controllers.control import controlled, template
from tests.sim.world import World


def named(name: str) -> ObjectMeta:
    return ObjectMeta(name=name, namespace="ns")


async def quota(w: World, hard: Mapping[str, str], scopes: tuple[str, ...] = ()) -> None:
    await w.client.create(ResourceQuota(metadata=named("q"), spec=ResourceQuotaSpec(hard=hard, scopes=scopes)))
    await w.settle()


async def status(w: World) -> ResourceQuotaStatus:
    return (await w.client.get(ResourceQuota, "q", "ns")).status


async def pod(w: World, name: str, **spec: int) -> None:
    whole: PodSpec = replace(template().spec, **spec)
    await w.client.create(Pod(metadata=named(name), spec=whole))


async def test_a_new_quota_counts_what_is_there() -> None:
    async with controlled() as w:
        await pod(w, "a")
        await w.client.create(Secret(metadata=named("s")))
        await quota(w, {"pods": "5", "secrets": "3", "count/leases.coordination.k8s.io": "2"})
        assert await status(w) == ResourceQuotaStatus(
            hard={"pods": "5", "secrets": "3", "count/leases.coordination.k8s.io": "2"},
            used={"pods": "1", "secrets": "1", "count/leases.coordination.k8s.io": "0"},
        )


async def test_what_is_deleted_is_given_back() -> None:
    async with controlled() as w:
        await quota(w, {"pods": "2", "count/pods": "9"})
        await pod(w, "a")
        await pod(w, "b")
        with pytest.raises(Forbidden):
            await pod(w, "c")
        await w.client.delete(Pod, "a", "ns", DeleteOptions(grace_period_seconds=0))
        await w.settle()
        assert (await status(w)).used == {"pods": "1", "count/pods": "1"}
        await pod(w, "c")


async def test_a_pod_that_has_ended_uses_no_compute() -> None:
    async with controlled() as w:
        await quota(w, {"pods": "2", "count/pods": "9"})
        await pod(w, "a")
        made = await w.client.get(Pod, "a", "ns")
        await w.client.update(replace(made, status=replace(made.status, phase="Succeeded")), subresource="status")
        await w.settle()
        assert (await status(w)).used == {"pods": "0", "count/pods": "1"}


async def test_drift_is_mended() -> None:
    async with controlled() as w:
        await quota(w, {"pods": "2"})
        standing = await w.client.get(ResourceQuota, "q", "ns")
        wrong = ResourceQuotaStatus(hard=standing.spec.hard, used={"pods": "2"})
        await w.client.update(replace(standing, status=wrong), subresource="status")
        await w.settle(301)
        assert (await status(w)).used == {"pods": "0"}


async def test_changed_limits_reach_the_status() -> None:
    async with controlled() as w:
        await quota(w, {"pods": "2"})
        await w.client.patch(ResourceQuota, "q", {"spec": {"hard": {"pods": "7", "services": "1"}}}, "ns")
        await w.settle()
        assert await status(w) == ResourceQuotaStatus(
            hard={"pods": "7", "services": "1"}, used={"pods": "0", "services": "0"}
        )


async def test_scopes_leave_objects_out() -> None:
    async with controlled() as w:
        await pod(w, "lasting")
        await pod(w, "passing", active_deadline_seconds=9)
        await quota(w, {"pods": "5"}, scopes=("Terminating",))
        assert (await status(w)).used == {"pods": "1"}


async def test_a_service_that_loses_its_type_gives_ports_back() -> None:
    async with controlled() as w:
        await quota(w, {"services.nodeports": "1"})
        spec = ServiceSpec(type="NodePort", ports=(ServicePort(port=80),))
        await w.client.create(Service(metadata=named("s"), spec=spec))
        assert (await status(w)).used == {"services.nodeports": "1"}
        await w.client.patch(Service, "s", {"spec": {"type": "ClusterIP"}}, "ns")
        await w.settle()
        assert (await status(w)).used == {"services.nodeports": "0"}


async def test_usage_is_right_after_a_storm() -> None:
    async with controlled() as w:
        await quota(w, {"count/configmaps": "50"})

        async def live(number: int) -> None:
            try:
                await w.client.create(ConfigMap(metadata=named(f"c{number}")))
            except Forbidden:
                return
            await anyio.sleep(number % 7 / 100)
            if number % 2:
                await w.client.delete(ConfigMap, f"c{number}", "ns")

        async with anyio.create_task_group() as tasks:
            for number in range(200):
                tasks.start_soon(live, number)
        await w.settle()
        left = len((await w.client.list(ConfigMap, "ns")).items)
        assert (await status(w)).used == {"count/configmaps": str(left)}
        assert left <= 50
