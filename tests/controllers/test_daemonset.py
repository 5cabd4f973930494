from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from kcore.api.apps_v1 import (
    ControllerRevision,
    DaemonSet,
    DaemonSetSpec,
    DaemonSetUpdateStrategy,
    RollingUpdateDaemonSet,
)
from kcore.api.core_v1 import Node, Pod, Taint, Toleration
from kcore.api.meta_v1 import DeleteOptions, LabelSelector, ObjectMeta
from kcore.client.runner import controller_of
from kcore.controllers.placement import Placement, target_of, tolerant
from kcore.controllers.recreation import Recreation
from kcore.kit.clock import LoopClock
from tests.controllers.control import controlled, make_ready, pods_of, run_pods, template
from tests.controllers.test_nodes import make_node
from tests.sim.world import World


def daemon_set(image: str = "app:1", tolerations: Sequence[Toleration] = (), **spec: Any) -> DaemonSet:
    made_of = template("agent", image)
    made_of = replace(made_of, spec=replace(made_of.spec, tolerations=tuple(tolerations)))
    return DaemonSet(
        metadata=ObjectMeta(name="agent", namespace="ns"),
        spec=DaemonSetSpec(selector=LabelSelector(match_labels={"app": "agent"}), template=made_of, **spec),
    )


def rolling(unavailable: int | str = 0, surge: int | str = 0) -> DaemonSetUpdateStrategy:
    update = RollingUpdateDaemonSet(max_unavailable=unavailable, max_surge=surge)
    return DaemonSetUpdateStrategy(type="RollingUpdate", rolling_update=update)


async def nodes(w: World, *names: str) -> None:
    for name in names:
        await make_node(w, name)
    await w.settle()


async def label(w: World, node: str, **labels: str | None) -> None:
    await w.client.patch(Node, node, {"metadata": {"labels": labels}})
    await w.settle()


async def taint(w: World, node: str, *taints: Taint) -> None:
    found = await w.client.get(Node, node)
    await w.client.update(replace(found, spec=replace(found.spec, taints=taints)))
    await w.settle()


async def current(w: World) -> DaemonSet:
    return await w.client.get(DaemonSet, "agent", "ns")


async def edit(w: World, **spec: Any) -> None:
    standing = await current(w)
    await w.client.update(replace(standing, spec=replace(standing.spec, **spec)))
    await w.settle()


async def alive(w: World) -> list[Pod]:
    return [pod for pod in await pods_of(w) if pod.metadata.deletion_timestamp is None]


async def where(w: World) -> list[tuple[str, str]]:
    """The node and the image of every pod."""
    return sorted((target_of(pod), pod.spec.containers[0].image) for pod in await alive(w))


async def on(w: World, node: str) -> Pod:
    [pod] = [pod for pod in await alive(w) if target_of(pod) == node]
    return pod


async def ready_all(w: World) -> None:
    for pod in await alive(w):
        await make_ready(w, pod)
    await w.settle()


async def test_each_node_gets_one_pod_made_for_it() -> None:
    async with controlled() as w:
        await nodes(w, "n1", "n2")
        owner = await w.client.create(daemon_set())
        await w.settle()
        assert await where(w) == [("n1", "app:1"), ("n2", "app:1")]
        pod = await on(w, "n1")
        assert pod.metadata.generate_name == "agent-"
        assert pod.metadata.labels["pod-template-generation"] == "1"
        [revision] = (await w.client.list(ControllerRevision, "ns")).items
        hash_ = pod.metadata.labels["controller-revision-hash"]
        assert (revision.metadata.name, revision.revision) == (f"agent-{hash_}", 1)
        await ready_all(w)
        status = (await current(w)).status
        assert (status.desired_number_scheduled, status.current_number_scheduled, status.number_ready) == (2, 2, 2)
        assert (status.number_available, status.number_unavailable, status.updated_number_scheduled) == (2, 0, 2)
        assert (status.number_misscheduled, status.observed_generation) == (0, 1)
        assert f"Normal SuccessfulCreate Created pod: {pod.metadata.name}" in await w.told(owner)


async def test_nodes_that_come_get_a_pod() -> None:
    async with controlled() as w:
        await nodes(w, "n1")
        await w.client.create(daemon_set())
        await w.settle()
        await nodes(w, "n2")
        assert [node for node, _ in await where(w)] == ["n1", "n2"]


async def test_pod_that_waits_for_a_node_that_is_gone_goes() -> None:
    async with controlled() as w:
        await nodes(w, "n1", "n2")
        await w.client.create(daemon_set())
        await w.settle()
        await w.client.delete(Node, "n2")
        await w.settle()
        assert [node for node, _ in await where(w)] == ["n1"]
        assert (await current(w)).status.desired_number_scheduled == 1


async def test_pods_follow_the_labels_of_nodes() -> None:
    async with controlled() as w:
        await nodes(w, "n1", "n2")
        made_of = template("agent")
        made_of = replace(made_of, spec=replace(made_of.spec, node_selector={"disk": "ssd"}))
        wanted = daemon_set()
        await w.client.create(replace(wanted, spec=replace(wanted.spec, template=made_of)))
        await w.settle()
        status = (await current(w)).status
        assert (await where(w), status.desired_number_scheduled, status.observed_generation) == ([], 0, 1)
        await label(w, "n2", disk="ssd")
        assert [node for node, _ in await where(w)] == ["n2"]
        await label(w, "n2", disk=None)
        assert await where(w) == []


async def test_taint_without_execute_keeps_new_pods_away_and_old_ones_running() -> None:
    async with controlled() as w:
        await nodes(w, "n1", "n2")
        await w.client.create(daemon_set())
        await w.settle()
        await taint(w, "n1", Taint(key="dedicated", value="db", effect="NoSchedule"))
        assert [node for node, _ in await where(w)] == ["n1", "n2"]
        status = (await current(w)).status
        assert (status.desired_number_scheduled, status.number_misscheduled) == (1, 1)
        pod = await on(w, "n1")
        await w.client.delete(Pod, pod.metadata.name, "ns", DeleteOptions(grace_period_seconds=0))
        await w.settle()
        assert [node for node, _ in await where(w)] == ["n2"]
        await taint(w, "n2", Taint(key="dedicated", value="db", effect="NoExecute"))
        assert await where(w) == []


@pytest.mark.parametrize(
    ("taints", "tolerations", "expected"),
    [
        ((), (), (True, True)),
        ((Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule"),), (), (True, True)),
        ((Taint(key="node.kubernetes.io/unreachable", effect="NoExecute"),), (), (True, True)),
        ((Taint(key="node.kubernetes.io/not-ready", effect="NoSchedule"),), (), (False, True)),
        ((Taint(key="x", effect="PreferNoSchedule"),), (), (True, True)),
        ((Taint(key="x", effect="NoExecute"),), (), (False, False)),
        ((Taint(key="x", effect="NoExecute"),), (Toleration(operator="Exists"),), (True, True)),
    ],
)
def test_taints_decide_who_runs_and_who_stays(
    taints: tuple[Taint, ...], tolerations: tuple[Toleration, ...], expected: tuple[bool, bool]
) -> None:
    node = Node(metadata=ObjectMeta(name="n1"))
    node = replace(node, spec=replace(node.spec, taints=taints))
    placement = Placement(daemon_set(tolerations=tolerations))
    assert (placement.runs_on(node), placement.stays_on(node)) == expected


def test_host_network_is_there_before_the_network_is() -> None:
    spec = replace(template().spec, host_network=True)
    assert tolerant(spec).tolerations[-1].key == "node.kubernetes.io/network-unavailable"


def test_own_toleration_is_replaced_by_the_endless_one() -> None:
    mine = Toleration(key="node.kubernetes.io/not-ready", operator="Exists", effect="NoExecute", toleration_seconds=300)
    spec = tolerant(replace(template().spec, tolerations=(mine,)))
    assert len(spec.tolerations) == 6
    assert spec.tolerations[0].toleration_seconds is None


async def test_of_several_pods_on_a_node_the_oldest_stays() -> None:
    async with controlled() as w:
        await nodes(w, "n1")
        await w.client.create(daemon_set())
        await w.settle(2)
        first = await on(w, "n1")
        extra = Pod(metadata=replace(template("agent").metadata, name="extra", namespace="ns"), spec=first.spec)
        await w.client.create(extra)
        await w.settle()
        assert (await on(w, "n1")).metadata.name == first.metadata.name


async def test_orphan_that_matches_is_adopted() -> None:
    async with controlled() as w:
        await nodes(w, "n1")
        await w.client.create(daemon_set())
        await w.settle()
        await w.client.delete(DaemonSet, "agent", "ns", DeleteOptions(propagation_policy="Orphan"))
        await w.settle(5)
        pod = await on(w, "n1")
        assert controller_of(pod.metadata) is None
        again = await w.client.create(daemon_set())
        await w.settle(5)
        kept = await on(w, "n1")
        owner = controller_of(kept.metadata)
        assert owner is not None
        assert (kept.metadata.uid, owner.uid) == (pod.metadata.uid, again.metadata.uid)


async def test_update_replaces_as_many_as_may_be_unavailable() -> None:
    async with controlled() as w:
        await nodes(w, "n1", "n2", "n3", "n4")
        await w.client.create(daemon_set(update_strategy=rolling(unavailable="50%")))
        await w.settle()
        await ready_all(w)
        await edit(w, template=template("agent", "app:2"))
        assert [image for _, image in await where(w)].count("app:2") == 2
        await w.settle(5)
        assert [image for _, image in await where(w)].count("app:2") == 2  # the new ones are not available yet
        await ready_all(w)
        assert [image for _, image in await where(w)].count("app:2") == 4
        await ready_all(w)
        status = (await current(w)).status
        assert (status.updated_number_scheduled, status.number_available) == (4, 4)


async def test_update_replaces_broken_pods_without_asking() -> None:
    async with controlled() as w:
        await nodes(w, "n1", "n2", "n3")
        await w.client.create(daemon_set(update_strategy=rolling(unavailable=1)))
        await w.settle()
        await make_ready(w, await on(w, "n3"))
        await w.settle()
        await edit(w, template=template("agent", "app:2"))
        assert await where(w) == [("n1", "app:2"), ("n2", "app:2"), ("n3", "app:1")]


async def test_surge_puts_the_new_pod_beside_the_old_one() -> None:
    async with controlled() as w:
        await nodes(w, "n1", "n2")
        await w.client.create(daemon_set(update_strategy=rolling(surge=1)))
        await w.settle()
        await ready_all(w)
        await edit(w, template=template("agent", "app:2"))
        assert await where(w) == [("n1", "app:1"), ("n1", "app:2"), ("n2", "app:1")]
        await ready_all(w)
        assert await where(w) == [("n1", "app:2"), ("n2", "app:1"), ("n2", "app:2")]
        await ready_all(w)
        assert await where(w) == [("n1", "app:2"), ("n2", "app:2")]


async def test_on_delete_leaves_old_pods_until_somebody_deletes_them() -> None:
    async with controlled() as w:
        await nodes(w, "n1", "n2")
        await w.client.create(daemon_set(update_strategy=DaemonSetUpdateStrategy(type="OnDelete")))
        await w.settle()
        await edit(w, template=template("agent", "app:2"))
        assert [image for _, image in await where(w)] == ["app:1", "app:1"]
        pod = await on(w, "n1")
        await w.client.delete(Pod, pod.metadata.name, "ns", DeleteOptions(grace_period_seconds=0))
        await w.settle()
        assert await where(w) == [("n1", "app:2"), ("n2", "app:1")]
        assert (await current(w)).status.updated_number_scheduled == 1


async def test_rollback_in_mid_rollout_touches_only_what_was_replaced() -> None:
    async with controlled() as w:
        await nodes(w, "n1", "n2", "n3")
        await w.client.create(daemon_set(update_strategy=rolling(unavailable=1)))
        await w.settle()
        await ready_all(w)
        before = {pod.metadata.uid for pod in await alive(w)}
        await edit(w, template=template("agent", "app:2"))
        await edit(w, template=template("agent", "app:1"))
        await ready_all(w)
        after = {pod.metadata.uid for pod in await alive(w)}
        assert len(before & after) == 2
        assert [image for _, image in await where(w)] == ["app:1"] * 3
        kept = sorted(r.revision for r in (await w.client.list(ControllerRevision, "ns")).items)
        assert kept == [2, 3]


async def test_history_is_cut_to_its_limit() -> None:
    async with controlled() as w:
        w.tasks.start_soon(run_pods, w)
        await nodes(w, "n1")
        await w.client.create(daemon_set(revision_history_limit=1))
        await w.settle(2)
        for version in range(2, 5):
            await edit(w, template=template("agent", f"app:{version}"))
            await w.settle(3)
        kept = sorted(r.revision for r in (await w.client.list(ControllerRevision, "ns")).items)
        assert kept == [3, 4]


async def test_failed_pods_are_replaced_less_and_less_often() -> None:
    async with controlled() as w:
        await nodes(w, "n1")
        owner = await w.client.create(daemon_set())
        await w.settle(0.2)
        times = []
        for _ in range(4):
            pod = await on(w, "n1")
            start = w.clock.now()
            failed = replace(pod, status=replace(pod.status, phase="Failed"))
            await w.client.update(failed, subresource="status")
            while [p.metadata.uid for p in await alive(w)] in ([pod.metadata.uid], []):
                await w.settle(0.1)
            times.append(round(w.clock.now() - start))
        assert times == [0, 1, 2, 4]
        told = [line for line in await w.told(owner) if "FailedDaemonPod" in line]
        assert told[0].endswith("on node n1, will try to kill it")


async def test_succeeded_pod_is_replaced_at_once() -> None:
    async with controlled() as w:
        await nodes(w, "n1")
        await w.client.create(daemon_set())
        await w.settle()
        pod = await on(w, "n1")
        done = replace(pod, status=replace(pod.status, phase="Succeeded"))
        await w.client.update(done, subresource="status")
        await w.settle()
        assert (await on(w, "n1")).metadata.uid != pod.metadata.uid


async def test_pods_become_available_after_min_ready_seconds() -> None:
    async with controlled() as w:
        await nodes(w, "n1")
        await w.client.create(daemon_set(min_ready_seconds=10))
        await w.settle()
        await ready_all(w)
        status = (await current(w)).status
        assert (status.number_ready, status.number_available) == (1, 0)
        await w.settle(12)
        assert (await current(w)).status.number_available == 1


async def test_new_generation_is_a_new_attempt() -> None:
    recreation = Recreation(LoopClock())
    assert recreation.wait("uid", "n1", 1) == 0
    assert recreation.wait("uid", "n1", 1) == 1
    assert recreation.wait("uid", "n2", 1) == 0
    assert recreation.wait("uid", "n1", 2) == 0
