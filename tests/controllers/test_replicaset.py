from __future__ import annotations

from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from kcore.api.apps_v1 import ReplicaSet, ReplicaSetSpec
from kcore.api.core_v1 import ConfigMap, Namespace, Pod
from kcore.api.errors import Forbidden, NotFound
from kcore.api.meta_v1 import DeleteOptions, LabelSelector, ObjectMeta
from kcore.client.runner import controller_of
from kcore.registry.request import Answer, Request
from tests.controllers.control import controlled, make_ready, pods_of, template


def replica_set(replicas: int, name: str = "web") -> ReplicaSet:
    selector = LabelSelector(match_labels={"app": "web"})
    return ReplicaSet(
        metadata=ObjectMeta(name=name, namespace="ns"),
        spec=ReplicaSetSpec(replicas=replicas, selector=selector, template=template()),
    )


async def test_missing_pods_are_created_and_counted() -> None:
    async with controlled() as w:
        rs = await w.client.create(replica_set(5))
        await w.settle()
        pods = await pods_of(w)
        assert len(pods) == 5
        assert all(p.metadata.name.startswith("web-") and p.metadata.labels == {"app": "web"} for p in pods)
        for pod in pods[:2]:
            await make_ready(w, pod)
        await w.settle()
        status = (await w.client.get(ReplicaSet, "web", "ns")).status
        assert (status.replicas, status.fully_labeled_replicas, status.ready_replicas) == (5, 5, 2)
        assert (status.available_replicas, status.observed_generation) == (2, 1)
        assert f"Normal SuccessfulCreate Created pod: {pods[0].metadata.name}" in await w.told(rs)


async def test_orphan_that_matches_is_adopted_and_counts() -> None:
    async with controlled() as w:
        pod = template()
        await w.client.create(Pod(metadata=replace(pod.metadata, name="stray", namespace="ns"), spec=pod.spec))
        rs = await w.client.create(replica_set(2))
        await w.settle()
        stray = await w.client.get(Pod, "stray", "ns")
        owner = controller_of(stray.metadata)
        assert owner is not None
        assert owner.uid == rs.metadata.uid
        assert len(await pods_of(w)) == 2


async def test_pod_that_matches_no_more_is_released_and_replaced() -> None:
    async with controlled() as w:
        await w.client.create(replica_set(2))
        await w.settle()
        pod = (await pods_of(w))[0]
        await w.client.patch(Pod, pod.metadata.name, {"metadata": {"labels": {"app": "debug"}}}, "ns")
        await w.settle()
        assert controller_of((await w.client.get(Pod, pod.metadata.name, "ns")).metadata) is None
        assert len(await pods_of(w)) == 3


async def test_unready_pods_go_first_when_fewer_are_wanted() -> None:
    async with controlled() as w:
        await w.client.create(replica_set(4))
        await w.settle()
        pods = await pods_of(w)
        for pod in pods[:2]:
            await make_ready(w, pod)
        await w.settle()
        await w.client.patch(ReplicaSet, "web", {"spec": {"replicas": 2}}, "ns")
        await w.settle()
        left = [p.metadata.name for p in await pods_of(w) if p.metadata.deletion_timestamp is None]
        assert left == [p.metadata.name for p in pods[:2]]


async def test_refused_pods_are_told_of_and_tried_again() -> None:
    async with controlled() as w:
        create = w.registry.create
        refused = 0

        async def refuse_pods(req: Request, obj: Any) -> Answer:
            nonlocal refused
            if req.kind.type is Pod:
                refused += 1
                raise Forbidden('pods "web-" is forbidden: exceeded quota')
            return await create(req, obj)

        w.registry.create = refuse_pods  # type: ignore[method-assign]
        rs = await w.client.create(replica_set(4))
        await w.settle()
        [condition] = (await w.client.get(ReplicaSet, "web", "ns")).status.conditions
        assert (condition.type, condition.status, condition.reason) == ("ReplicaFailure", "True", "FailedCreate")
        assert 2 <= refused < 12  # one each time, further and further apart
        told = await w.told(rs)
        assert told[0] == 'Warning FailedCreate Error creating: pods "web-" is forbidden: exceeded quota'
        w.registry.create = create  # type: ignore[method-assign]
        await w.settle(10)
        assert len(await pods_of(w)) == 4
        assert (await w.client.get(ReplicaSet, "web", "ns")).status.conditions == ()


async def test_replica_set_in_a_namespace_that_goes_keeps_quiet() -> None:
    async with controlled() as w:
        held = ConfigMap(metadata=ObjectMeta(name="held", namespace="ns", finalizers=("example.com/x",)))
        await w.client.create(held)
        rs = await w.client.create(replica_set(3))
        await w.settle()
        finalizers = ("example.com/x",)
        rs = await w.client.get(ReplicaSet, "web", "ns")
        await w.client.update(replace(rs, metadata=replace(rs.metadata, finalizers=finalizers)))
        await w.client.delete(Namespace, "ns")
        for pod in await pods_of(w):
            with suppress(NotFound):  # the namespace may have been faster
                await w.client.delete(Pod, pod.metadata.name, "ns", DeleteOptions(grace_period_seconds=0))
        await w.settle(10)
        assert not [line for line in await w.told(rs) if "FailedCreate" in line]
        assert await pods_of(w) == []
